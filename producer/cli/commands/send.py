"""`xinshi send`: store a text for a few numbers, and wait for the outcome if asked to."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from producer.cli import failures, options, output, parsing, stored_send, times
from producer.cli.session import Session, open_session
from worker.domain.enums import MessageClass

if TYPE_CHECKING:
    from worker.intake.enqueue_request import EnqueueRequest
    from worker.intake.send_preview import SendPreview
    from worker.store.accounts import AccountState

_To = Annotated[
    list[str],
    typer.Option(
        "--to",
        metavar="N[,N…]",
        help="The numbers; the option can be repeated, - reads them from standard input.",
    ),
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
        'printf "%s\\n" "$number" "$text" | xinshi send --to - --text - --class otp',
        'xinshi send --to 13812345678 --text "【Shop】Hello {name}" --var name=Anna --dry-run',
        'xinshi send --to 13812345678 --text "【Shop】Hello" --wait 20 --json',
    )(send)


def send(
    *,
    to: _To,
    text: options.Text = "",
    message_class: options.Class = MessageClass.NOTICE,
    account: options.RequiredAccount = None,
    key: options.Key = None,
    at: options.At = None,
    until: options.Until = None,
    extension: options.Extension = None,
    template: options.Template = None,
    var: options.Var = None,
    option: options.GatewayOption = None,
    dry_run: _DryRun = False,
    wait: _Wait = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Store a text for one or more numbers; workers (`xinshi up`) send it.

    Once the command returns, the messages are stored: they are sent when a worker runs, if none
    does now. With --wait the exit code is 0 if all were submitted or delivered, 1 otherwise.

    In a script let numbers and texts come from standard input: other users of the machine see a
    command line. With both --to - and --text - the first line holds the numbers, the rest the text.
    """
    request_options: dict[str, Any] = {
        "message_class": message_class,
        "account": account,
        "key": key,
        "not_before": times.parse_future(at, "--at"),
        "not_after": times.parse_future(until, "--until"),
        "extension": extension,
        "template": template,
        "variables": parsing.name_value_pairs(var, "--var") or None,
        "options": parsing.gateway_options(option) or None,
    }
    with open_session(config) as session:
        from worker.intake.enqueue_request import EnqueueRequest

        request = EnqueueRequest(*parsing.numbers_and_text(to, text), **request_options)
        if dry_run:
            _print_preview(session, request, as_json=as_json)
        else:
            stored_send.store_and_wait(session, request, wait, as_json=as_json)


def _print_preview(session: Session, request: "EnqueueRequest", *, as_json: bool) -> None:
    """Print what the request would store and who can carry it; exit with 2 on problems."""
    from worker.intake.send_preview import preview_request
    from worker.store import accounts
    from worker.store.db import database

    preview = preview_request(session.engine, session.settings, request)
    with database.reading(session.engine) as connection:
        states = accounts.states(connection, session.settings.logins)
    preview_json = _preview_json(preview, states)
    if as_json:
        output.print_json(preview_json)
    else:
        output.print_warnings(preview.warnings)
        for problem in preview.problems:
            output.print_error(str(problem))
        _print_accounts(preview_json)
    if preview.problems:
        raise typer.Exit(failures.USAGE)


def _preview_json(preview: "SendPreview", states: "Mapping[str, AccountState]") -> dict[str, Any]:
    """Return a preview as JSON shows it."""
    return {
        "messages": preview.messages,
        "problems": output.problems_json(preview.problems),
        "warnings": output.problems_json(preview.warnings),
        "accounts": [
            {
                "name": carrier.account.name,
                "gateway": carrier.account.gateway.name,
                "segments": carrier.segments,
                "held": carrier.account.name in states and states[carrier.account.name].held,
                "problems": [problem.what for problem in carrier.problems],
            }
            for carrier in preview.accounts
        ],
    }


def _print_accounts(preview_json: Mapping[str, Any]) -> None:
    if not preview_json["problems"]:
        output.print_line(
            f"{preview_json['messages']} message(s) would be stored; any of these can carry them:"
        )
    rows = [
        (
            account["name"],
            account["gateway"],
            account["segments"],
            "; ".join(account["problems"]) or ("held" if account["held"] else "ok"),
        )
        for account in preview_json["accounts"]
    ]
    output.print_table(("account", "gateway", "segments each", "can carry it"), rows)
