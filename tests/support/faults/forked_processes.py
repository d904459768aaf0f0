"""Processes to be killed: forked from one that has everything imported, so that each costs little.

They do what `python -m worker` does, without Celery around it; the tests that are about Celery, the
broker or a whole machine start the real one.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    ["worker.runtime.process", "producer.client", "tests.support.faults.forked_processes"]
)


def fork(what: Callable[..., None], log: Path, points: str, *words: Any) -> BaseProcess:
    """Start `what(*words)` in a process of its own, with failpoints, its output in `log`."""
    process = _context.Process(target=_begin, args=(what, log, points, words), daemon=True)
    process.start()
    return process


def end_with_parent() -> None:
    """Ask Linux to kill this process when the one that started it is gone; elsewhere nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _begin(what: Callable[..., None], log: Path, points: str, words: Sequence[Any]) -> None:
    from tests.support import roster
    from worker import failpoints
    from worker.runtime import logs

    roster.install()
    end_with_parent()
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    failpoints._armed = failpoints._parse(points)
    logs.configure("INFO")
    what(*words)


def work(config: Path, classes: Sequence[str], *, ticks: bool = True) -> None:
    """Run the lanes of classes, and the ticks if wanted, until TERM."""
    from worker.config.settings import load
    from worker.domain.enums import MessageClass
    from worker.runtime.process import WorkerProcess

    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    runtime = WorkerProcess(load(config, {}), [MessageClass(name) for name in classes])
    parts = [*runtime.lanes.values(), *([runtime.ticker] if ticks else [])]
    for part in parts:
        part.start()
    # A signal that another thread is given does not interrupt this one.
    while not told.wait(0.05):
        pass
    for part in parts:
        part.halt()
    clean = [part.stop(5.0) for part in parts]
    if not all(clean):
        raise SystemExit(3)


def lanes(config: Path, classes: Sequence[str]) -> None:
    """Run lanes alone: stopped, such a process holds no turn of the database by accident."""
    work(config, classes, ticks=False)


def enqueue(config: Path, to: Sequence[str], text: str, words: dict[str, Any]) -> None:
    """Enqueue once, and end."""
    from producer import Producer
    from worker.config.settings import load

    producer = Producer(load(config, {}))
    producer.enqueue(to, text, **words)
    producer.close()


def load_campaign(config: Path, to: Sequence[str], text: str, key: str) -> None:
    """Load a campaign, and end."""
    from producer import Producer
    from worker.config.settings import load

    producer = Producer(load(config, {}))
    producer.enqueue_campaign(key, to, text, key=key)
    producer.close()
