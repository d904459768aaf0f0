"""What commands print: tables, JSON, errors; colours only where a terminal shows them.

Data goes to standard output, everything else to standard error.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table
from rich.text import Text

SHANGHAI = ZoneInfo("Asia/Shanghai")
#: Where nobody looks, no line is cut.
_WIDE = 100_000
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
}


def console(*, stderr: bool = False) -> Console:
    """Return a console that prints words as they are: no markup, no highlights, no emoji names."""
    made = Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not made.is_terminal:
        made.width = _WIDE
    return made


def is_attended() -> bool:
    """Tell whether somebody sits at a terminal, who can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def line(text: str, style: str = "") -> None:
    """Print a line of data."""
    console().print(Text(text, style=style), soft_wrap=True)


def error(text: str) -> None:
    """Say on standard error what went wrong."""
    said = Text.assemble(("error: ", "bold red"), " ".join(text.split()))
    console(stderr=True).print(said, soft_wrap=True)


def hint(text: str) -> None:
    """Say on standard error what is worth knowing."""
    console(stderr=True).print(Text(text, style="dim"), soft_wrap=True)


def as_json(data: Any) -> None:
    """Print data as JSON."""
    line(json.dumps(data, ensure_ascii=False, indent=2))


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows under headers; None is an empty cell, a moment is shown as `local` does."""
    console().print(made(headers, rows))


def made(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """Return rows under headers as a table that something else prints."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for header in headers:
        shown.add_column(header, overflow="fold")
    for row in rows:
        shown.add_row(*map(_cell, row))
    return shown


def facts(pairs: Mapping[str, Any]) -> None:
    """Print names and values, one line each; what is None or empty is left out."""
    console().print(facts_made(pairs))


def facts_made(pairs: Mapping[str, Any]) -> Table:
    """Return names and values as a table that something else prints."""
    shown = Table(box=None, pad_edge=False, show_header=False)
    shown.add_column(style="bold")
    shown.add_column(overflow="fold")
    for name, value in pairs.items():
        if value not in {None, ""}:
            shown.add_row(name, _cell(value))
    return shown


def local(moment: datetime | None) -> str:
    """Write a moment in Asia/Shanghai, to the second."""
    return "" if moment is None else f"{moment.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"


def brief(moment: datetime | None) -> str:
    """Write a moment in Asia/Shanghai without its year, where many stand below each other."""
    return "" if moment is None else f"{moment.astimezone(SHANGHAI):%m-%d %H:%M:%S}"


@contextmanager
def bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Lend a function that moves a progress bar; without a terminal there is none."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    here = console(stderr=True)
    if not here.is_terminal:
        yield lambda _rows: None
        return
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=here, transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda rows: progress.update(task, completed=rows)


def _cell(value: Any) -> Text:
    text = local(value) if isinstance(value, datetime) else "" if value is None else str(value)
    # A word may stand before its details: "held: wrong password".
    return Text(text, style=_STYLES.get(text.partition(":")[0], ""))
