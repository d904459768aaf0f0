"""Options that several commands share, and how examples are written below their help."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from worker.domain.enums import MessageClass

Verb = TypeVar("Verb", bound=Callable[..., Any])

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The configuration; else XINSHI_CONFIG, else ./xinshi.toml.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="How many at the most.")]
AccountName = Annotated[
    str | None, typer.Option("--account", metavar="NAME", help="Only this account.")
]
Carrier = Annotated[
    str | None,
    typer.Option(
        "--account", metavar="NAME", help="The account that has to carry it; else one is chosen."
    ),
]
Class = Annotated[
    MessageClass,
    typer.Option("--class", help="What it is, and so what may be done with it."),
]
Key = Annotated[
    str | None,
    typer.Option("--key", help="Makes it one request, however often the command is repeated."),
]
At = Annotated[
    str | None,
    typer.Option("--at", metavar="TIME", help='Not before: "2026-11-22 08:00", "08:00", "+10m".'),
]
Until = Annotated[
    str | None,
    typer.Option("--until", metavar="TIME", help="Not after; what waits then is expired."),
]
Extension = Annotated[
    str | None, typer.Option("--extension", help="The sub-extension that leads replies home.")
]


def command(app: typer.Typer, *lines: str, name: str | None = None) -> Callable[[Verb], Verb]:
    """Add a function to an app as a command; its docstring is the help, `lines` the examples."""

    def add(verb: Verb) -> Verb:
        app.command(name, help=prose(verb.__doc__ or ""), epilog=examples(*lines))(verb)
        return verb

    return add


def prose(text: str) -> str:
    """Let the terminal break the lines of a docstring; paragraphs stay."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def examples(*lines: str) -> str:
    """Write commands as the end of a help page: one line each."""
    return "\n".join(["[bold]Examples[/bold]", *lines])
