"""`xinshi up`: everything on one machine."""

import os
import socket
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from producer.cli import (
    failures,
    options,
    output,
    session,
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    options.command(app, "xinshi up", "xinshi up --web-port 8080", "xinshi --config prod.toml up")(
        up
    )


def up(
    *,
    web_port: Annotated[
        int | None,
        typer.Option("--web-port", min=0, max=65535, help="Else web.port; 0: one that is free."),
    ] = None,
    no_web: Annotated[bool, typer.Option("--no-web", help="Without the web process.")] = False,
    config: options.Config = None,
) -> None:
    """Run everything on this machine until Ctrl-C: the embedded broker, workers, beat, web.

    There is a worker for each class, so that a campaign never delays a code. An SQLite database is
    migrated first; others by `xinshi migrate`. What dies is started again. On Ctrl-C what is under
    way is finished and recorded; what waits, waits.
    """
    with session.opened(config) as here:
        from producer.local.supervisor import Supervisor
        from worker.runtime import broker, logs

        broker.check(here.settings)
        _prepare(here)
        web = None if no_web else _listen(here, web_port)
        logs.configure(here.settings.top.log_level)
        names = ", ".join(here.settings.accounts) or "none: messages will wait"
        output.hint(f"Xinshi is up; accounts: {names}{_served(web)}. Ctrl-C stops it.")
        file = _file(config)
        here.close()
        clean = Supervisor(here.settings, None if file is None else str(file), web=web).run()
    if not clean:
        output.error("not everything finished in time; what was under way is shown as unknown")
        raise typer.Exit(failures.FAILED)


def _listen(here: session.Session, port: int | None) -> socket.socket | None:
    """Return where the web process will listen; None when it is not installed."""
    from producer.web import listener

    if find_spec("fastapi") is None or find_spec("uvicorn") is None:
        output.hint("without the HTTP API: pip install 'xinshi[web]' brings it")
        return None
    wanted = here.settings.top.web
    return listener.listen(wanted.host, wanted.port if port is None else port)


def _served(web: socket.socket | None) -> str:
    from producer.web import listener

    return "" if web is None else f"; HTTP on {listener.address(web)}"


def _prepare(here: session.Session) -> None:
    from worker.store import migrations

    if here.engine.dialect.name == "sqlite":
        migrations.migrate(here.engine)
        return
    behind = session.schema_problem(here.engine)
    if behind:
        output.error(behind)
        raise typer.Exit(failures.FAILED)


def _file(config: Path | None) -> Path | None:
    """The file that the processes have to read; None when the environment alone configures."""
    named = config or session.Chosen.config or os.environ.get("XINSHI_CONFIG")
    file = Path(named or "xinshi.toml").absolute()
    return file if named or file.exists() else None
