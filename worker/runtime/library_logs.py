"""Turn what libraries log into events with names: `library.log` says it, unless it is ours to tell.

Celery tells each try to reach the broker by a sentence, or a traceback; that the broker is away and
back is told by `worker.outages` in place of these.
"""

import logging
from collections.abc import Mapping, MutableMapping
from typing import Any

from worker import outages

#: How Celery's sentences begin that tell of a broker that is away, and of one that is back.
_AWAY = (
    "consumer: Cannot connect",
    "consumer: Connection to broker lost",
    "beat: Connection error",
)
_BACK = "Connected to "
#: The most characters of a library's sentence.
_MAX_SENTENCE_LENGTH = 300


def tell_broker_outages() -> None:
    """Let this process tell of the broker's outages, and Celery no more."""
    for name in (
        "celery.worker.consumer.consumer",
        "celery.worker.consumer.connection",
        "celery.beat",
    ):
        logger = logging.getLogger(name)
        if _is_worth_a_line not in logger.filters:
            logger.addFilter(_is_worth_a_line)


def name_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Name a library's line `library.log`, its sentence a field of it: a structlog processor."""
    record: logging.LogRecord = event["_record"]
    sentence = " ".join(str(event["event"]).split())[:_MAX_SENTENCE_LENGTH]
    return {**event, "event": "library.log", "library": record.name, "says": sentence}


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """Whether a line of Celery's is logged: not one about the broker, which is noted instead."""
    sentence = record.getMessage()
    if sentence.startswith(_AWAY):
        outages.BROKER.failed(_error_kind(record))
        return False
    if sentence.startswith(_BACK):
        outages.BROKER.answered()
        return False
    return True


def _error_kind(record: logging.LogRecord) -> str:
    """Return the kind of the error that a line of Celery's was given; its words name addresses."""
    arguments = record.args if isinstance(record.args, tuple) else ()
    errors = [argument for argument in arguments if isinstance(argument, BaseException)]
    return type(errors[0]).__name__ if errors else "the connection was lost"
