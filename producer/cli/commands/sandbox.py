"""`xinshi sandbox`: the gateways' server sides on loopback, for whoever has no account yet."""

import asyncio
import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from producer.cli import failures, options, output

if TYPE_CHECKING:
    from worker.gateways.base import Gateway
    from worker.sandbox import Config, Running

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
    as_json: options.Json = False,
) -> None:
    """Run the server side of every gateway on loopback, until Ctrl-C.

    It answers as the gateways' documents say, makes reports and replies, and sends nothing. It
    prints a configuration that is ready to use.
    """
    from worker.sandbox import Config

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
    }
    if asyncio.run(_run(Config(**setup), as_json=as_json)) is signal.SIGINT:
        output.hint("the sandbox has stopped" + (f"; {ledger} is whole" if ledger else ""))
        raise typer.Exit(failures.INTERRUPTED)


async def _run(config: "Config", *, as_json: bool) -> signal.Signals:
    """Run until a signal ends it, and return that."""
    from worker.sandbox import serve

    ended: asyncio.Future[signal.Signals] = asyncio.get_running_loop().create_future()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _end, ended, number)
    running = await _started(config, serve)
    _announce(running, as_json=as_json)
    by = await ended
    await running.close()
    return by


def _end(ended: "asyncio.Future[signal.Signals]", number: signal.Signals) -> None:
    if not ended.done():
        ended.set_result(number)


async def _started(config: "Config", serve: Any) -> "Running":
    try:
        running: Running = await serve(config)
    except ValueError as error:
        msg = f"--host: {error}"
        raise typer.BadParameter(msg) from None
    except OSError as error:
        output.error(f"cannot listen on {config.host}:{config.port}: {error.strerror}")
        raise typer.Exit(failures.FAILED) from None
    return running


def _announce(running: "Running", *, as_json: bool) -> None:
    from worker.gateways.registry import registered

    if as_json:
        urls = {name: running.url(name) for name in registered()}
        output.as_json({"base_url": running.base_url, "gateways": urls})
        return
    output.line(f"# the sandbox listens at {running.base_url}; Ctrl-C ends it")
    output.line("# xinshi.toml to try it with:")
    output.line(configuration(running.base_url))


def configuration(base_url: str) -> str:
    """Return a configuration with an account at each gateway of a sandbox, as TOML."""
    from worker.gateways.registry import registered
    from worker.sandbox.config import Config
    from worker.sandbox.sides import find
    from worker.sandbox.world import World

    parts = ['database_url = "sqlite:///xinshi.db"']
    gateways = registered()
    for name, side in find().items():
        if name in gateways:
            first = side(World(Config())).accounts()[0]
            login = _login(gateways[name], first.name, first.password)
            section = {"gateway": name, "base_url": f"{base_url}/{name}"} | login
            section["sending_hours"] = "any"
            lines = [f"{key} = {json.dumps(value)}" for key, value in section.items()]
            parts.append("\n".join([f"[accounts.{name}]", *lines]))
    return "\n\n".join(parts)


def _login(gateway: "type[Gateway]", name: str, password: str) -> dict[str, str]:
    """Fill in what an account of a gateway has to say: the secret, and who it belongs to."""
    from pydantic import SecretStr

    return {
        field.alias or key: password if field.annotation is SecretStr else name
        for key, field in gateway.Settings.model_fields.items()
        if field.is_required() and key not in {"gateway", "base_url"}
    }
