"""All commands together: each module has a function `register` that adds its own."""

from typing import Annotated

import typer

from producer.cli import (
    failures,
    options,
    output,
    session,
)
from producer.cli.commands import (
    accounts,
    callbacks,
    campaign_create,
    campaigns,
    collect,
    demo,
    doctor,
    keys,
    messages,
    migrate,
    route,
    sandbox,
    send,
    settle,
    up,
    verify,
    web,
)

app = typer.Typer(
    name="xinshi",
    cls=failures.Root,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=options.prose("""
        Send text messages through Chinese SMS gateways, and see what became of them.

        Times are in Asia/Shanghai. Exit codes: 0 done, 1 failed, 2 wrong usage, input or
        configuration, 130 interrupted.
    """),
    epilog=options.examples(
        "xinshi migrate",
        'xinshi send --to 13812345678 --text "【Shop】Your code is 4711" --class otp',
        "xinshi messages --to 13812345678",
        'xinshi campaign create --text "【Shop】Hi {name} …" --recipients people.csv',
        "xinshi doctor",
    ),
)


def _print_version(asked: bool) -> None:  # noqa: FBT001 - typer hands the flag over by position
    if asked:
        output.line(f"xinshi {_installed()}")
        raise typer.Exit


def _installed() -> str:
    from importlib import metadata

    try:
        return metadata.version("xinshi")
    except metadata.PackageNotFoundError:
        return "(not installed)"


@app.callback()
def _root(
    *,
    config: options.Config = None,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Send text messages through Chinese SMS gateways, and see what became of them."""
    session.Chosen.config = config


for module in (
    up,
    web,
    demo,
    migrate,
    sandbox,
    send,
    messages,
    campaigns,
    campaign_create,
    collect,
    accounts,
    route,
    keys,
    settle,
    verify,
    callbacks,
    doctor,
):
    module.register(app)
