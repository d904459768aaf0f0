"""The Celery tasks: thin, idempotent, acknowledged early; none of them is a permission to send."""

from typing import Any

from celery import Celery

from worker.intake import celery_payload
from worker.runtime import broker, pending_doorbells
from worker.runtime.process import Runtime


class Here:
    """What this process runs, once it has started; tasks find it here."""

    runtime: Runtime | None = None


def register(app: Celery, settings: Any) -> None:
    """Add the tasks to an app."""

    @app.task(name=broker.RING)  # type: ignore[untyped-decorator]
    def ring(message_class: str) -> None:
        """There may be work of a class."""
        # The mark goes first: who enqueues from here on rings anew.
        pending_doorbells.take_mark(settings, message_class)
        if Here.runtime is not None:
            Here.runtime.ring(message_class)

    @app.task(name=broker.TICK)  # type: ignore[untyped-decorator]
    def tick() -> None:
        """There may be ticks that are due, or pushes to read."""
        pending_doorbells.take_mark(settings, broker.TICKS)
        if Here.runtime is not None:
            Here.runtime.ticker.ring()

    if settings.top.celery_door:

        @app.task(name=broker.ENQUEUE, acks_late=True, reject_on_worker_lost=True)  # type: ignore[untyped-decorator]
        def enqueue(payload: dict[str, Any]) -> None:
            """A message that came through the broker becomes rows."""
            celery_payload.accept(settings, payload)
            if Here.runtime is not None:
                Here.runtime.ring(str(payload.get("message_class", "notice")))
