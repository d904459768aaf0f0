"""`xinshi send`: one text to a few numbers."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from producer.cli import (
    failures,
    options,
    output,
    times,
)
from producer.cli.session import Session, opened
from worker.domain.enums import MessageClass

if TYPE_CHECKING:
    from worker.intake.enqueue import EnqueueRequest
    from worker.intake.lookup import Message

_To = Annotated[
    list[str],
    typer.Option("--to", metavar="N[,N…]", help="The numbers; the option can be repeated."),
]
Text = Annotated[str, typer.Option("--text", help="The text; - reads it from standard input.")]
Template = Annotated[
    str | None, typer.Option("--template", help="A template of the gateway's, in a text's place.")
]
Var = Annotated[
    list[str] | None,
    typer.Option("--var", metavar="NAME=VALUE", help="A value for {NAME} in the text or template."),
]
Option = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="NAME=VALUE", help="What only one gateway knows."),
]
_DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would happen; store and send nothing.")
]
_Wait = Annotated[
    float | None,
    typer.Option(
        "--wait",
        metavar="SECONDS",
        min=0,
        help="Wait for the end of every message; exit 0 if all went well.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    options.command(
        app,
        'xinshi send --to 13812345678 --text "【Shop】Your code is 4711" --class otp',
        'xinshi send --to 13812345678,13912345678 --text "【Shop】Closed today" --at 08:00',
        "xinshi send --to 13812345678 --text - < text.txt",
        'xinshi send --to 13812345678 --text "【Shop】Hello {name}" --var name=Anna --dry-run',
        'xinshi send --to 13812345678 --text "【Shop】Hello" --wait 20 --json',
    )(send)


def send(
    *,
    to: _To,
    text: Text = "",
    message_class: options.Class = MessageClass.NOTICE,
    account: options.Carrier = None,
    key: options.Key = None,
    at: options.At = None,
    until: options.Until = None,
    extension: options.Extension = None,
    template: Template = None,
    var: Var = None,
    option: Option = None,
    dry_run: _DryRun = False,
    wait: _Wait = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Store a text for one or more numbers; workers (`xinshi up`) send it.

    Once the command returns, the messages are stored: they are sent when a worker runs, if none
    does now. With --wait the exit code is 0 if all were submitted or delivered, 1 otherwise.
    """
    words: dict[str, Any] = {
        "message_class": message_class,
        "account": account,
        "key": key,
        "not_before": times.ahead(at, "--at"),
        "not_after": times.ahead(until, "--until"),
        "extension": extension,
        "template": template,
        "variables": pairs(var, "--var") or None,
        "options": options_of(option) or None,
    }
    with opened(config) as here:
        from worker.intake.enqueue import EnqueueRequest

        order = EnqueueRequest(numbers(to), body(text), **words)
        if dry_run:
            _preview(here, order, as_json=as_json)
        else:
            _send(here, order, wait, as_json=as_json)


def numbers(given: Sequence[str]) -> list[str]:
    """Part lists of numbers at their commas, of whatever width."""
    return [one.strip() for each in given for one in re.split(r"[,;，；、]", each) if one.strip()]


def body(text: str) -> str:
    """Return the text, or what stands on standard input for `-`."""
    if text != "-":
        return text
    try:
        read: str = typer.get_text_stream("stdin", "utf-8", "strict").read()
    except UnicodeDecodeError:
        msg = "--text: standard input is not UTF-8"
        raise typer.BadParameter(msg) from None
    return read.removesuffix("\n").removesuffix("\r")


def pairs(given: Sequence[str] | None, option: str) -> dict[str, str]:
    """Read `NAME=VALUE` words."""
    found = {}
    for one in given or ():
        name, equals, value = one.partition("=")
        if not (equals and name.strip()):
            msg = f"{option}: write NAME=VALUE"
            raise typer.BadParameter(msg)
        found[name.strip()] = value
    return found


def options_of(given: Sequence[str] | None) -> Mapping[str, Any]:
    """Read `NAME=VALUE` words, of which `true` and `false` are what they say."""
    known = {"true": True, "false": False}
    return {name: known.get(value, value) for name, value in pairs(given, "--option").items()}


def _preview(here: Session, order: "EnqueueRequest", *, as_json: bool) -> None:
    from producer.cli.preview import preview
    from worker.store import accounts
    from worker.store.db import database

    found = preview(here.settings, order)
    with database.reading(here.engine) as connection:
        states = accounts.states(connection, here.settings.logins)
    shown = found.as_json(states)
    if as_json:
        output.as_json(shown)
    else:
        for problem in found.problems:
            output.error(str(problem))
        _carriers(shown)
    if found.problems:
        raise typer.Exit(failures.USAGE)


def _carriers(shown: Mapping[str, Any]) -> None:
    if not shown["problems"]:
        output.line(f"{shown['messages']} message(s) would be stored; any of these can carry them:")
    rows = [
        (
            one["name"],
            one["gateway"],
            one["segments"],
            "; ".join(one["problems"]) or ("held" if one["held"] else "ok"),
        )
        for one in shown["accounts"]
    ]
    output.table(("account", "gateway", "segments each", "can carry it"), rows)


def _send(here: Session, order: "EnqueueRequest", wait: float | None, *, as_json: bool) -> None:
    from worker.intake import enqueue, lookup

    checked = enqueue.check(here.settings, order)
    done = enqueue.commit(here.engine, lambda own, again: enqueue.store(own, checked, again))
    ids = list(dict.fromkeys(done.ids))
    if done.repeated:
        output.hint("this key was used before for the same request: nothing new was stored")
    else:
        here.ring(order.message_class, "stored")
    if wait is None:
        _show(lookup.many(here.engine, ids), as_json=as_json)
        return
    with failures.interruptible(lambda: _goes_on(ids)):
        found = _wait(here, ids, wait)
    _show(found, as_json=as_json)
    _judge(here, found)


def _wait(here: Session, ids: list[str], seconds: float) -> "list[Message]":
    from producer.cli import message_wait

    console = output.console(stderr=True)
    if not console.is_terminal:
        return message_wait.until_settled(here.engine, here.settings, ids, seconds, output.hint)
    with console.status("stored") as status:
        return message_wait.until_settled(here.engine, here.settings, ids, seconds, status.update)


def _judge(here: Session, found: "list[Message]") -> None:
    """Say what is still open, and end with 1 unless all went well."""
    from producer.cli import message_wait

    still = [one for one in found if not message_wait.settled(one, here.settings)]
    if still:
        output.hint(f"the time is over: {message_wait.summary(still)}; {_goes_on([still[0].id])}")
    if not message_wait.went_well(found, here.settings):
        raise typer.Exit(failures.FAILED)


def _goes_on(ids: Sequence[str]) -> str:
    which = f"message {ids[0]} is" if len(ids) == 1 else f"{len(ids)} messages are"
    return f"{which} stored and on the way without this command; `xinshi show {ids[0]}`"


def _show(found: "list[Message]", *, as_json: bool) -> None:
    if as_json:
        output.as_json({"messages": [one.as_json() for one in found]})
        return
    rows = [
        (one.id, one.msisdn, one.state.value, one.account, one.code, one.code_text) for one in found
    ]
    output.table(("id", "number", "state", "account", "code", "says the gateway"), rows)
