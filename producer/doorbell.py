"""Ringing: tell the workers of a class that there may be work, within a bounded time.

Never an error: a broker that does not answer costs latency, because workers look by themselves.
After a failed ring nobody in this process rings for ten seconds.
"""

import os
import threading
import time
from typing import Any

import structlog

from worker.config.settings import Settings
from worker.domain.enums import MessageClass
from worker.runtime import broker, pending_doorbells

log = structlog.get_logger()

#: How long nobody rings after a ring that failed, in seconds.
QUIET = 10.0


class Doorbell:
    """Rings for one configuration. Threads may share it; a fork makes a connection of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._quiet_until = 0.0
        self._app: Any = None
        self._pid = 0
        self._lock = threading.Lock()

    def ring(self, message_class: MessageClass) -> bool:
        """Ring for a class; False when the broker did not take it, or not asked now."""
        return self._ring(message_class.value, broker.RING, (message_class.value,))

    def tick(self) -> bool:
        """Ring for the ticks: something came in that is to be read; returns as `ring` does."""
        return self._ring(broker.TICKS, broker.TICK, ())

    def _ring(self, queue: str, task: str, args: tuple[str, ...]) -> bool:
        if time.monotonic() < self._quiet_until:
            return False
        try:
            if pending_doorbells.serve(self._settings):
                pending_doorbells.ring(self._settings, queue, broker.written(task, queue, args))
            elif pending_doorbells.set_mark(self._settings, queue):
                self._publish(queue, task, args)
        except Exception as error:  # noqa: BLE001 - whatever a broker raises, the message is stored
            self._quiet_until = time.monotonic() + QUIET
            log.warning("doorbell.failed", why=type(error).__name__, quiet_for=QUIET)
            return False
        return True

    def _publish(self, queue: str, task: str, args: tuple[str, ...]) -> None:
        self._celery().send_task(
            task,
            args=args,
            queue=queue,
            ignore_result=True,
            retry=False,
            argsrepr="()",
        )

    def _celery(self) -> Any:
        with self._lock:
            if self._app is None or self._pid != os.getpid():
                # Imported here: a web app that never enqueues does not pay for it.
                from celery import Celery

                self._pid = os.getpid()
                self._app = Celery("xinshi-producer", set_as_current=False)
                self._app.conf.update(broker.options(self._settings))
                self._app.conf.broker_transport_options |= {"socket_timeout": broker.PATIENCE}
            return self._app
