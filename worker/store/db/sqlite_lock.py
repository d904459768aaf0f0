"""Turns at an SQLite file: writers queue for a file lock, and nobody waits for ever.

SQLite's own waiting lets a busy writer starve the others; the kernel's queue for an flock does not.
A process that is frozen while it writes keeps its turn: whoever waits gives up after a while, and
keeps the place in the queue for its next try.
"""

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from worker.domain.errors import Unavailable


class Turns:
    """One process's turns at one file; its threads share it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        #: Places in the queue whose waiter gave up.
        self._left: list[_Place] = []

    @contextlib.contextmanager
    def turn(self, patience: float) -> Iterator[None]:
        """Run the block when it is its turn.

        Raises `Unavailable` when that is not within `patience` seconds.
        """
        held = self._take(patience)
        try:
            yield
        finally:
            os.close(held)

    def _take(self, patience: float) -> int:
        # One descriptor for each turn: it is neither shared by threads nor inherited by forks.
        descriptor = self._open()
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        place = self._left_over()
        if place is None:
            place = _Place(descriptor)
        else:
            os.close(descriptor)
        if place.wait(patience):
            return place.descriptor
        with self._lock:
            self._left.append(place)
        msg = (
            f"no turn to write at {self._file.name} within {patience:.0f} s: another process is"
            " stopped while it writes, or very slow"
        )
        raise Unavailable(msg)

    def _left_over(self) -> "_Place | None":
        """Go on in a place that was given up, if one is in the queue still."""
        with self._lock:
            while self._left:
                place = self._left.pop(0)
                if place.go_on():
                    return place
        return None

    def _open(self) -> int:
        try:
            return os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            msg = f"the database's lock file cannot be opened: {error.strerror}"
            raise Unavailable(msg) from error


class _Place:
    """A place in the kernel's queue, kept by a thread that sleeps in it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._changed = threading.Condition()
        self._wanted = True
        self._reached = False
        threading.Thread(target=self._sleep, name="turn", daemon=True).start()

    def _sleep(self) -> None:
        fcntl.flock(self.descriptor, fcntl.LOCK_EX)
        with self._changed:
            self._reached = True
            if not self._wanted:
                os.close(self.descriptor)
            self._changed.notify()

    def wait(self, patience: float) -> bool:
        """Wait for the turn, which is then the caller's; False when it does not come in time."""
        with self._changed:
            self._wanted = self._changed.wait_for(lambda: self._reached, patience)
            return self._wanted

    def go_on(self) -> bool:
        """Want the turn again; False when it came and went meanwhile."""
        with self._changed:
            self._wanted = not self._reached
            return self._wanted
