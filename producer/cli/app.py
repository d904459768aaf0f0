"""The Typer app with all commands, which the `register` function of each command module adds."""

from typing import Annotated

import typer

from producer.cli import failures, options, output
from producer.cli.commands import (
    accounts,
    callbacks,
    campaign_create,
    campaigns,
    collect,
    demo,
    doctor,
    events,
    init,
    keys,
    messages,
    migrate,
    opt_out,
    opt_out_replies,
    password,
    push_url,
    route,
    sandbox,
    secret,
    send,
    settle,
    signatures,
    stops,
    templates,
    up,
    verify,
    web,
)
from producer.cli.session import GlobalOptions

app = typer.Typer(
    name="xinshi",
    cls=failures.RootGroup,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=options.join_lines("""
        Send text messages through Chinese SMS gateways, and see what became of them.

        Times are in Asia/Shanghai. Exit codes: 0 done, 1 failed, 2 wrong usage, input or
        configuration, 130 interrupted.
    """),
    epilog=options.example_lines(
        "xinshi migrate",
        'xinshi send --to 13812345678 --text "【Shop】Your code is 4711" --class otp',
        "xinshi messages --to 13812345678",
        'xinshi campaign create --text "【Shop】Hi {name} …" --recipients people.csv',
        "xinshi doctor",
    ),
)


def _print_version(is_requested: bool) -> None:  # noqa: FBT001 - typer hands the flag over by position
    if is_requested:
        output.print_line(f"xinshi {_installed_version()}")
        raise typer.Exit


def _installed_version() -> str:
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
    GlobalOptions.config = config


#: In the order of `xinshi --help`.
COMMANDS = (
    *(init, up, web, demo, migrate, sandbox),
    *(send, messages, campaigns, campaign_create, collect, opt_out, opt_out_replies),
    *(templates, signatures),
    *(accounts, password, push_url, route, keys, secret),
    *(stops, settle, verify, events, callbacks, doctor),
)
for module in COMMANDS:
    module.register(app)
