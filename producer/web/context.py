"""The context that all routes of the web process share: configuration, database, doorbell.

The store is synchronous. Every call of it goes through `run`, to a pool with as many threads as
there are database connections, so that no thread waits for a connection.
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

Result = TypeVar("Result")
Params = ParamSpec("Params")

#: Threads for short calls, for calls that take minutes (loading a campaign, an export), for probes
#: and for doorbells.
CALL_THREADS, LONG_CALL_THREADS, PROBE_THREADS, DOORBELL_THREADS = 8, 2, 1, 1
#: The process counts as stuck when calls wait and none has finished for so many seconds.
STUCK_SECONDS = 60.0


class AppContext:
    """The shared state of one web process; `app.create` makes it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.producer = Producer(settings)
        self._calls = ThreadPoolExecutor(CALL_THREADS, "calls")
        self._long = ThreadPoolExecutor(LONG_CALL_THREADS, "long")
        self._probes = ThreadPoolExecutor(PROBE_THREADS, "probes")
        self._doorbells = ThreadPoolExecutor(DOORBELL_THREADS, "bells")
        #: Sender and idempotency key of each campaign that this process is loading.
        self.loading_campaigns: set[tuple[str, str | None]] = set()
        self._ringing: set[str] = set()
        self._lock = threading.Lock()
        self._calls_waiting = 0
        self._progressed_at = time.monotonic()

    @property
    def engine(self) -> Engine:
        """Return the engine of the database."""
        return self.producer.engine

    async def run(
        self, work: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs
    ) -> Result:
        """Run short database work in a thread, away from the event loop."""
        if self._calls_waiting == 0:
            self._progressed_at = time.monotonic()
        self._calls_waiting += 1
        try:
            return await self._run_in(self._calls, partial(work, *args, **kwargs))
        finally:
            self._calls_waiting -= 1
            self._progressed_at = time.monotonic()

    async def run_long(
        self, work: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs
    ) -> Result:
        """Run work that may take minutes, in a pool of its own: short calls do not wait for it."""
        return await self._run_in(self._long, partial(work, *args, **kwargs))

    async def probe(self, work: Callable[[], Result]) -> Result:
        """Run the work of a health probe, in a pool of its own: it does not wait behind calls."""
        return await self._run_in(self._probes, work)

    async def _run_in(self, pool: ThreadPoolExecutor, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    @property
    def stuck_for(self) -> float:
        """Return for how many seconds calls have waited while none finished; 0 if none waits."""
        return time.monotonic() - self._progressed_at if self._calls_waiting else 0.0

    def ring(self, message_class: MessageClass) -> None:
        """Ring the workers of a class soon; rings that come before it is done are one."""
        self._ring(message_class.value, lambda: self.producer.ring(message_class))

    def tick(self) -> None:
        """Ring for the ticks soon, so that a worker reads what was pushed."""
        self._ring("ticks", self.producer.tick)

    def _ring(self, name: str, ring_workers: Callable[[], object]) -> None:
        with self._lock:
            if name in self._ringing:
                return
            self._ringing.add(name)

        def ring() -> None:
            # A commit after this point rings anew.
            with self._lock:
                self._ringing.discard(name)
            ring_workers()

        self._doorbells.submit(ring)

    def close(self) -> None:
        """Finish the calls that are under way, then close the database."""
        for pool in (self._calls, self._long, self._probes, self._doorbells):
            pool.shutdown(wait=True, cancel_futures=False)
        self.producer.close()


async def app_context(connection: HTTPConnection) -> AppContext:
    """Return the context of the application that a request came to.

    It is a coroutine because FastAPI calls a plain function in a thread, which costs more.
    """
    return cast("AppContext", connection.app.state.context)


Context = Annotated[AppContext, Depends(app_context)]
