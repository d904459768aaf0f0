"""Read what comes in by the Celery door: from applications that reach no database but the broker.

They send the task `xinshi.enqueue` with one JSON object: `version` (1), `key` (theirs, required:
brokers redeliver), `to` (a list of numbers), and as they like `text`, `message_class`, `account`,
`not_before` and `not_after` (ISO 8601 with a zone), `extension`, `template`, `variables` and
`options`. Only this task carries numbers and texts through the broker; it is off unless
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
_FIELD_NAMES = frozenset(EnqueueRequest.__dataclass_fields__) - {"sender"}


def accept(settings: Settings, payload: Mapping[str, Any]) -> None:
    """Store the request in a payload. A refused one is logged and dropped: no caller can be told.

    Raises `Unavailable` when the database does not answer: the broker then delivers it again, and
    its key makes it one request.
    """
    try:
        checked = enqueue.check(settings, read_request(payload))
        engine = database.connect(settings.database_url, pool_size=1)
        try:
            enqueue.commit(
                engine,
                lambda transaction, earlier_id: enqueue.store(transaction, checked, earlier_id),
            )
        finally:
            engine.dispose()
    except KeyConflict:
        log.warning("door.key_conflict", key=str(payload.get("key"))[:40])
    except Refused as refused:
        log.warning("door.refused", problems=[problem.where for problem in refused.problems])


def read_request(payload: Mapping[str, Any]) -> EnqueueRequest:
    """Return the request in a payload, or raise `Refused` with what is wrong with its form."""
    problems = [
        Problem(name, "is unknown") for name in payload if name not in _FIELD_NAMES | {"version"}
    ]
    if payload.get("version") != VERSION:
        problems.append(Problem("version", f"has to be {VERSION}"))
    if not payload.get("key"):
        problems.append(Problem("key", "is missing: brokers deliver again, a key makes it one"))
    fields = {name: payload[name] for name in _FIELD_NAMES if payload.get(name) is not None}
    to = fields.get("to", [])
    fields["to"] = [to] if isinstance(to, str) else to
    try:
        fields["message_class"] = MessageClass(fields.get("message_class", "notice"))
        for name in ("not_before", "not_after"):
            if name in fields:
                fields[name] = datetime.fromisoformat(fields[name])
    except (TypeError, ValueError) as error:
        problems.append(Problem("payload", str(error)))
    if not all(isinstance(number, str) for number in fields["to"]):
        problems.append(Problem("to", "has to be a list of texts"))
    if problems:
        raise Refused(problems)
    return EnqueueRequest(**fields, sender=SENDER)
