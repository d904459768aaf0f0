"""`xinshi web`: run the web process alone."""

from typing import Annotated

import typer

from producer.cli import failures, options, output
from producer.cli.session import open_session

Port = Annotated[
    int | None,
    typer.Option("--port", min=0, max=65535, help="Else web.port; 0 takes one that is free."),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    options.command(app, "xinshi web", "xinshi web --host 0.0.0.0 --port 8026")(web)


def web(
    *,
    host: Annotated[str | None, typer.Option("--host", help="Else web.host.")] = None,
    port: Port = None,
    config: options.Config = None,
) -> None:
    """Serve the HTTP API and take what gateways push, until TERM or Ctrl-C.

    Any number of these may run beside each other. What is under way is finished.
    """
    with open_session(config) as session:
        try:
            from producer.web import listener, server
        except ModuleNotFoundError as error:
            output.print_error(f"{error.name} is not installed; pip install 'xinshi[web]'")
            raise typer.Exit(failures.FAILED) from None
        from worker.config import secret_places
        from worker.runtime import logs

        secret_places.require_secrets(session.settings)
        web_settings = session.settings.top.web
        web_socket = listener.listen(
            host or web_settings.host, web_settings.port if port is None else port
        )
        logs.configure(session.settings.top.log_level)
    output.print_hint(f"listening on {listener.address(web_socket)}. Ctrl-C stops it.")
    server.serve(session.settings, web_socket)
