"""`xinshi up`: everything on one machine."""

import os
from pathlib import Path

import typer

from producer.cli import faults, options, output, session


def register(app: typer.Typer) -> None:
    """Add the command."""
    options.command(app, "xinshi up", "xinshi --config prod.toml up")(up)


def up(*, config: options.Config = None) -> None:
    """Run everything on this machine until Ctrl-C: the embedded broker, the workers, beat.

    There is a worker for each class, so that a campaign never delays a code. An SQLite database is
    migrated first; others by `xinshi migrate`. What dies is started again. On Ctrl-C what is under
    way is finished and recorded; what waits, waits.
    """
    with session.opened(config) as here:
        from producer.supervising import Supervisor
        from worker import broker, logs

        broker.check(here.settings)
        _prepare(here)
        logs.configure(here.settings.top.log_level)
        names = ", ".join(here.settings.accounts) or "none: messages will wait"
        output.hint(f"Xinshi is up; accounts: {names}. Ctrl-C stops it.")
        file = _file(config)
        here.close()
        clean = Supervisor(here.settings, None if file is None else str(file)).run()
    if not clean:
        output.error("not everything finished in time; what was under way is shown as unknown")
        raise typer.Exit(faults.FAILED)


def _prepare(here: session.Session) -> None:
    from worker import migrations

    if here.engine.dialect.name == "sqlite":
        migrations.migrate(here.engine)
        return
    behind = session.schema_problem(here.engine)
    if behind:
        output.error(behind)
        raise typer.Exit(faults.FAILED)


def _file(config: Path | None) -> Path | None:
    """The file that the processes have to read; None when the environment alone configures."""
    named = config or session.Chosen.config or os.environ.get("XINSHI_CONFIG")
    file = Path(named or "xinshi.toml").absolute()
    return file if named or file.exists() else None
