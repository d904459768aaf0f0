"""The base of what runs in a worker process: a thread that looks for work until it is stopped."""

import asyncio
import contextlib
import os
import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import structlog

log = structlog.get_logger()
Out = TypeVar("Out")


class BackgroundService(ABC):
    """A thread with an event loop of its own; what it looks for and does is in `_drive`.

    It looks when it is rung, and by itself every so often.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._bell = asyncio.Event()
        self._started = threading.Event()
        self._stopping = False

    def start(self) -> None:
        """Start the thread; return when its loop runs."""
        self._thread.start()
        self._started.wait()

    def ring(self) -> None:
        """Make it look now. May be called from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._bell.set)

    def halt(self) -> None:
        """Make it begin nothing new, and end once what is under way is finished."""
        self._stopping = True
        self.ring()

    def stop(self, timeout: float) -> bool:
        """Halt, and wait until what is under way is finished; False when that takes longer."""
        self.halt()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            asyncio.run(self._begin())
        finally:
            if not self._stopping:
                # A supervisor restarts a process that ended, but not one that no longer works.
                log.critical("looker.died", thread=self.name)
                os.kill(os.getpid(), signal.SIGTERM)

    async def _begin(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._started.set()
        await self._drive()

    @abstractmethod
    async def _drive(self) -> None:
        """Look and work until `_stopping`, then finish what is under way."""

    async def _wait(self, seconds: float) -> None:
        """Wait for the bell, so long at the most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._bell.wait()

    async def _in_thread(self, threads: ThreadPoolExecutor, work: Callable[[], Out]) -> Out:
        """Run blocking work in one of the threads, and return what it returns."""
        return await asyncio.get_running_loop().run_in_executor(threads, work)
