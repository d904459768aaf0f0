"""Builds the Celery app: `celery -A worker worker -Q otp`, `celery -A worker beat`.

The work is done by threads that each worker process starts after its fork; Celery brings doorbells
and keeps the processes alive.
"""

import sys
from collections.abc import Iterable
from functools import partial
from typing import Any

import billiard
from celery import Celery, signals
from celery.signals import Signal

from worker import outages
from worker.config import secret_places
from worker.config.settings import Settings, load
from worker.domain.enums import MessageClass
from worker.domain.errors import ConfigurationError
from worker.runtime import (
    broker,
    gc_tuning,
    logs,
    old_queues,
    redis_server,
    socket_folder,
    task_failures,
    thread_switches,
)
from worker.runtime.process import WorkerProcess
from worker.runtime.tasks import CurrentWorker, register

#: How often beat rings for the ticks; every process looks by itself as well.
BEAT_SECONDS = 15.0


def application(settings: Settings) -> Celery:
    """Return the app of a configuration.

    Raises `ConfigurationError` with all secrets that cannot be read, and what the broker lacks.
    """
    secret_places.require_secrets(settings)
    broker.check(settings)
    socket_folder.check(settings)
    app = Celery("xinshi", set_as_current=True)
    app.conf.update(
        broker.celery_options(settings),
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_prefetch_multiplier=1,
        worker_consumer="worker.runtime.task_failures:DiscreetConsumer",
        # Its reply queues would keep what tasks carry; `xinshi doctor --probe` tells more.
        worker_enable_remote_control=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        # Beat need not remember anything when it ends: the database holds which ticks are due.
        beat_scheduler="celery.beat:Scheduler",
        beat_schedule={
            "ticks": {
                "task": broker.TICK_TASK,
                "schedule": BEAT_SECONDS,
                "options": {"queue": broker.queue_name(broker.TICKS_QUEUE), "expires": 900},
            }
        },
    )
    register(app, settings)
    _connect_signals(app, settings)
    return app


def classes_of(queues: Iterable[str]) -> list[MessageClass]:
    """Return the classes whose queues a worker serves."""
    kinds = set(map(broker.kind_of, queues))
    return [message_class for message_class in MessageClass if message_class.value in kinds]


def _connect_signals(app: Celery, settings: Settings) -> None:
    """Let Celery's signals start and stop a worker process where tasks run.

    That is in each forked child, or in the only process of a pool that does not fork.
    """

    def start(**_: Any) -> None:
        if CurrentWorker.process is not None:
            # The solo pool sends both `worker_process_init` and `worker_ready`.
            return
        logs.configure(settings.top.log_level)
        classes = classes_of(app.amqp.queues.consume_from)
        CurrentWorker.process = WorkerProcess(settings, classes, child=_child_number())
        CurrentWorker.process.start()
        gc_tuning.tune()
        thread_switches.tune()

    def start_unless_forking(sender: Any, **_: Any) -> None:
        if not _forks(sender):
            start()

    def stop(**_: Any) -> None:
        if CurrentWorker.process is not None:
            CurrentWorker.process.stop()
            CurrentWorker.process = None

    def halt(**_: Any) -> None:
        # Celery may take seconds to leave its loop: until then nothing new begins.
        if CurrentWorker.process is not None:
            CurrentWorker.process.halt()

    def log_setup(**_: Any) -> None:
        logs.configure(settings.top.log_level)
        logs.warn_of_variables(settings.warnings)

    _connect(signals.after_task_publish, _note_publish)
    _connect(signals.celeryd_init, partial(_refuse_old_redis, settings))
    _connect(signals.celeryd_after_setup, _after_setup)
    _connect(signals.setup_logging, log_setup)
    _connect(signals.task_failure, task_failures.log_failure)
    _connect(signals.worker_process_init, start)
    _connect(signals.worker_process_shutdown, stop)
    _connect(signals.worker_ready, start_unless_forking)
    _connect(signals.worker_shutting_down, halt)
    _connect(signals.worker_shutdown, stop)


def _note_publish(**_: Any) -> None:
    """Note that the broker took a doorbell: beat does not say that it is connected again."""
    outages.BROKER.answered()


def _connect(signal: Signal, receiver: Any) -> None:
    # Celery would forget a local function if it held it weakly.
    signal.connect(receiver, weak=False)


def _refuse_green_pool(worker: Any) -> None:
    """End a worker whose threads would be none: a code would wait for whatever else is done."""
    pool = worker.pool_cls.__module__.rpartition(".")[2]
    if pool in {"gevent", "eventlet"}:
        sys.exit(
            f"error: --pool {pool}: use solo, prefork or threads; lanes are threads of their own"
        )


def _after_setup(instance: Any, **_: Any) -> None:
    _refuse_green_pool(instance)
    old_queues.hear(instance.app)


def _refuse_old_redis(settings: Settings, **_: Any) -> None:
    """End a worker whose Redis refuses every connection: Celery would go on trying, unheard."""
    try:
        redis_server.check(settings)
    except ConfigurationError as error:
        sys.exit("\n".join(f"error: configuration: {problem}" for problem in error.problems))


def _child_number() -> int:
    """Return which child of its worker this process is, from 0; 0 in a pool that does not fork.

    A child that takes the place of another one has its number.
    """
    return getattr(billiard.current_process(), "index", 0)


def _forks(consumer: Any) -> bool:
    """Tell whether a worker runs its tasks in forked children."""
    pool = getattr(consumer, "pool", None)
    return type(pool).__module__.endswith("prefork")


def __getattr__(name: str) -> Any:
    """Build `app` when it is asked for: importing this module needs no configuration."""
    if name != "app":
        raise AttributeError(name)
    globals()["app"] = app = application(load())
    return app
