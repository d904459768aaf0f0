"""`python -m worker.sandbox`: a sandbox as a process of its own."""

import argparse
import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from worker.sandbox.config import Config
from worker.sandbox.running import RunningSandbox, serve
from worker.sandbox.text_printer import print_texts


def _parser() -> argparse.ArgumentParser:
    standard = Config()
    parser = argparse.ArgumentParser(prog="python -m worker.sandbox", description=__doc__)
    add_option = parser.add_argument
    add_option("--host", default=standard.host, help="a loopback address (default: %(default)s)")
    add_option("--port", type=int, default=standard.port, help="0 takes any free one, the default")
    add_option("--port-file", type=Path, help="write the port there when ready")
    add_option("--ledger", type=Path, help="the ledger, continued if it exists (default: none)")
    add_option("--fsync", choices=["each", "group", "none"], default=standard.fsync)
    add_option("--report-delay", type=float, default=standard.report_delay, metavar="SECONDS")
    add_option("--late-delay", type=float, default=standard.late_delay, metavar="SECONDS")
    add_option("--reply-delay", type=float, default=standard.reply_delay, metavar="SECONDS")
    add_option("--latency", type=float, default=standard.latency, metavar="SECONDS")
    add_option(
        "--limits",
        action=argparse.BooleanOptionalAction,
        default=standard.limits,
        help="ihuyi's limits per number (4080, 4082)",
    )
    add_option("--seed", type=int, default=standard.seed)
    add_option("--show-texts", action="store_true", help="print each text that is taken")
    add_option("--quiet", action="store_true", help="do not print the base URL")
    return parser


async def _run(config: Config, options: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    stop_event = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop_event.set)
    running = await serve(config)
    _announce(running, options)
    await stop_event.wait()
    await running.close()


def _announce(running: RunningSandbox, options: argparse.Namespace) -> None:
    if options.port_file is not None:
        partial_file = options.port_file.with_name(options.port_file.name + ".part")
        partial_file.write_text(f"{running.port}\n", "ascii")
        partial_file.replace(options.port_file)
    if not options.quiet:
        # The process that started this one may have closed the pipe.
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.write(f"{running.base_url}\n")
            sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; return the exit code, 2 when the sandbox could not start."""
    options = _parser().parse_args(arguments)
    config = Config(
        ledger=options.ledger,
        host=options.host,
        port=options.port,
        fsync=options.fsync,
        report_delay=options.report_delay,
        late_delay=options.late_delay,
        reply_delay=options.reply_delay,
        latency=options.latency,
        limits=options.limits,
        seed=options.seed,
        on_taken=print_texts if options.show_texts else None,
    )
    # Little here is ever garbage: looking for it less often is worth a tenth of the speed.
    gc.set_threshold(50_000, 20, 20)
    try:
        asyncio.run(_run(config, options))
    except (OSError, ValueError, RuntimeError) as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
