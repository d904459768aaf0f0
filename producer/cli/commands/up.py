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
    options.command(
        app,
        "xinshi up",
        "xinshi up --sandbox                (no gateway, no configuration: texts are printed here)",
        "xinshi up --web-port 8080",
        "xinshi --config prod.toml up",
    )(up)


def up(
    *,
    web_port: Annotated[
        int | None,
        typer.Option("--web-port", min=0, max=65535, help="Else web.port; 0: one that is free."),
    ] = None,
    no_web: Annotated[bool, typer.Option("--no-web", help="Without the web process.")] = False,
    sandbox: Annotated[
        bool,
        typer.Option(
            "--sandbox", help="And a sandbox for its accounts; it prints each text that it takes."
        ),
    ] = False,
    beside_real_accounts: Annotated[
        bool,
        typer.Option("--beside-real-accounts", help="Also where other accounts reach people."),
    ] = False,
    config: options.Config = None,
) -> None:
    """Run everything on this machine until Ctrl-C: the embedded broker, workers, beat, web.

    There is a worker for each class, so that a campaign never delays a code. An SQLite database is
    migrated first; others by `xinshi migrate`. What dies is started again. On Ctrl-C what is under
    way is finished and recorded; what waits, waits.

    With --sandbox the gateways run here too and nothing leaves this machine; in a folder without
    a configuration one is written for it, with an account for each class.
    """
    if beside_real_accounts and not sandbox:
        msg = "--beside-real-accounts goes with --sandbox"
        raise typer.BadParameter(msg)
    if sandbox and not _is_configured(config):
        _write_configuration()
    with open_session(config) as session:
        from producer.local.supervisor import Supervisor
        from worker.config import secret_places
        from worker.runtime import broker, logs, redis_server

        secret_places.require_secrets(session.settings)
        broker.check(session.settings)
        redis_server.check(session.settings)
        sandbox_arguments: tuple[str, ...] = ()
        if sandbox:
            sandbox_arguments = _sandbox_arguments(
                session, beside_real_accounts=beside_real_accounts
            )
        _prepare_database(session)
        web_socket = None if no_web else _bind_web_socket(session, web_port)
        logs.configure(session.settings.top.log_level)
        announcement = _announcement(session, web_socket, with_sandbox=sandbox)
        config_file = _config_file(config)
        session.close()
        all_finished = Supervisor(
            session.settings,
            None if config_file is None else str(config_file),
            web=web_socket,
            sandbox=sandbox_arguments,
        ).run(lambda: output.print_hint(announcement))
    if not all_finished:
        output.print_error(
            "not everything finished in time; what was under way is shown as unknown"
        )
        raise typer.Exit(failures.FAILED)


def _is_configured(config: Path | None) -> bool:
    """Tell whether there are accounts, in a file or in the environment."""
    in_environment = any(name.startswith("XINSHI_ACCOUNTS__") for name in os.environ)
    return in_environment or _config_file(config) is not None


def _write_configuration() -> None:
    from producer.local import sandbox_setup

    file = sandbox_setup.write_configuration(Path.cwd())
    if file is not None:
        output.print_hint(f"{file.name} is written, with accounts at the sandbox")


def _sandbox_arguments(session: Session, *, beside_real_accounts: bool) -> tuple[str, ...]:
    """Return the arguments of the sandbox's process: its ledger is kept with our state."""
    from producer.local import sandbox_setup

    port = sandbox_setup.listening_port(session.settings, beside_real_accounts=beside_real_accounts)
    sandbox_setup.require_free(port)
    folder = session.settings.state_folder
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ledger = folder / "sandbox.jsonl"
    flags = ("--fsync", "group", "--show-texts", "--quiet")
    return ("--port", str(port), "--ledger", str(ledger), *flags)


def _bind_web_socket(session: Session, port: int | None) -> "socket.socket | None":
    """Bind the socket for the web process, and return it; None when the web is not installed."""
    from producer.web import listener

    if find_spec("fastapi") is None or find_spec("uvicorn") is None:
        output.print_hint("without the HTTP API: pip install 'xinshi[web]' brings it")
        return None
    web_settings = session.settings.top.web
    return listener.listen(web_settings.host, web_settings.port if port is None else port)


def _announcement(
    session: Session, web_socket: "socket.socket | None", *, with_sandbox: bool
) -> str:
    """Return what is said once everything runs: what there is, and how to look at it."""
    from producer.web import listener

    accounts = ", ".join(session.settings.accounts) or "none: messages will wait"
    lines = [f"Xinshi is up. Ctrl-C stops it.\n  accounts  {accounts}"]
    if web_socket is not None:
        address = listener.address(web_socket)
        lines.append(f"  API       {address}/v1/…, with a key: xinshi key create shop")
        lines.append(f"  pages     {address}/, with a key: xinshi key create you --scope operate")
    if with_sandbox:
        lines.append("  sandbox   each text that it takes is printed here: xinshi send --to …")
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
