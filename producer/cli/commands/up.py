"""`xinshi up`: run everything on one machine."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from producer.cli import failures, options, output
from producer.cli.session import GlobalOptions, Session, open_session, schema_problem

if TYPE_CHECKING:
    import socket


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
    with open_session(config) as session:
        from producer.local.supervisor import Supervisor
        from worker.config import secret_places
        from worker.runtime import broker, logs

        secret_places.require_secrets(session.settings)
        broker.check(session.settings)
        _prepare_database(session)
        web_socket = None if no_web else _bind_web_socket(session, web_port)
        logs.configure(session.settings.top.log_level)
        announcement = _announcement(session, web_socket)
        config_file = _config_file(config)
        session.close()
        all_finished = Supervisor(
            session.settings, None if config_file is None else str(config_file), web=web_socket
        ).run(lambda: output.print_hint(announcement))
    if not all_finished:
        output.print_error(
            "not everything finished in time; what was under way is shown as unknown"
        )
        raise typer.Exit(failures.FAILED)


def _bind_web_socket(session: Session, port: int | None) -> "socket.socket | None":
    """Bind the socket for the web process, and return it; None when the web is not installed."""
    from producer.web import listener

    if find_spec("fastapi") is None or find_spec("uvicorn") is None:
        output.print_hint("without the HTTP API: pip install 'xinshi[web]' brings it")
        return None
    web_settings = session.settings.top.web
    return listener.listen(web_settings.host, web_settings.port if port is None else port)


def _announcement(session: Session, web_socket: "socket.socket | None") -> str:
    """Return what is said once everything runs: what there is, and how to look at it."""
    from producer.web import listener

    accounts = ", ".join(session.settings.accounts) or "none: messages will wait"
    lines = [f"Xinshi is up. Ctrl-C stops it.\n  accounts  {accounts}"]
    if web_socket is not None:
        address = listener.address(web_socket)
        lines.append(f"  API       {address}/v1/…, with a key: xinshi key create shop")
        lines.append(f"  pages     {address}/, with a key: xinshi key create you --scope operate")
    return "\n".join(lines)


def _prepare_database(session: Session) -> None:
    """Migrate an SQLite database; end with an error when another one has no current schema."""
    from worker.store import migrations
    from worker.store.db import capabilities

    if capabilities.is_file(session.engine):
        migrations.migrate(session.engine)
        return
    problem = schema_problem(session.engine)
    if problem:
        output.print_error(problem)
        raise typer.Exit(failures.FAILED)


def _config_file(config: Path | None) -> Path | None:
    """Return the file that the processes read; None when only the environment configures them."""
    named_file = config or GlobalOptions.config or os.environ.get("XINSHI_CONFIG")
    file = Path(named_file or "xinshi.toml").absolute()
    return file if named_file or file.exists() else None
