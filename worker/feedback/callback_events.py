"""Composes the events that callbacks are sent: their ids, their bodies, and when to try again.

An event holds what the database says at the time of the look, not what was true when it was made.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from worker.domain.enums import MessageState
from worker.feedback.callback_client import PostResult
from worker.store import callbacks
from worker.store.callback_outbox import MessageRange
from worker.store.callbacks import CallbackEvent
from worker.store.inbound import find_reply

#: An event that is older is not sent again.
RETRY_FOR_SECONDS = 24 * 3600.0
#: The pauses between tries double from the first to the longest.
FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 3600.0
#: The states of messages that no event is sent about: another state follows.
_PASSING_STATES = frozenset({MessageState.QUEUED.value, MessageState.SUBMITTING.value})
#: The fields of a message in an event that are named as in the view.
_VIEW_FIELDS = ("id", "class", "state", "account", "code", "segments")


def event_id(event: CallbackEvent) -> str:
    """Return the id that an event keeps however often it is sent."""
    return f"evt_{event.id}"


def body(connection: Connection, event: CallbackEvent) -> bytes | None:
    """Return the JSON body of an event; None when there is nothing left to tell."""
    if event.message_range is not None:
        payload = _messages_updated(connection, event.message_range)
    else:
        payload = _inbound_received(connection, event.inbound_id or 0)
    if payload is None:
        return None
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def pause(answer: PostResult, event: CallbackEvent, draw: Callable[[], float]) -> float | None:
    """Return the seconds until an event is sent again: 0 when it was taken, None to park it.

    5xx, 408, 425, 429 and a POST without an answer are tried again for a day; any other answer than
    2xx is parked at once, because it would be the same again. `draw` returns a random number from
    0 to 1, by which the pauses are spread.
    """
    status = answer.status
    if status is not None and 200 <= status < 300:
        return 0.0
    may_change = status is None or status >= 500 or status in {408, 425, 429}
    if not may_change or event.age >= RETRY_FOR_SECONDS:
        return None
    doubled = FIRST_PAUSE_SECONDS * 2.0 ** min(event.attempts - 1, 20)
    spread = min(LONGEST_PAUSE_SECONDS, doubled) * (0.75 + 0.5 * draw())
    return max(spread, min(answer.retry_after or 0.0, LONGEST_PAUSE_SECONDS))


def _messages_updated(connection: Connection, span: MessageRange) -> dict[str, Any] | None:
    """Return an event about messages; None when none of them is in a state to be told."""
    rows = callbacks.messages_of(connection, span)
    messages = [_message(row) for row in rows if row["state"] not in _PASSING_STATES]
    if not messages:
        return None
    looked_at = _iso_time(rows[0]["looked_at"])
    return {"type": "messages.updated", "timestamp": looked_at, "data": {"messages": messages}}


def _inbound_received(connection: Connection, inbound_id: int) -> dict[str, Any] | None:
    """Return an event about an inbound message; None when that is gone."""
    row = find_reply(connection, inbound_id)
    if row is None:
        return None
    return {
        "type": "inbound.received",
        "timestamp": _iso_time(row.looked_at),
        "data": {
            "id": row.id,
            "account": row.account,
            "from": row.msisdn,
            "text": row.text,
            "extension": row.extension,
            "received_at": _iso_time(row.received_at),
        },
    }


def _message(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return what an application is told of a message: as it is now."""
    return {
        **{name: row[name] for name in _VIEW_FIELDS},
        "to": row["msisdn"],
        "submitted_at": _iso_time(row["submitted_at"]),
        "finished_at": _iso_time(row["finished_at"]),
    }


def _iso_time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
