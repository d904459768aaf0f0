"""The Celery tasks: thin, idempotent, acknowledged early; none of them is a permission to send."""

import time
from typing import Any

import structlog
from celery import Celery
from celery.exceptions import Reject

from worker.domain.enums import MessageClass
from worker.domain.errors import Unavailable
from worker.intake import celery_door
from worker.runtime import broker, pending_doorbells
from worker.runtime.process import WorkerProcess

log = structlog.get_logger()

#: How long a message of the Celery door waits before it is delivered again, while the database does
#: not answer, in seconds.
REDELIVERY_PAUSE = 1.0


class CurrentWorker:
    """Where tasks find the worker process that they run in, once it has started."""

    process: WorkerProcess | None = None


def register(app: Celery, settings: Any) -> None:
    """Add the tasks to an app."""

    @app.task(name=broker.RING_TASK)  # type: ignore[untyped-decorator]
    def ring(message_class: str) -> None:
        """Make the lane of a class look for work."""
        if message_class not in set(MessageClass):
            return
        # The mark goes first: an enqueue from here on rings anew.
        pending_doorbells.clear_mark(settings, message_class)
        if CurrentWorker.process is not None:
            CurrentWorker.process.ring(message_class)

    @app.task(name=broker.TICK_TASK)  # type: ignore[untyped-decorator]
    def tick() -> None:
        """Make the ticker look for ticks that are due, or pushes to read."""
        pending_doorbells.clear_mark(settings, broker.TICKS_QUEUE)
        if CurrentWorker.process is not None:
            CurrentWorker.process.ticker.ring()

    @app.task(name=broker.ENQUEUE_TASK, acks_late=True, reject_on_worker_lost=True)  # type: ignore[untyped-decorator]
    def enqueue(payload: object) -> None:
        """Enqueue a message that came through the broker."""
        if not settings.top.celery_door:
            celery_door.refuse()
            return
        try:
            message_class = celery_door.accept(settings, payload)
        except Unavailable:
            # An error by itself would be acknowledged, and the message lost.
            log.warning("door.waits", why="the database does not answer")
            time.sleep(REDELIVERY_PAUSE)
            raise Reject(requeue=True) from None
        if message_class and CurrentWorker.process is not None:
            CurrentWorker.process.ring(message_class)
