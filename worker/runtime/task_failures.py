"""Log what Celery cannot run, or what failed, without the arguments that Celery would print.

Arguments of tasks may hold numbers and texts: those of the Celery door do, and those of another
application's task that came into our queues may.
"""

import re
import traceback
from typing import Any

import structlog
from celery.utils.log import get_logger
from celery.worker.consumer import Consumer

from worker.runtime import old_queues

log = structlog.get_logger()

#: The form of a task's name; anything else in its place is not logged.
_TASK_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,99}")


class DiscreetConsumer(Consumer):  # type: ignore[misc]
    """Celery's consumer, which drops a message that is no task of ours and does not print it.

    What came under an old name of a queue goes back to its owner (`old_queues`).
    """

    def on_unknown_message(self, body: object, message: Any) -> None:
        """Drop a message that is no task."""
        self._drop(message, "it is no task")

    def on_unknown_task(self, body: object, message: Any, exc: Exception) -> None:
        """Drop a task that we do not have."""
        self._drop(message, "there is no such task")

    def on_invalid_task(self, body: object, message: Any, exc: Exception) -> None:
        """Drop a task whose form is wrong."""
        self._drop(message, "its form is wrong")

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Drop a message that cannot be decoded."""
        self._drop(message, "it cannot be decoded")

    def _drop(self, message: Any, why: str) -> None:
        if old_queues.leave(self, message):
            return
        headers = message.headers if isinstance(message.headers, dict) else {}
        log.error("broker.foreign_message", why=why, task=_shown_name(headers.get("task")))
        message.reject_log_error(get_logger(__name__), self.connection_errors)


def log_failure(sender: Any, exception: BaseException, **_: Any) -> None:
    """Log a task that failed: where, and the kind of the error; its words may repeat arguments."""
    stack = "".join(traceback.format_tb(exception.__traceback__))
    log.error("task.failed", task=sender.name, why=type(exception).__name__, stack=stack)


def _shown_name(name: object) -> str | None:
    """Return a task's name; None for what has another form, or digits as a number has them."""
    shown = str(name)
    is_name = _TASK_NAME.fullmatch(shown) and not re.search(r"\d{5}", shown)
    return shown if is_name else None
