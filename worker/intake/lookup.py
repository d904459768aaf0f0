"""Look up messages and campaigns as they are shown: to Python callers, and as JSON."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row

from worker.domain import placeholders
from worker.domain.enums import MessageClass, MessageState
from worker.domain.errors import NotFound, TooLate
from worker.domain.message_ranges import MessageKey
from worker.store import events, message_search, messages
from worker.store.db import database
from worker.store.delivery import submission_details
from worker.store.feedback import reports
from worker.store.intake import campaign_numbers, campaign_progress, campaigns, requests
from worker.store.intake.campaign_numbers import Unsearched
from worker.store.intake.campaign_progress import CampaignProgress
from worker.store.settlement import unknown_messages

#: The form of a message's id; the databases have no integers of more digits.
_MESSAGE_ID = re.compile(r"[0-9]{1,18}-[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Message:
    """A message in its present state. Times are aware."""

    id: str
    #: Its number: 11 digits for a mobile.
    to: str
    message_class: MessageClass
    state: MessageState
    #: The account that carries it, or that its sender named; None until one is chosen.
    account: str | None
    #: The gateway's own word: of its report, else of its answer.
    code: str | None
    code_text: str | None
    gateway_id: str | None
    #: Billed parts; None until an account is chosen.
    segments: int | None
    attempts: int
    created_at: datetime
    submitted_at: datetime | None
    finished_at: datetime | None
    #: When it was closed out, if no report came.
    closed_at: datetime | None
    #: The id of its campaign; None for a message of an ordinary request.
    campaign: int | None
    #: The idempotency key and the metadata of its request.
    key: str | None
    metadata: Mapping[str, str] = field(hash=False)

    def as_json(self) -> dict[str, Any]:
        """Return the message as JSON shows it: `class` for the class, times in ISO 8601."""
        return {
            "id": self.id,
            "to": self.to,
            "class": self.message_class.value,
            "state": self.state.value,
            "account": self.account,
            "code": self.code,
            "code_text": self.code_text,
            "gateway_id": self.gateway_id,
            "segments": self.segments,
            "attempts": self.attempts,
            "created_at": iso_time(self.created_at),
            "submitted_at": iso_time(self.submitted_at),
            "finished_at": iso_time(self.finished_at),
            "closed_at": iso_time(self.closed_at),
            "campaign": self.campaign,
            "key": self.key,
            "metadata": dict(self.metadata),
        }


def iso_time(moment: datetime | None) -> str | None:
    """Return a moment in ISO 8601, in UTC, as the database gives it; None for None."""
    return None if moment is None else moment.isoformat()


def messages_from_rows(connection: Connection, rows: Sequence[Row[Any]]) -> list[Message]:
    """Return messages from rows of their view, with the gateway's ids of single ones."""
    gateway_ids = gateway_ids_of_rows(connection, rows)
    return [message_from_row(row, gateway_ids.get((row.request_id, row.n))) for row in rows]


def gateway_ids_of_rows(connection: Connection, rows: Sequence[Row[Any]]) -> dict[MessageKey, str]:
    """Return the gateway's ids of messages whose submissions have none for all of them."""
    submission_ids = {row.submission_id for row in rows if row.gateway_id is None} - {None}
    return submission_details.gateway_ids_of(connection, submission_ids)


def message_from_row(row: Row[Any], gateway_id: str | None = None) -> Message:
    """Return a message from a row of its view; `gateway_id` is its own, where it has one."""
    return Message(
        row.id,
        row.msisdn,
        MessageClass(row[row._fields.index("class")]),
        MessageState(row.state),
        row.account,
        row.code,
        row.code_text,
        row.gateway_id or gateway_id,
        row.segments,
        row.attempts,
        row.created_at,
        row.submitted_at,
        row.finished_at,
        row.closed_at,
        None if row.single else row.request_id,
        row.key,
        row.metadata or {},
    )


def campaign_json(progress: CampaignProgress) -> dict[str, Any]:
    """Return a campaign as JSON shows it."""
    return {
        "id": progress.id,
        "name": progress.name,
        "state": progress.state.value,
        "class": progress.message_class,
        "account": progress.account,
        "key": progress.key,
        "metadata": dict(progress.metadata),
        "total": progress.total,
        "states": dict(sorted(progress.states.items())),
        "left_out": dict(progress.left_out),
        "text": progress.text,
        "segments": dict(progress.segments),
        "samples": list(progress.samples),
        "retry_of": progress.retry_of,
        "not_before": iso_time(progress.not_before),
        "not_after": iso_time(progress.not_after),
        "created_at": iso_time(progress.created_at),
        "started_at": iso_time(progress.started_at),
        "finished_at": iso_time(progress.finished_at),
    }


def parse_id(message_id: str) -> tuple[int, int]:
    """Return the request's id and the `n` in a message's id; raises `NotFound` when it is none."""
    request_id, _, n = str(message_id).partition("-")
    if not _MESSAGE_ID.fullmatch(str(message_id)):
        msg = f"{str(message_id)[:40]!r} is no message id; one looks like 17-0"
        raise NotFound(msg)
    return int(request_id), int(n)


def get(engine: Engine, message_id: str) -> Message:
    """Return a message, or raise `NotFound`."""
    return get_all(engine, [message_id])[0]


def get_all(engine: Engine, ids: list[str]) -> list[Message]:
    """Return messages in the order asked for, or raise `NotFound` for the first that is missing."""
    keys = [parse_id(message_id) for message_id in ids]
    with database.reading(engine) as connection:
        rows = {(row.request_id, row.n): row for row in messages.view_rows(connection, keys)}
        for message_id, key in zip(ids, keys, strict=True):
            if key not in rows:
                msg = f"there is no message {message_id}"
                raise NotFound(msg)
        return messages_from_rows(connection, [rows[key] for key in keys])


