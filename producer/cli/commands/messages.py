"""`xinshi messages`, `show` and `cancel`: find messages, show their history, take them back."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from producer.cli import options, output, parsing, times
from producer.cli.session import Session, open_session, operator_name
from worker.domain.enums import MessageState

if TYPE_CHECKING:
    from worker.intake.lookup import History, Message
    from worker.store.intake.campaign_numbers import Unsearched

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
    with open_session(config) as session:
        from producer.waiting import wait_reasons, waits
        from worker.intake import lookup

        history = lookup.history(session.engine, message_id)
        text = lookup.shown_text(session.engine, message_id)
        reasons = waits.of_message(session.engine, session.settings, history.message)
    if as_json:
        waits_json = {"waits_for": wait_reasons.as_json(reasons)}
        output.print_json(history.as_json() | {"text": text} | waits_json)
    else:
        _print_history(history, text, wait_reasons.sentences(reasons))


def cancel(
    message_id: _Id,
    *,
    why: options.Why = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Take a message back that was not handed over yet."""
    with open_session(config) as session:
        from worker.intake import lookup

        message = lookup.cancel(session.engine, message_id, who=operator_name(), why=why)
    if as_json:
        output.print_json(message.as_json())
    else:
        output.print_line(f"message {message.id} is cancelled; it was not sent and will not be")


def messages(
    *,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="NUMBER", help="Only to this number; - reads it from standard input."
        ),
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
    """List messages, the newest first; those of campaigns with --to, --campaign, --state unknown.

    A campaign is found by --to some minutes after it was loaded; until then that is said.
    """
    stored_since = times.parse_past(since, "--since")
    filters: dict[str, Any] = {
        "msisdn": to and parsing.msisdn(to, "--to"),
        "state": state and state.value,
        "account": account,
        "since": stored_since,
        "request_id": campaign,
    }
    with open_session(config) as session:
        from worker.intake import campaigns, lookup

        if campaign is not None:
            campaigns.show(session.engine, campaign)
        matches = lookup.search(session.engine, limit, filters)
        unsearched = lookup.unsearched(session.engine, filters)
        waiting = [] if as_json else _wait_lines(session, matches)
    if as_json:
        output.print_json([message.as_json() for message in matches])
    elif matches:
        _print_messages(matches)
        for line in waiting:
            output.print_hint(line)
        if len(matches) == limit:
            output.print_hint(f"these are the newest {limit}; --limit shows more")
    else:
        looks_into_none = campaign is None and to is None
        output.print_hint(
            "no message fits" + ("; --campaign ID looks into one" if looks_into_none else "")
        )
    if unsearched.count:
        output.print_hint(_unsearched_line(unsearched))


def _unsearched_line(unsearched: "Unsearched") -> str:
    since = output.short_local_time(unsearched.since)
    return (
        f"{unsearched.count_text} campaign(s), the oldest of {since}, are not searched by number"
        " yet; --campaign ID looks into one"
    )


def _wait_lines(session: Session, matches: "list[Message]") -> list[str]:
    """Say why the newest message of each class waits, where one does."""
    from producer.waiting import wait_reasons, waits

    newest = {
        message.message_class: message
        for message in reversed(matches)
        if message.state is MessageState.QUEUED
    }
    reasons = {
        message.id: waits.of_message(session.engine, session.settings, message)
        for message in newest.values()
    }
    return [f"{name} waits: {wait_reasons.sentences(why)}" for name, why in reasons.items() if why]


def _print_messages(matches: "list[Message]") -> None:
    headers = ("id", "to", "class", "state", "account", "code", "stored", "ended")
    rows = [
        (
            message.id,
            message.to,
            message.message_class.value,
            message.state.value,
            message.account,
            message.code,
            output.short_local_time(message.created_at),
            output.short_local_time(message.finished_at or message.submitted_at),
        )
        for message in matches
    ]
    output.print_table(headers, rows)


def _print_history(history: "History", text: str | None, waits: str) -> None:
    message = history.message
    output.print_facts(
        {
            "message": message.id,
            "to": message.to,
            "state": message.state.value,
            "waits": waits,
            "class": message.message_class.value,
            "text": text,
            "account": message.account,
            "code": " ".join(filter(None, [message.code, message.code_text])),
            "gateway's id": message.gateway_id,
            "segments": message.segments,
            "attempts": message.attempts,
            "campaign": message.campaign,
            "key": message.key,
            "metadata": output.detail_line(message.metadata),
            "stored": message.created_at,
            "submitted": message.submitted_at,
            "finished": message.finished_at,
            "no longer awaited": message.closed_at,
        }
    )
    headers = ("when", "what", "who", "says")
    output.print_line("")
    output.print_table(headers, sorted(_timeline(history), key=lambda step: step[0]))


def _timeline(history: "History") -> list[tuple[Any, ...]]:
    """Return the rows (time, what happened, who, details) of a message's history, unsorted."""
    rows: list[tuple[Any, ...]] = [(history.message.created_at, "stored", None, None)]
    for row in history.submissions:
        if row.called_at:
            rows.append((row.called_at, f"submission {row.id} called", row.account, None))
        answered = row.answered_at or row.called_at or row.created_at
        answer = " ".join(filter(None, [row.code, row.words]))
        rows.append((answered, f"submission {row.id} {row.state}", row.account, answer))
    for row in history.reports:
        answer = " ".join(filter(None, [row.code, row.words]))
        rows.append((row.received_at, f"report {row.status}", row.account, answer))
    event_rows = [
        (row.at, row.name, row.who, output.detail_line(row.detail or {})) for row in history.events
    ]
    return [*rows, *event_rows]
