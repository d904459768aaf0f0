"""`xinshi show`, `cancel` and `messages`: what became of them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from producer.cli import options, output, times
from producer.cli.session import opened
from worker.domain.enums import MessageState

if TYPE_CHECKING:
    from worker.intake.lookup import History, Message

_Id = Annotated[str, typer.Argument(metavar="ID", help="The message, as 17-0.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    options.command(
        app,
        "xinshi messages --to 13812345678          (did she get the code?)",
        "xinshi messages --state unknown --since 2h",
        "xinshi messages --campaign 17 --state undelivered --json",
    )(messages)
    options.command(app, "xinshi show 17-0", "xinshi show 17-0 --json")(show)
    options.command(app, "xinshi cancel 17-0")(cancel)


def show(message_id: _Id, *, as_json: options.Json = False, config: options.Config = None) -> None:
    """Show a message and all that happened to it: submissions, reports, events."""
    with opened(config) as here:
        from worker.intake import lookup

        found = lookup.history(here.engine, message_id)
    if as_json:
        output.as_json(found.as_json())
    else:
        _history(found)


def cancel(
    message_id: _Id, *, as_json: options.Json = False, config: options.Config = None
) -> None:
    """Take a message back that was not handed over yet."""
    with opened(config) as here:
        from worker.intake import lookup

        found = lookup.cancel(here.engine, message_id)
    if as_json:
        output.as_json(found.as_json())
    else:
        output.line(f"message {found.id} is cancelled; it was not sent and will not be")


def messages(
    *,
    to: Annotated[
        str | None, typer.Option("--to", metavar="NUMBER", help="Only to this number.")
    ] = None,
    state: Annotated[
        MessageState | None, typer.Option("--state", help="Only in this state.")
    ] = None,
    account: options.AccountName = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help='Stored since: "2h", "08:00", "2026-11-22".'),
    ] = None,
    campaign: Annotated[
        int | None, typer.Option("--campaign", metavar="ID", help="Those of a campaign.")
    ] = None,
    limit: options.Limit = 20,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """List messages, the newest first; those of a campaign only with --campaign."""
    moment = times.before(since, "--since")
    filters: dict[str, Any] = {
        "msisdn": to and number(to, "--to"),
        "state": state and state.value,
        "account": account,
        "since": moment,
        "request_id": campaign,
    }
    with opened(config) as here:
        from worker.intake import campaigns, lookup

        if campaign is not None:
            campaigns.show(here.engine, campaign)
        found = lookup.search(here.engine, limit, filters)
    if as_json:
        output.as_json([one.as_json() for one in found])
    elif found:
        _table(found)
        if len(found) == limit:
            output.hint(f"these are the newest {limit}; --limit shows more")
    else:
        output.hint("no message fits" + ("" if campaign else "; --campaign ID looks into one"))


def number(given: str, option: str) -> str:
    """Bring a number to its one form, or raise `typer.BadParameter` naming the option."""
    from worker.domain import msisdn

    try:
        return msisdn.normalise(given)
    except ValueError as error:
        msg = f"{option}: {error}"
        raise typer.BadParameter(msg) from None


def _table(found: "list[Message]") -> None:
    headers = ("id", "number", "class", "state", "account", "code", "stored", "ended")
    rows = [
        (
            one.id,
            one.msisdn,
            one.message_class.value,
            one.state.value,
            one.account,
            one.code,
            output.brief(one.created_at),
            output.brief(one.finished_at or one.submitted_at),
        )
        for one in found
    ]
    output.table(headers, rows)


def _history(found: "History") -> None:
    one = found.message
    output.facts(
        {
            "message": one.id,
            "number": one.msisdn,
            "state": one.state.value,
            "class": one.message_class.value,
            "account": one.account,
            "code": " ".join(filter(None, [one.code, one.code_text])),
            "gateway's id": one.gateway_id,
            "segments": one.segments,
            "attempts": one.attempts,
            "campaign": one.campaign,
            "stored": one.created_at,
            "submitted": one.submitted_at,
            "finished": one.finished_at,
            "no longer awaited": one.closed_at,
        }
    )
    headers = ("when", "what", "who", "says")
    output.line("")
    output.table(headers, sorted(_steps(found), key=lambda step: step[0]))


def _steps(found: "History") -> list[tuple[Any, ...]]:
    """Bring submissions, reports and events into one order of time."""
    steps: list[tuple[Any, ...]] = [(found.message.created_at, "stored", None, None)]
    for row in found.submissions:
        if row.called_at:
            steps.append((row.called_at, f"submission {row.id} called", row.account, None))
        answered = row.answered_at or row.called_at or row.created_at
        said = " ".join(filter(None, [row.code, row.words]))
        steps.append((answered, f"submission {row.id} {row.state}", row.account, said))
    for row in found.reports:
        said = " ".join(filter(None, [row.code, row.words]))
        steps.append((row.received_at, f"report {row.status}", row.account, said))
    happened = [(row.at, row.name, row.who, said_of(row.detail or {})) for row in found.events]
    return [*steps, *happened]


def said_of(detail: Mapping[str, Any]) -> str:
    """Write an event's detail in one line: `chances (bulk 0.8, jzy 0.2), out (v1 held)`."""
    return ", ".join(
        f"{name} ({said_of(value)})" if isinstance(value, Mapping) else f"{name} {value}"
        for name, value in detail.items()
    )
