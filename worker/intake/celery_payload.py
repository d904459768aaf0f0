"""The Celery door: for applications that reach the broker but not the database.

They send the task `xinshi.enqueue` with one JSON object: `version` (1), `key` (theirs, required:
brokers redeliver), `to` (a list of numbers), and as they like `text`, `message_class`, `account`,
`not_before` and `not_after` (ISO 8601 with a zone), `extension`, `template`, `variables` and
`options`. It is the only thing that carries a number or a text through the broker, and off unless
`celery_door = true`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog

from worker.config.settings import Settings
from worker.domain.enums import MessageClass
from worker.domain.errors import KeyConflict, Problem, Refused
from worker.intake import enqueue
from worker.intake.enqueue import EnqueueRequest
from worker.store.db import database

log = structlog.get_logger()

VERSION = 1
SENDER = "celery"
_FIELDS = frozenset(EnqueueRequest.__dataclass_fields__) - {"sender"}


def accept(settings: Settings, payload: Mapping[str, Any]) -> None:
    """Store what a payload orders. A refusal is logged and dropped: nobody waits for the answer.

    Raises `Unavailable` when the database does not answer: the broker then delivers it again, and
    its key makes it one request.
    """
    try:
        checked = enqueue.check(settings, order(payload))
        engine = database.connect(settings.database_url, pool_size=1)
        try:
            enqueue.commit(engine, lambda own, again: enqueue.store(own, checked, again))
        finally:
            engine.dispose()
    except KeyConflict:
        log.warning("door.key_conflict", key=str(payload.get("key"))[:40])
    except Refused as refused:
        log.warning("door.refused", problems=[problem.where for problem in refused.problems])


def order(payload: Mapping[str, Any]) -> EnqueueRequest:
    """Read a payload, or raise `Refused` with what is wrong with its form."""
    found = [Problem(name, "is unknown") for name in payload if name not in _FIELDS | {"version"}]
    if payload.get("version") != VERSION:
        found.append(Problem("version", f"has to be {VERSION}"))
    if not payload.get("key"):
        found.append(Problem("key", "is missing: brokers deliver again, a key makes it one"))
    values = {name: payload[name] for name in _FIELDS if payload.get(name) is not None}
    to = values.get("to", [])
    values["to"] = [to] if isinstance(to, str) else to
    try:
        values["message_class"] = MessageClass(values.get("message_class", "notice"))
        for name in ("not_before", "not_after"):
            if name in values:
                values[name] = datetime.fromisoformat(values[name])
    except (TypeError, ValueError) as error:
        found.append(Problem("payload", str(error)))
    if not all(isinstance(number, str) for number in values["to"]):
        found.append(Problem("to", "has to be a list of texts"))
    if found:
        raise Refused(found)
    return EnqueueRequest(**values, sender=SENDER)
