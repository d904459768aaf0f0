"""Print tables, lines, JSON, errors and hints, in colour where a terminal shows colours.

Data goes to standard output, errors, hints and progress bars to standard error.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from producer.cli import console_encoding
from worker.domain.timezone import SHANGHAI

#: Columns of the output where it is no terminal: no line is cut.
UNCUT_WIDTH = 100_000
#: Colours of a cell's first word.
_STYLES = {
    "delivered": "green",
    "submitted": "green",
    "done": "green",
    "ok": "green",
    "undelivered": "red",
    "rejected": "red",
    "unknown": "yellow",
    "held": "yellow",
    "paused": "yellow",
    "expired": "red",
    "wrong": "red",
    "warning": "yellow",
}


def console(*, stderr: bool = False) -> Console:
    """Return a console that prints text as it is: no markup, no highlights, no emoji names."""
    text_console = Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not text_console.is_terminal:
        text_console.width = UNCUT_WIDTH
    return text_console


def is_attended() -> bool:
    """Tell whether a person at a terminal can be asked a question."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def print_line(text: str, style: str = "") -> None:
    """Print a line of data."""
    console().print(Text(text, style=style), soft_wrap=True)


def print_error(text: str) -> None:
    """Print on standard error what went wrong, as one line."""
    error_line = Text.assemble(("error: ", "bold red"), " ".join(text.split()))
    console(stderr=True).print(error_line, soft_wrap=True)


def print_warnings(warnings: Iterable[object]) -> None:
    """Print on standard error what is doubtful and held nothing up, one line each."""
    for warning in warnings:
        line = Text.assemble(("warning: ", "bold yellow"), " ".join(str(warning).split()))
        console(stderr=True).print(line, soft_wrap=True)


def print_hint(text: str) -> None:
    """Print on standard error what is worth knowing."""
    console(stderr=True).print(Text(text, style="dim"), soft_wrap=True)


def print_json(json_value: Any) -> None:
    """Print a value as indented JSON; its characters by their codes where the output lacks some."""
    written = json.dumps(json_value, ensure_ascii=False, indent=2)
    if not console_encoding.can_carry(written):
        written = json.dumps(json_value, indent=2)
    print_line(written)


def problems_json(problems: Iterable[Any]) -> list[dict[str, str]]:
    """Return problems, or warnings, as JSON shows them."""
    return [{"where": problem.where, "what": problem.what} for problem in problems]


def print_table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows under headers; None is an empty cell, a moment is written by `local_time`."""
    rich_table = Table(box=None, pad_edge=False, header_style="bold")
    for header in headers:
        rich_table.add_column(header, overflow="fold")
    for row in rows:
        rich_table.add_row(*map(_cell, row))
    console().print(rich_table)


def print_facts(facts: Mapping[str, Any]) -> None:
    """Print names and values, one line each, without those that are None or empty."""
    console().print(facts_table(facts))


def facts_table(facts: Mapping[str, Any]) -> Table:
    """Return the table that `print_facts` prints, for a display that is drawn again and again."""
    rich_table = Table(box=None, pad_edge=False, show_header=False)
    rich_table.add_column(style="bold")
    rich_table.add_column(overflow="fold")
    for name, fact in facts.items():
        if fact not in {None, ""}:
            rich_table.add_row(name, _cell(fact))
    return rich_table


def local_time(moment: datetime | None) -> str:
    """Write a moment in Asia/Shanghai, to the second."""
    return "" if moment is None else f"{moment.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"


def short_local_time(moment: datetime | None) -> str:
    """Write a moment in Asia/Shanghai without its year, for columns of a table."""
    return "" if moment is None else f"{moment.astimezone(SHANGHAI):%m-%d %H:%M:%S}"


def detail_line(detail: Mapping[str, Any]) -> str:
    """Return an event's detail in one line: `chances (bulk 0.8, jzy 0.2), out (v1 held)`."""
    return ", ".join(
        f"{name} ({detail_line(detail_value)})"
        if isinstance(detail_value, Mapping)
        else f"{name} {detail_value}"
        for name, detail_value in detail.items()
    )


@contextmanager
def progress_bar(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar while the block runs; lends the function that sets how much is done.

    Where standard error is no terminal, nothing is shown.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    stderr_console = console(stderr=True)
    if not stderr_console.is_terminal:
        yield lambda _rows: None
        return
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=stderr_console, transient=True) as progress:
        task = progress.add_task(label, total=total)
        yield lambda rows: progress.update(task, completed=rows)


def _cell(content: Any) -> Text:
    if isinstance(content, datetime):
        content = local_time(content)
    text = "" if content is None else str(content)
    # A word may stand before its details: "held: wrong password".
    return Text(text, style=_STYLES.get(text.partition(":")[0], ""))
