"""Take in what comes by the Celery door: from applications that reach no database but the broker.

Only the task `xinshi.enqueue` carries numbers and texts through the broker; it is off unless
`celery_door = true`. No caller can be told of a refusal, so the log tells of it, without a number
and without a text.
"""

import re

import structlog
from sqlalchemy.exc import DataError

from worker.config.settings import Settings
from worker.domain import msisdn
from worker.domain.enums import MessageClass
from worker.domain.errors import KeyConflict, Problem, Refused
from worker.intake import enqueue, shared_commit, template_choice
from worker.intake.celery_payload import read_request
from worker.intake.code_allowances import allowance_claims
from worker.intake.enqueue_request import EnqueueRequest
from worker.intake.shared_commit import CommitAnswer, Exhausted, OfferedRequest
from worker.store.db import database

log = structlog.get_logger()

_LONG_DIGITS = re.compile(r"\d{8,}")


def accept(settings: Settings, payload: object) -> MessageClass | None:
    """Store the request in a payload, within the allowances for codes; return its class.

    A refused one is logged and dropped, with None. Raises `Unavailable` when the database does not
    answer; delivered again, its key makes it one request.
    """
    try:
        request, client = read_request(payload)
        answer = _store(settings, request, client)
    except Refused as refused:
        # Of "variables.name" the name is a part of the text.
        places = [problem.where.partition(".")[0] for problem in refused.problems]
        log.warning("door.refused", problems=places)
        return None
    match answer:
        case KeyConflict():
            log.warning("door.key_conflict", key=_masked(str(request.key)))
        case Exhausted(wait_seconds):
            log.warning("door.too_many_codes", wait_seconds=round(wait_seconds))
        case _:
            return request.message_class
    return None


def refuse() -> None:
    """Drop a message that came while the door is closed, and say so."""
    log.error("door.closed", advice="set celery_door, or send by HTTP or Python")


def _store(settings: Settings, request: EnqueueRequest, client: str | None) -> CommitAnswer:
    engine = database.connect(
        settings.database_url, pool_size=1, pooler=settings.top.database_pooler
    )
    try:
        registered = template_choice.look_up(engine, settings, request)
        checked = enqueue.check(settings, request, registered)
        offer = OfferedRequest(checked, allowance_claims(settings.top.web, checked, client))
        (answer,) = shared_commit.accept(engine, [offer])
    except (DataError, UnicodeError):
        problem = "holds what the database cannot, as a NUL character"
        raise Refused([Problem("payload", problem)]) from None
    finally:
        engine.dispose()
    return answer


def _masked(key: str) -> str:
    """Return a key without the numbers that applications put into it."""
    return _LONG_DIGITS.sub(lambda digits: msisdn.mask(digits[0]), key[:40])
