"""`xinshi sandbox`: run the server sides of the gateways on loopback, to try Xinshi out."""

import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from producer.cli import failures, options, output

if TYPE_CHECKING:
    import asyncio

    from worker.gateways.base import Gateway
    from worker.sandbox import Config, RunningSandbox

_SECONDS = "SECONDS"


def register(app: typer.Typer) -> None:
    """Add the command."""
    options.command(
        app, "xinshi sandbox", "xinshi sandbox --port 8025 --ledger ledger.jsonl --report-delay 5"
    )(sandbox)


def sandbox(
    *,
    host: Annotated[str, typer.Option(help="A loopback address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free one.")] = 8025,
    ledger: Annotated[
        Path | None, typer.Option(help="What is really taken is written there, and continued.")
    ] = None,
    fsync: Annotated[str, typer.Option(help="each, group or none.")] = "each",
    report_delay: Annotated[float, typer.Option(min=0, metavar=_SECONDS)] = 0.2,
    late_delay: Annotated[float, typer.Option(min=0, metavar=_SECONDS)] = 5.0,
    reply_delay: Annotated[float, typer.Option(min=0, metavar=_SECONDS)] = 0.3,
    latency: Annotated[float, typer.Option(min=0, metavar=_SECONDS)] = 0.0,
    limits: Annotated[
        bool, typer.Option(help="Limits per number, where a gateway has them.")
    ] = True,
    seed: Annotated[int, typer.Option(help="Chance and identifiers follow from it.")] = 0,
    show_texts: Annotated[
        bool, typer.Option("--show-texts", help="Print each text that is taken.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Run the server side of every gateway on loopback, until Ctrl-C.

    It answers as the gateways' documents say, makes reports and replies, and sends nothing. It
    prints a configuration that is ready to use.
    """
    import asyncio

    from worker.sandbox import Config
    from worker.sandbox.text_printer import print_texts

    if fsync not in {"each", "group", "none"}:
        msg = "--fsync: choose each, group or none"
        raise typer.BadParameter(msg)
    setup: Any = {
        "ledger": ledger,
        "host": host,
        "port": port,
        "fsync": fsync,
        "report_delay": report_delay,
        "late_delay": late_delay,
        "reply_delay": reply_delay,
        "latency": latency,
        "limits": limits,
        "seed": seed,
        "on_taken": print_texts if show_texts else None,
    }
    if asyncio.run(_run(Config(**setup), as_json=as_json)) is signal.SIGINT:
        output.print_hint("the sandbox has stopped" + (f"; {ledger} is whole" if ledger else ""))
        raise typer.Exit(failures.INTERRUPTED)


async def _run(config: "Config", *, as_json: bool) -> signal.Signals:
    """Run the sandbox until a signal ends it; returns the signal."""
    import asyncio

    from worker.sandbox import serve

    ended: asyncio.Future[signal.Signals] = asyncio.get_running_loop().create_future()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(
            signal_number, _set_signal, ended, signal_number
        )
    running = await _start(config, serve)
    _print_announcement(running, as_json=as_json)
    received_signal = await ended
    await running.close()
    return received_signal


def _set_signal(ended: "asyncio.Future[signal.Signals]", signal_number: signal.Signals) -> None:
    if not ended.done():
        ended.set_result(signal_number)


async def _start(config: "Config", serve: Any) -> "RunningSandbox":
    """Start the sandbox; an address that cannot be used ends the command with an error."""
    try:
        running: RunningSandbox = await serve(config)
    except ValueError as error:
        msg = f"--host: {error}"
        raise typer.BadParameter(msg) from None
    except OSError as error:
        output.print_error(f"cannot listen on {config.host}:{config.port}: {error.strerror}")
        raise typer.Exit(failures.FAILED) from None
    return running


def _print_announcement(running: "RunningSandbox", *, as_json: bool) -> None:
    """Print where the sandbox listens, with a configuration for it."""
    from worker.gateways.registry import gateway_classes

    if as_json:
        urls = {name: running.url(name) for name in gateway_classes()}
        output.print_json({"base_url": running.base_url, "gateways": urls})
        return
    output.print_line(f"# the sandbox listens at {running.base_url}; Ctrl-C ends it")
    output.print_line("# xinshi.toml to try it with:")
    output.print_line(sandbox_configuration(running.base_url))


def sandbox_configuration(base_url: str) -> str:
    """Return a configuration with an account at each gateway of a sandbox, as TOML."""
    from worker.gateways.registry import gateway_classes
    from worker.sandbox.config import Config
    from worker.sandbox.sides import find
    from worker.sandbox.world import World

    sections = ['database_url = "sqlite:///xinshi.db"']
    gateways = gateway_classes()
    for name, side in find().items():
        if name in gateways:
            sample_account = side(World(Config())).accounts()[0]
            login = _login_settings(gateways[name], sample_account.name, sample_account.password)
            section = {"gateway": name, "base_url": f"{base_url}/{name}"} | login
            section["sending_hours"] = "any"
            lines = [
                f"{setting} = {json.dumps(setting_value)}"
                for setting, setting_value in section.items()
            ]
            sections.append("\n".join([f"[accounts.{name}]", *lines]))
    return "\n\n".join(sections)


def _login_settings(gateway: "type[Gateway]", name: str, password: str) -> dict[str, str]:
    """Return the settings that a gateway's account requires: its secrets and its login names."""
    from pydantic import SecretStr

    return {
        field.alias or key: password if field.annotation is SecretStr else name
        for key, field in gateway.Settings.model_fields.items()
        if field.is_required() and key not in {"gateway", "base_url"}
    }
