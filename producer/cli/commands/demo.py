"""`xinshi demo`: the whole path on this machine, checked against the sandbox's ledger."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from producer.cli import failures, options, output

if TYPE_CHECKING:
    from producer.local.demo import DemoLine, Watch

_WORDS = {
    "send": "single texts stored",
    "campaign": "campaign submitted",
    "reports": "states reached",
    "replies": "replies collected",
}
_COLUMNS = ("account", "gateway", "messages", "in the ledger", "states", "replies", "agrees")


def register(app: typer.Typer) -> None:
    """Add the command."""
    options.command(app, "xinshi demo", "xinshi demo --keep demo")(demo)


def demo(
    *,
    keep: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Run in this new folder and leave it there."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Send through all gateways of the sandbox, and compare with what they really took.

    An embedded broker, SQLite, the workers and a sandbox are started on this machine; a text goes
    through each gateway, and a campaign of 10,000 recipients; reports and replies are collected.
    The table at the end is checked against the sandbox's ledger: exit code 0 only if they agree.
    """
    from producer.local import demo as demo_module
    from worker.runtime import logs

    logs.configure("ERROR")
    with _folder(keep) as folder, _watching() as watch:
        lines = demo_module.run(folder, watch)
    if as_json:
        output.as_json([_as_json(line) for line in lines])
    else:
        output.table(_COLUMNS, [_row(line) for line in lines])
    problems = [f"{line.account}: {problem}" for line in lines for problem in line.problems]
    for problem in problems:
        output.error(problem)
    if problems:
        raise typer.Exit(failures.FAILED)
    if not as_json:
        taken = sum(line.in_ledger for line in lines)
        output.line(f"{taken} messages, each in the ledger once: the database and it agree.")


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True)
        yield keep
        output.hint(f"everything is in {keep}")
        return
    with tempfile.TemporaryDirectory(prefix="xinshi-demo-") as folder:
        yield Path(folder)


@contextlib.contextmanager
def _watching() -> Iterator["Watch"]:
    """Show bars on a terminal, and a line for each finished step elsewhere."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = output.console(stderr=True)
    shown = Progress(
        TextColumn("{task.description:20}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    with shown:
        tasks = {step: shown.add_task(words, total=None) for step, words in _WORDS.items()}
        told: set[str] = set()

        def watch(step: str, done: int, total: int) -> None:
            shown.update(tasks[step], completed=done, total=total)
            if done >= total and step not in told:
                told.add(step)
                if not console.is_terminal:
                    output.hint(f"{_WORDS[step]}: {done} of {total}")

        yield watch


def _row(line: "DemoLine") -> list[str]:
    states = ", ".join(f"{count} {state}" for state, count in sorted(line.states.items()))
    return [
        line.account,
        line.gateway,
        str(line.messages),
        str(line.in_ledger),
        states,
        str(line.replies),
        "no" if line.problems else "yes",
    ]


def _as_json(line: "DemoLine") -> dict[str, object]:
    return {
        "account": line.account,
        "gateway": line.gateway,
        "messages": line.messages,
        "in_ledger": line.in_ledger,
        "states": dict(line.states),
        "replies": line.replies,
        "problems": line.problems,
    }
