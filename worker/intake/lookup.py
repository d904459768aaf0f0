"""Messages and campaigns as they are shown: to Python callers, as JSON, on the command line."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Row

from worker.domain.enums import MessageClass, MessageState
from worker.domain.errors import NotFound, TooLate
from worker.store import campaigns, events, messages, reports, requests
from worker.store.campaigns import CampaignProgress
from worker.store.db import database

#: No id has more digits: the databases could not even look for it.
_ID = re.compile(r"[0-9]{1,18}-[0-9]{1,9}")
#: The columns of a campaign's export.
EXPORTED = (
    *("number", "state", "code", "code_text", "account", "gateway_id", "attempts"),
    *("submitted_at", "finished_at"),
)
#: What a spreadsheet takes for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
#: Messages of a campaign that are read in one transaction.
PART = 5000


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it stands. Times are aware."""

    id: str
    msisdn: str
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
    #: When we stopped to wait for its report, if none came.
    closed_at: datetime | None
    campaign: int | None

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON shows it: `class` for the class, times in ISO 8601."""
        return {
            "id": self.id,
            "msisdn": self.msisdn,
            "class": self.message_class.value,
            "state": self.state.value,
            "account": self.account,
            "code": self.code,
            "code_text": self.code_text,
            "gateway_id": self.gateway_id,
            "segments": self.segments,
            "attempts": self.attempts,
            "created_at": stamp(self.created_at),
            "submitted_at": stamp(self.submitted_at),
            "finished_at": stamp(self.finished_at),
            "closed_at": stamp(self.closed_at),
            "campaign": self.campaign,
        }


def stamp(moment: datetime | None) -> str | None:
    """Write a moment in ISO 8601, in UTC."""
    return None if moment is None else moment.isoformat()


def message(row: Row[Any]) -> Message:
    """Read a row of the view."""
    return Message(
        row.id,
        row.msisdn,
        MessageClass(row[row._fields.index("class")]),
        MessageState(row.state),
        row.account,
        row.code,
        row.code_text,
        row.gateway_id,
        row.segments,
        row.attempts,
        row.created_at,
        row.submitted_at,
        row.finished_at,
        row.closed_at,
        None if row.single else row.request_id,
    )


def campaign(progress: CampaignProgress) -> dict[str, Any]:
    """Return a campaign as JSON shows it."""
    return {
        "id": progress.id,
        "name": progress.name,
        "state": progress.state.value,
        "class": progress.message_class,
        "account": progress.account,
        "total": progress.total,
        "states": dict(sorted(progress.states.items())),
        "left_out": dict(progress.left_out),
        "retry_of": progress.retry_of,
        "not_before": stamp(progress.not_before),
        "not_after": stamp(progress.not_after),
        "created_at": stamp(progress.created_at),
        "started_at": stamp(progress.started_at),
        "finished_at": stamp(progress.finished_at),
    }


def parse_id(message_id: str) -> tuple[int, int]:
    """Read a message's id, `REQUEST-N`; raises `NotFound` when it is none."""
    request_id, _, n = str(message_id).partition("-")
    if not _ID.fullmatch(str(message_id)):
        msg = f"{str(message_id)[:40]!r} is no message id; one looks like 17-0"
        raise NotFound(msg)
    return int(request_id), int(n)


def get(engine: Engine, message_id: str) -> Message:
    """Return a message, or raise `NotFound`."""
    return many(engine, [message_id])[0]


def many(engine: Engine, ids: list[str]) -> list[Message]:
    """Return messages in the order asked for, or raise `NotFound` for the first that is missing."""
    wanted = [parse_id(one) for one in ids]
    with database.reading(engine) as connection:
        found = {(row.request_id, row.n): row for row in messages.described(connection, wanted)}
    for given, one in zip(ids, wanted, strict=True):
        if one not in found:
            msg = f"there is no message {given}"
            raise NotFound(msg)
    return [message(found[one]) for one in wanted]


