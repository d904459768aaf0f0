"""A thread with an event loop of its own that looks for something to do, until it is stopped."""

import asyncio
import contextlib
import os
import signal
import threading
from abc import ABC, abstractmethod

import structlog

log = structlog.get_logger()


class BackgroundService(ABC):
    """Looks when it is rung, and by itself; `_drive` says for what."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._bell = asyncio.Event()
        self._started = threading.Event()
        self._stopping = False

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()
        self._started.wait()

    def ring(self) -> None:
        """Look now. May be called from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._bell.set)

    def halt(self) -> None:
        """Begin nothing new."""
        self._stopping = True
        self.ring()

    def stop(self, patience: float) -> bool:
        """Wait until what is under way is finished; False when that takes longer."""
        self.halt()
        self._thread.join(patience)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            asyncio.run(self._begin())
        finally:
            if not self._stopping:
                # Whoever watches processes sees one that ended, not one that is deaf.
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
