"""Configures logging: event names with fields, to standard error.

No log entry holds a whole number, a text or a secret.
"""

import logging
import sys
from collections.abc import Iterable
from typing import Any

import structlog

from worker.domain.errors import Problem
from worker.runtime import library_logs

log = structlog.get_logger()

#: Loggers of libraries, and the least level that is heard of them, where lower ones name URLs or
#: print the arguments of tasks. `worker.runtime.task_failures` logs in place of the silent ones.
_SILENT = logging.CRITICAL + 1
_LEAST_LEVELS = {
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "kombu": logging.WARNING,
    "alembic": logging.WARNING,
    "celery": logging.INFO,
    "celery.beat": logging.WARNING,
    "celery.app.trace": _SILENT,
    "celery.worker.strategy": _SILENT,
}


def configure(level: str = "INFO", *, json: bool | None = None) -> None:
    """Send structlog and the libraries' logging to standard error; JSON unless on a terminal."""
    as_json = not sys.stderr.isatty() if json is None else json
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[*processors, structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=[*processors, library_logs.name_event],
        )
    )
    library_logs.tell_broker_outages()
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, least_level in _LEAST_LEVELS.items():
        logging.getLogger(name).setLevel(max(least_level, logging.getLevelName(level)))


def warn_of_variables(warnings: Iterable[Problem]) -> None:
    """Log the variables of the environment that are called as ours and are not read."""
    for warning in warnings:
        log.warning("environment.not_read", variable=warning.where, why=warning.what)
