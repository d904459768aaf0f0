"""What all rooms of the web process stand on: the configuration, the database, the bell.

The store is synchronous; whatever touches it goes through `run`, to threads that are no more than
there are connections, so that nobody waits for a connection while holding a thread.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Annotated, ParamSpec, TypeVar, cast

from fastapi import Depends
from sqlalchemy import Engine
from starlette.requests import HTTPConnection

from producer.client import Producer
from worker.config.settings import Settings
from worker.domain.enums import MessageClass

Out = TypeVar("Out")
Given = ParamSpec("Given")

#: Threads for calls, for what takes long (loading a campaign, an export), for probes, for the bell.
CALLS, LONG, PROBES, BELLS = 8, 2, 1, 1
#: With work waiting and none finished for so long, in seconds, the process has got stuck.
STUCK = 60.0


class AppContext:
    """One for each process, made by `app.create`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.producer = Producer(settings)
        self._calls = ThreadPoolExecutor(CALLS, "calls")
        self._long = ThreadPoolExecutor(LONG, "long")
        self._probes = ThreadPoolExecutor(PROBES, "probes")
        self._bells = ThreadPoolExecutor(BELLS, "bells")
        #: Sender and key of the campaigns that are being loaded here.
        self.loading: set[tuple[str, str | None]] = set()
        self._ringing: set[str] = set()
        self._lock = threading.Lock()
        self._waiting = 0
        self._moved = time.monotonic()

    @property
    def engine(self) -> Engine:
        """The database."""
        return self.producer.engine

    async def run(
        self, work: Callable[Given, Out], *args: Given.args, **kwargs: Given.kwargs
    ) -> Out:
        """Do short work with the database, away from the event loop."""
        if self._waiting == 0:
            self._moved = time.monotonic()
        self._waiting += 1
        try:
            return await self._in(self._calls, partial(work, *args, **kwargs))
        finally:
            self._waiting -= 1
            self._moved = time.monotonic()

    async def run_long(
        self, work: Callable[Given, Out], *args: Given.args, **kwargs: Given.kwargs
    ) -> Out:
        """Do work that may take minutes: it never keeps a short call waiting."""
        return await self._in(self._long, partial(work, *args, **kwargs))

    async def probe(self, work: Callable[[], Out]) -> Out:
        """Do a probe's work, which does not wait behind the calls that it is about."""
        return await self._in(self._probes, work)

    async def _in(self, pool: ThreadPoolExecutor, work: Callable[[], Out]) -> Out:
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    @property
    def stuck_for(self) -> float:
        """How long nothing has been finished although something waits, in seconds."""
        return time.monotonic() - self._moved if self._waiting else 0.0

    def ring(self, message_class: MessageClass) -> None:
        """Tell the workers of a class, some time soon; many rings are one."""
        self._ring(message_class.value, lambda: self.producer.ring(message_class))

    def tick(self) -> None:
        """Tell some worker to read what was pushed, some time soon."""
        self._ring("ticks", self.producer.tick)

    def _ring(self, name: str, bell: Callable[[], object]) -> None:
        with self._lock:
            if name in self._ringing:
                return
            self._ringing.add(name)

        def ring() -> None:
            # Whoever commits from here on rings anew.
            with self._lock:
                self._ringing.discard(name)
            bell()

        self._bells.submit(ring)

    def close(self) -> None:
        """Finish what is under way and let go of the database."""
        for pool in (self._calls, self._long, self._probes, self._bells):
            pool.shutdown(wait=True, cancel_futures=False)
        self.producer.close()


async def app_context(connection: HTTPConnection) -> AppContext:
    """Return the desk of the application that a request came to.

    As a coroutine it is called in the event loop: a plain function would be called in a thread.
    """
    return cast("AppContext", connection.app.state.context)


Context = Annotated[AppContext, Depends(app_context)]
