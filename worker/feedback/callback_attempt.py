"""Prepares one try at telling an event, and writes down how it ended. Blocking: runs in threads."""

import random
import time
from collections.abc import Sequence

import structlog
from sqlalchemy import Engine

from worker import instrumentation
from worker.config.settings import Settings
from worker.domain.secret_fields import Secret
from worker.feedback import callback_events, callback_retry, callback_signatures
from worker.feedback.callback_client import PostResult
from worker.store.db import database
from worker.store.feedback import callbacks
from worker.store.feedback.callback_turns import CallbackEvent

log = structlog.get_logger()


def read_body(engine: Engine, settings: Settings, event: CallbackEvent) -> bytes | None:
    """Return the body of an event as things stand now; None when there is nothing left to tell."""
    with database.reading(engine) as connection:
        return callback_events.body(connection, settings, event)


def headers(masters: Sequence[Secret], event: CallbackEvent, body: bytes) -> dict[str, str]:
    """Return the headers of an event that is sent now, signed with each current secret."""
    secrets = [
        callback_signatures.derive_secret(master.get_secret_value(), event.callback_id)
        for master in masters
    ]
    signed = callback_signatures.signature_headers(
        secrets, callback_events.event_id(event), int(time.time()), body
    )
    return {"content-type": "application/json", **signed}


def note(engine: Engine, event: CallbackEvent, answer: PostResult) -> None:
    """Forget an event that was taken; plan the next try of one that was not, or park it."""
    wait = callback_retry.pause(answer, event, random.random)
    with database.writing(engine) as connection:
        if wait == 0:
            callbacks.delete_event(connection, event.id)
            instrumentation.backend.callback_tried("taken")
            return
        callbacks.postpone_event(connection, event.id, str(answer.status or answer.problem), wait)
    facts = {"callback": event.callback_id, "event_id": event.id, "status": answer.status}
    instrumentation.backend.callback_tried("parked" if wait is None else "refused")
    if wait is None:
        log.warning("callback.parked", **facts, why=answer.problem or None)
    else:
        log.warning("callback.refused", **facts, why=answer.problem or None)