@dataclass(frozen=True, slots=True)
class History:
    """A message with all that is known of it: its submissions, reports and events, in order."""

    message: Message
    submissions: Sequence[Row[Any]]
    reports: Sequence[Row[Any]]
    events: Sequence[Row[Any]]

    def as_json(self) -> dict[str, Any]:
        """Return the message as JSON shows it, with its submissions, reports and events."""
        return self.message.as_json() | {
            "submissions": [_row_json(row, _SUBMISSION_COLUMNS) for row in self.submissions],
            "reports": [_row_json(row, _REPORT_COLUMNS) for row in self.reports],
            "events": [_row_json(row, _EVENT_COLUMNS) for row in self.events],
        }


_SUBMISSION_COLUMNS = (
    *("id", "account", "state", "outcome", "code", "words", "gateway_id", "reference"),
    *("attempts", "created_at", "called_at", "answered_at", "next_at", "parent_id"),
)
_REPORT_COLUMNS = (
    "status",
    "code",
    "words",
    "gateway_id",
    "reference",
    "reported_at",
    "received_at",
)
_EVENT_COLUMNS = ("at", "name", "who", "account", "detail")


def _row_json(row: Row[Any], columns: Sequence[str]) -> dict[str, Any]:
    """Return columns of a row as JSON shows them."""
    values = {column: getattr(row, column) for column in columns}
    return {
        column: iso_time(value) if isinstance(value, datetime) else value
        for column, value in values.items()
    }


def history(engine: Engine, message_id: str) -> History:
    """Return a message with all that happened to it, or raise `NotFound`."""
    message = get(engine, message_id)
    request_id, n = parse_id(message_id)
    with database.reading(engine) as connection:
        submissions = messages.submissions_of(connection, request_id, n)
        return History(
            message,
            submissions,
            reports.of_message(connection, request_id, n),
            events.of_message(connection, request_id, n, [row.id for row in submissions]),
        )


def shown_text(engine: Engine, message_id: str) -> str | None:
    """Return the text of a message, for those who may read texts.

    None for a code (`otp`), whose text is shown to nobody, and for a gateway's own template. That
    of a registered one is without its signature, which each account has for itself.
    """
    request_id, n = parse_id(message_id)
    with database.reading(engine) as connection:
        content = messages.content_of(connection, request_id, n)
    if content is None or content.message_class == MessageClass.OTP.value:
        return None
    if content.template and content.template_version is None:
        return None
    text: str = content.text
    return placeholders.fill(text, dict(content.variables)) if content.variables else text


def search(engine: Engine, limit: int, filters: Mapping[str, Any]) -> list[Message]:
    """Return messages that match filters of `store.message_search.search`, the newest first.

    Those of campaigns are among them where a number or unknown ones are asked for.
    """
    with database.reading(engine) as connection:
        if filters.get("state") == MessageState.UNKNOWN and not (
            filters.get("msisdn") or filters.get("request_id")
        ):
            return _unknown_messages(connection, limit, filters)
        rows = message_search.search(connection, limit=limit, **filters)
        return messages_from_rows(connection, rows)


def unsearched(engine: Engine, filters: Mapping[str, Any]) -> Unsearched:
    """Return the campaigns that a search could not find its number in yet; none without a number.

    A campaign is searched some minutes after it was loaded.
    """
    if not filters.get("msisdn") or filters.get("request_id"):
        return Unsearched(0, None)
    with database.reading(engine) as connection:
        return campaign_numbers.unsearched(connection)


def _unknown_messages(
    connection: Connection, limit: int, filters: Mapping[str, Any]
) -> list[Message]:
    """Return the messages that the newest unknown submissions carry, the newest first."""
    keys = unknown_messages.message_keys(
        connection, limit, filters.get("account"), filters.get("since")
    )
    rows = messages.view_rows(connection, keys)
    newest_first = sorted(rows, key=lambda row: (-row.request_id, row.n))
    return messages_from_rows(connection, newest_first)


def cancel(
    engine: Engine, message_id: str, *, who: str = "application", why: str | None = None
) -> Message:
    """Cancel a message; events keep `who` did, and `why`.

    Raises `TooLate` when it was handed over or has ended otherwise.
    """
    request_id, n = parse_id(message_id)
    with database.writing(engine) as connection:
        if not requests.lock(connection, request_id):
            msg = f"there is no message {message_id}"
            raise NotFound(msg)
        state = messages.cancel(connection, request_id, n)
        if state is MessageState.CANCELLED:
            detail = {"why": why[:200]} if why else None
            events.add(
                connection, "message.cancelled", who, request_id=request_id, n=n, detail=detail
            )
    if state is None:
        msg = f"there is no message {message_id}"
        raise NotFound(msg)
    if state is not MessageState.CANCELLED:
        msg = f"message {message_id} is {state.value} and cannot be cancelled"
        raise TooLate(msg)
    return get(engine, message_id)


def newest_campaigns(engine: Engine, limit: int) -> list[CampaignProgress]:
    """Return the newest campaigns with their progress."""
    with database.reading(engine) as connection:
        campaigns_or_none = [
            campaign_progress.progress_of(connection, campaign_id)
            for campaign_id in campaigns.newest_ids(connection, limit)
        ]
    return [campaign for campaign in campaigns_or_none if campaign is not None]
