"""Ring the doorbell: tell the workers of a class, in bounded time, that there may be work.

A ring raises no error: a broker that does not answer costs latency only, because workers look by
themselves. After a failed ring this process does not ring for ten seconds.
"""

import os
import threading
import time
from typing import Any

from worker import outages
from worker.config.settings import Settings
from worker.domain.enums import MessageClass
from worker.runtime import broker, pending_doorbells

#: How long this process does not ring after a ring that failed.
QUIET_SECONDS = 10.0


class Doorbell:
    """The doorbell of one configuration. Threads may share it; after a fork it connects anew."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._quiet_until = 0.0
        self._app: Any = None
        self._app_pid = 0
        self._lock = threading.Lock()

    def ring(self, message_class: MessageClass) -> bool:
        """Ring for a class; False when the broker did not take it or is not tried at the moment."""
        return self._ring(message_class.value, broker.RING_TASK, (message_class.value,))

    def tick(self) -> bool:
        """Ring for the ticks, because something came in to be read; returns as `ring` does."""
        return self._ring(broker.TICKS_QUEUE, broker.TICK_TASK, ())

    def _ring(self, kind: str, task: str, args: tuple[str, ...]) -> bool:
        """Put a doorbell into a queue that has none yet; False when it could not be put."""
        queue = broker.queue_name(kind)
        if time.monotonic() < self._quiet_until:
            return False
        try:
            if pending_doorbells.can_ring(self._settings):
                pending_doorbells.ring(
                    self._settings, kind, broker.encode_doorbell(task, queue, args)
                )
            elif pending_doorbells.set_mark(self._settings, kind):
                self._publish(queue, task, args)
        except Exception as error:  # noqa: BLE001 - whatever a broker raises, the message is stored
            self._quiet_until = time.monotonic() + QUIET_SECONDS
            outages.BROKER.failed(type(error).__name__)
            return False
        outages.BROKER.answered()
        return True

    def _publish(self, queue: str, task: str, args: tuple[str, ...]) -> None:
        self._celery_app().send_task(
            task,
            args=args,
            queue=queue,
            ignore_result=True,
            retry=False,
            argsrepr="()",
        )

    def _celery_app(self) -> Any:
        with self._lock:
            if self._app is None or self._app_pid != os.getpid():
                # Imported here, so that a web app that never enqueues does not load Celery.
                from celery import Celery

                self._app_pid = os.getpid()
                self._app = Celery("xinshi-producer", set_as_current=False)
                self._app.conf.update(broker.celery_options(self._settings))
                self._app.conf.broker_transport_options |= {
                    "socket_timeout": broker.DOORBELL_TIMEOUT
                }
            return self._app
