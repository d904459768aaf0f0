"""The Celery app: `celery -A worker worker -Q otp`, `celery -A worker beat`.

The work is done by threads that each worker process starts after its fork; Celery brings doorbells
and keeps the processes alive.
"""

from collections.abc import Iterable
from typing import Any

from celery import Celery, signals
from celery.signals import Signal

from worker.config.settings import Settings, load
from worker.domain.enums import MessageClass
from worker.runtime import broker, gc_tuning, logs
from worker.runtime.process import Runtime
from worker.runtime.tasks import Here, register

#: How often beat rings for the ticks; every process looks by itself as well.
BEAT = 15.0


def application(settings: Settings) -> Celery:
    """Return the app of a configuration."""
    broker.check(settings)
    made = Celery("xinshi", set_as_current=True)
    made.conf.update(
        broker.options(settings),
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_prefetch_multiplier=1,
        # Its reply queues would keep what tasks carry; `xinshi doctor --probe` tells more.
        worker_enable_remote_control=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        # Nothing that beat knows has to outlive it: what is due stands in the database.
        beat_scheduler="celery.beat:Scheduler",
        beat_schedule={
            "ticks": {
                "task": broker.TICK,
                "schedule": BEAT,
                "options": {"queue": broker.TICKS, "expires": 900},
            }
        },
    )
    register(made, settings)
    _start_with(made, settings)
    return made


def classes_of(queues: Iterable[str]) -> list[MessageClass]:
    """Return the classes whose queues a worker serves."""
    names = set(queues)
    return [one for one in MessageClass if one.value in names]


def _start_with(app: Celery, settings: Settings) -> None:
    """Start the runtime where tasks run: in each forked child, or in the one process there is."""

    def start(**_: Any) -> None:
        if Here.runtime is not None:
            # The solo pool says that its process began, and its worker then that it is ready.
            return
        logs.configure(settings.top.log_level)
        Here.runtime = Runtime(settings, classes_of(app.amqp.queues.consume_from))
        Here.runtime.start()
        gc_tuning.settle()

    def start_here(sender: Any, **_: Any) -> None:
        if not _forks(sender):
            start()

    def stop(**_: Any) -> None:
        if Here.runtime is not None:
            Here.runtime.stop()
            Here.runtime = None

    def halt(**_: Any) -> None:
        # Celery may take seconds to leave its loop: until then nothing new begins.
        if Here.runtime is not None:
            Here.runtime.halt()

    def log_setup(**_: Any) -> None:
        logs.configure(settings.top.log_level)

    _connect(signals.setup_logging, log_setup)
    _connect(signals.worker_process_init, start)
    _connect(signals.worker_process_shutdown, stop)
    _connect(signals.worker_ready, start_here)
    _connect(signals.worker_shutting_down, halt)
    _connect(signals.worker_shutdown, stop)


def _connect(signal: Signal, receiver: Any) -> None:
    signal.connect(receiver, weak=False)


def _forks(consumer: Any) -> bool:
    pool = getattr(consumer, "pool", None)
    return type(pool).__module__.endswith("prefork")


def __getattr__(name: str) -> Any:
    """Build `app` when it is asked for: importing this module needs no configuration."""
    if name != "app":
        raise AttributeError(name)
    globals()["app"] = made = application(load())
    return made
