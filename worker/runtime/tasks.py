"""The Celery tasks: thin, idempotent, acknowledged early; none of them is a permission to send."""

from typing import Any

from celery import Celery

from worker.intake import celery_payload
from worker.runtime import broker, pending_doorbells
from worker.runtime.process import WorkerProcess


class CurrentWorker:
    """Where tasks find the worker process that they run in, once it has started."""

    process: WorkerProcess | None = None


def register(app: Celery, settings: Any) -> None:
    """Add the tasks to an app."""

    @app.task(name=broker.RING_TASK)  # type: ignore[untyped-decorator]
    def ring(message_class: str) -> None:
        """Make the lane of a class look for work."""
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

    if settings.top.celery_door:

        @app.task(name=broker.ENQUEUE_TASK, acks_late=True, reject_on_worker_lost=True)  # type: ignore[untyped-decorator]
        def enqueue(payload: dict[str, Any]) -> None:
            """Enqueue a message that came through the broker."""
            celery_payload.accept(settings, payload)
            if CurrentWorker.process is not None:
                CurrentWorker.process.ring(str(payload.get("message_class", "notice")))
