"""Options that several commands share, and commands whose help is made from their docstring."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from producer.cli.value_names import NamedValuesCommand
from worker.domain.enums import MessageClass

Command = TypeVar("Command", bound=Callable[..., Any])

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
RequiredAccount = Annotated[
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
Why = Annotated[str | None, typer.Option("--why", help="The reason; events keep it.")]
Extension = Annotated[
    str | None, typer.Option("--extension", help="The sub-extension that leads replies home.")
]

Text = Annotated[str, typer.Option("--text", help="The text; - reads it from standard input.")]
Template = Annotated[
    str | None,
    typer.Option(
        "--template",
        help="A registered template, in a text's place; with --account also a gateway's own.",
    ),
]
Var = Annotated[
    list[str] | None,
    typer.Option("--var", metavar="NAME=VALUE", help="A value for {NAME} in the text or template."),
]
GatewayOption = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="NAME=VALUE", help="What only one gateway knows."),
]


def command(app: typer.Typer, *lines: str, name: str | None = None) -> Callable[[Command], Command]:
    """Return a decorator that adds a function to an app as a command.

    The function's docstring is the help, `lines` are the examples below it.
    """

    def add(function: Command) -> Command:
        app.command(
            name,
            cls=NamedValuesCommand,
            help=join_lines(function.__doc__ or ""),
            epilog=example_lines(*lines),
        )(function)
        return function

    return add


def join_lines(text: str) -> str:
    """Join the lines of each paragraph of a docstring, so that the terminal breaks them."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def example_lines(*lines: str) -> str:
    """Return the end of a help page: the heading "Examples" and one line for each command."""
    return "\n".join(["[bold]Examples[/bold]", *lines])