@dataclass(frozen=True, slots=True)
class History:
    """A message and all that is known of it: its submissions, reports and events, in order."""

    message: Message
    submissions: Sequence[Row[Any]]
    reports: Sequence[Row[Any]]
    events: Sequence[Row[Any]]

    def as_json(self) -> dict[str, Any]:
        """Return the message as JSON shows it, with three lists more."""
        return self.message.as_json() | {
            "submissions": [_named(row, _SUBMISSION) for row in self.submissions],
            "reports": [_named(row, _REPORT) for row in self.reports],
            "events": [_named(row, _EVENT) for row in self.events],
        }


_SUBMISSION = (
    *("id", "account", "state", "outcome", "code", "words", "gateway_id", "reference"),
    *("attempts", "created_at", "called_at", "answered_at", "next_at", "parent_id"),
)
_REPORT = ("status", "code", "words", "gateway_id", "reference", "reported_at", "received_at")
_EVENT = ("at", "name", "who", "account", "detail")


def _named(row: Row[Any], columns: Sequence[str]) -> dict[str, Any]:
    values = {column: getattr(row, column) for column in columns}
    return {
        column: stamp(value) if isinstance(value, datetime) else value
        for column, value in values.items()
    }


def history(engine: Engine, message_id: str) -> History:
    """Return a message with all that happened to it, or raise `NotFound`."""
    found = get(engine, message_id)
    request_id, n = parse_id(message_id)
    with database.reading(engine) as connection:
        submissions = messages.tried(connection, request_id, n)
        return History(
            found,
            submissions,
            reports.reports_of(connection, request_id, n),
            events.of_message(connection, request_id, n, [row.id for row in submissions]),
        )


def search(engine: Engine, limit: int, filters: Mapping[str, Any]) -> list[Message]:
    """Return messages that fit, the newest first, by the filters of `store.messages.search`."""
    with database.reading(engine) as connection:
        return [message(row) for row in messages.search(connection, limit=limit, **filters)]


def cancel(engine: Engine, message_id: str) -> Message:
    """Take a message back. Raises `TooLate` when it was handed over or has ended otherwise."""
    request_id, n = parse_id(message_id)
    with database.writing(engine) as connection:
        if not requests.lock(connection, request_id):
            msg = f"there is no message {message_id}"
            raise NotFound(msg)
        state = messages.cancel(connection, request_id, n)
    if state is None:
        msg = f"there is no message {message_id}"
        raise NotFound(msg)
    if state is not MessageState.CANCELLED:
        msg = f"message {message_id} is {state.value} and cannot be cancelled"
        raise TooLate(msg)
    return get(engine, message_id)


def every(engine: Engine, campaign_id: int, total: int) -> Iterator[Message]:
    """Yield all messages of a campaign in order, by one short transaction for each part of it."""
    for first in range(0, total, PART):
        with database.reading(engine) as connection:
            rows = campaigns.part(connection, campaign_id, first, PART)
        yield from map(message, rows)


def exported(engine: Engine, campaign_id: int, total: int) -> Iterator[list[list[Any]]]:
    """Yield the rows of a campaign's export in order, some thousands together; times in UTC.

    Each is read by one short transaction, and says what was true then.
    """
    columns = ["msisdn" if one == "number" else one for one in EXPORTED]
    for first in range(0, total, PART):
        with database.reading(engine) as connection:
            rows = campaigns.exported(connection, campaign_id, columns, first, PART)
        yield [[_exported(value) for value in row] for row in rows]


def _exported(value: Any) -> Any:
    """Write a moment as JSON does, and keep a spreadsheet from taking words for a formula."""
    if isinstance(value, datetime):
        return stamp(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def progress(engine: Engine, limit: int) -> list[CampaignProgress]:
    """Return the newest campaigns as they stand."""
    with database.reading(engine) as connection:
        found = [campaigns.progress(connection, one) for one in campaigns.listed(connection, limit)]
    return [one for one in found if one is not None]
