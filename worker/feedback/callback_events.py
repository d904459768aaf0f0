"""Composes the events that callbacks are sent: their ids, their bodies, and when to try again.

An event holds what the database says at the time of the look, not what was true when it was made.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from worker.config.settings import Settings
from worker.domain.message_ranges import MessageRange
from worker.domain.transitions import OPEN_STATES
from worker.store.feedback import callbacks
from worker.store.feedback.callback_turns import CallbackEvent
from worker.store.feedback.inbound import answered_message, find_reply

#: The fields of a message in an event that are named as in the view.
_VIEW_FIELDS = ("id", "class", "state", "account", "code", "segments", "key")


def event_id(event: CallbackEvent) -> str:
    """Return the id that an event keeps however often it is sent."""
    return f"evt_{event.id}"


def body(connection: Connection, settings: Settings, event: CallbackEvent) -> bytes | None:
    """Return the JSON body of an event; None when there is nothing left to tell."""
    if event.message_range is not None:
        payload = _messages_updated(connection, event.message_range)
    else:
        payload = _inbound_received(connection, settings, event.inbound_id or 0)
    if payload is None:
        return None
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def _messages_updated(connection: Connection, span: MessageRange) -> dict[str, Any] | None:
    """Return an event about messages; None when another state of all of them follows soon."""
    rows = callbacks.messages_of(connection, span)
    messages = [_message(row) for row in rows if row["state"] not in OPEN_STATES]
    if not messages:
        return None
    looked_at = _iso_time(rows[0]["looked_at"])
    return {"type": "messages.updated", "timestamp": looked_at, "data": {"messages": messages}}


def _inbound_received(
    connection: Connection, settings: Settings, inbound_id: int
) -> dict[str, Any] | None:
    """Return an event about an inbound message; None when that is gone."""
    row = find_reply(connection, inbound_id)
    if row is None:
        return None
    names = settings.accounts_sharing_login(row.account)
    return {
        "type": "inbound.received",
        "timestamp": _iso_time(row.looked_at),
        "data": {
            "id": row.id,
            "account": row.account,
            "from": row.msisdn,
            "text": row.text,
            "extension": row.extension,
            "answers": answered_message(connection, row.id, row.account, names),
            "received_at": _iso_time(row.received_at),
        },
    }


def _message(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return what an application is told of a message: as it is now."""
    return {
        **{name: row[name] for name in _VIEW_FIELDS},
        "metadata": row["metadata"] or {},
        "to": row["msisdn"],
        "submitted_at": _iso_time(row["submitted_at"]),
        "finished_at": _iso_time(row["finished_at"]),
    }


def _iso_time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
