"""Make the writers of an SQLite file queue for a file lock, so that none of them waits for ever.

SQLite's own waiting lets a busy writer starve the others; the kernel's queue for an flock does so
less. A process that is frozen while it writes keeps the lock: the waiters give up after a while,
and each keeps its position in the queue for its next try.

When the lock is released the kernel wakes who waits first, and gives it to whoever asks first: a
writer that begins again at once overtakes all the others. So who gives way looks before whether
somebody waits.
"""

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from worker.domain.errors import Unavailable

#: How long a writer that gives way waits at the most until nobody else does. Where others wait all
#: the time it writes so often all the same.
MAX_GIVEN_SECONDS = 0.1
#: After how long it looks again; and how often a waiter tries to show that it waits.
_LOOK_SECONDS = 0.001
_TRIES = 20


def _open(file: Path) -> int:
    try:
        return os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        msg = f"the database's lock file cannot be opened: {error.strerror}"
        raise Unavailable(msg) from error


class WaiterMark:
    """Shows on one file that somebody waits; it is gone with the process that shows it."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Run the block while the mark is shown. Several may show it at a time."""
        descriptor = _open(self._file)
        try:
            # Who looks holds it for a moment. One that is frozen just then is not waited for.
            for _ in range(_TRIES):
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
                    break
                time.sleep(_LOOK_SECONDS / 10)
            yield
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def held(self, timeout: float) -> Iterator[None]:
        """Wait until nobody shows it, `MAX_GIVEN_SECONDS` at the most, and run the block then."""
        deadline = time.monotonic() + min(timeout, MAX_GIVEN_SECONDS)
        while self._is_shown() and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
        yield

    def _is_shown(self) -> bool:
        descriptor = _open(self._file)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False


class FairFileLock:
    """A lock on one file that is given to its waiters in the order in which they came.

    There is one for each process; the threads of the process share it. Whoever waits for it shows
    `mark`, if there is one.
    """

    def __init__(self, file: Path, mark: WaiterMark | None = None) -> None:
        self._file = file
        self._mark = mark
        self._mutex = threading.Lock()
        #: Positions in the kernel's queue whose waiter gave up.
        self._abandoned: list[_QueuedLock] = []

    @contextlib.contextmanager
    def held(self, timeout: float) -> Iterator[None]:
        """Run the block while the lock is held.

        Raises `Unavailable` when it is not to be had within `timeout` seconds.
        """
        descriptor = self._acquire(timeout)
        try:
            yield
        finally:
            os.close(descriptor)

    def _acquire(self, timeout: float) -> int:
        """Return an open descriptor that has the lock; closing it releases the lock."""
        # One descriptor for each holder: it is neither shared by threads nor inherited by forks.
        descriptor = _open(self._file)
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        with self._mark.shown() if self._mark else contextlib.nullcontext():
            return self._wait(descriptor, timeout)

    def _wait(self, descriptor: int, timeout: float) -> int:
        queued = self._resume_abandoned()
        if queued is None:
            queued = _QueuedLock(descriptor)
        else:
            os.close(descriptor)
        if queued.wait(timeout):
            return queued.descriptor
        with self._mutex:
            self._abandoned.append(queued)
        msg = (
            f"no turn to write at {self._file.name} within {timeout:.0f} s: another process is"
            " stopped while it writes, or very slow"
        )
        raise Unavailable(msg)

    def _resume_abandoned(self) -> "_QueuedLock | None":
        """Return the oldest abandoned position that is still in the queue; None when none is."""
        with self._mutex:
            while self._abandoned:
                queued = self._abandoned.pop(0)
                if queued.resume():
                    return queued
        return None


class _QueuedLock:
    """A position in the kernel's queue for the lock, kept by a thread that blocks in it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._changed = threading.Condition()
        self._is_wanted = True
        self._is_acquired = False
        threading.Thread(target=self._block, name="turn", daemon=True).start()

    def _block(self) -> None:
        """Block until the kernel grants the lock; release it at once when nobody wants it now."""
        fcntl.flock(self.descriptor, fcntl.LOCK_EX)
        with self._changed:
            self._is_acquired = True
            if not self._is_wanted:
                os.close(self.descriptor)
            self._changed.notify()

    def wait(self, timeout: float) -> bool:
        """Wait for the lock, which is then the caller's; False when it does not come in time."""
        with self._changed:
            self._is_wanted = self._changed.wait_for(lambda: self._is_acquired, timeout)
            return self._is_wanted

    def resume(self) -> bool:
        """Want the lock again; False when it was granted and released meanwhile."""
        with self._changed:
            self._is_wanted = not self._is_acquired
            return self._is_wanted
