"""`xinshi demo`: run the whole path on this machine, and compare it with the sandbox's ledger."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from producer.cli import failures, options, output

if TYPE_CHECKING:
    from producer.local.demo import DemoLine, ShowProgress

_STEP_LABELS = {
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
    from producer.local.demo import run_demo
    from worker.runtime import logs

    logs.configure("ERROR")
    with _demo_folder(keep) as folder, _progress_bars() as show_progress:
        lines = run_demo(folder, show_progress)
    if as_json:
        output.print_json([_line_json(line) for line in lines])
    else:
        output.print_table(_COLUMNS, [_line_row(line) for line in lines])
    problems = [f"{line.account}: {problem}" for line in lines for problem in line.problems]
    for problem in problems:
        output.print_error(problem)
    if problems:
        raise typer.Exit(failures.FAILED)
    if not as_json:
        taken_count = sum(line.in_ledger for line in lines)
        output.print_line(
            f"{taken_count} messages, each in the ledger once: the database and it agree."
        )


@contextlib.contextmanager
def _demo_folder(keep: Path | None) -> Iterator[Path]:
    """Lend the folder `keep`, which must be new, or a temporary one."""
    if keep is not None:
        keep.mkdir(parents=True)
        yield keep
        output.print_hint(f"everything is in {keep}")
        return
    with tempfile.TemporaryDirectory(prefix="xinshi-demo-") as folder:
        yield Path(folder)


@contextlib.contextmanager
def _progress_bars() -> Iterator["ShowProgress"]:
    """Show a bar for each step on a terminal, or else a line for each finished step.

    Lends the function that the demo calls with (step, done, total).
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = output.console(stderr=True)
    progress = Progress(
        TextColumn("{task.description:20}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    with progress:
        tasks = {step: progress.add_task(label, total=None) for step, label in _STEP_LABELS.items()}
        reported_steps: set[str] = set()

        def show_progress(step: str, done_count: int, total: int) -> None:
            progress.update(tasks[step], completed=done_count, total=total)
            if done_count >= total and step not in reported_steps:
                reported_steps.add(step)
                if not console.is_terminal:
                    output.print_hint(f"{_STEP_LABELS[step]}: {done_count} of {total}")

        yield show_progress


def _line_row(line: "DemoLine") -> list[str]:
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


def _line_json(line: "DemoLine") -> dict[str, object]:
    return {
        "account": line.account,
        "gateway": line.gateway,
        "messages": line.messages,
        "in_ledger": line.in_ledger,
        "states": dict(line.states),
        "replies": line.replies,
        "problems": line.problems,
    }
