"""A lane: one class in one worker process, an event loop in a thread of its own.

It looks for work when its doorbell rings, when one of its submissions ends, and by itself every
`look_every`; so everything drains with the broker dead. Connections to the database are its own:
a campaign never delays a code.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar, cast

import structlog
from sqlalchemy import Engine

from worker import database, submitting
from worker.errors import XinshiError
from worker.settings import Settings
from worker.store import accounts, submissions
from worker.submitting import CROWDED, Answer, Claim, Ready
from worker.terms import MessageClass, Outcome
from worker.wire import Wire

log = structlog.get_logger()
Out = TypeVar("Out")

#: Outcomes are written together when they come within this many seconds.
FLUSH = 0.02
#: How long a lane waits after the database failed, in seconds.
AFTER_A_FAILURE = 1.0


class Lane:
    """Drives the submissions of one class until it is stopped."""

    def __init__(
        self, settings: Settings, engine: Engine, message_class: MessageClass, owner: str
    ) -> None:
        self.settings = settings
        self.engine = engine
        self.message_class = message_class
        self.owner = owner
        self._thread = threading.Thread(target=self._run, name=f"lane-{message_class}", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._bell = asyncio.Event()
        self._started = threading.Event()
        self._stopping = False
        self._crowded = False
        self._calls: set[asyncio.Task[None]] = set()
        self._answers: list[Answer] = []
        self._answered = asyncio.Event()

    def start(self) -> None:
        """Begin to look for work."""
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
        """Wait until what is under way is finished and recorded; False when that takes longer."""
        self.halt()
        self._thread.join(patience)
        return not self._thread.is_alive()

    def _run(self) -> None:
        asyncio.run(self._drive())

    async def _drive(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._started.set()
        wire = Wire()
        with ThreadPoolExecutor(2, thread_name_prefix="lane-db") as threads:
            recorder = asyncio.create_task(self._record_all(threads))
            try:
                while not self._stopping:
                    self._bell.clear()
                    if not await self._look(threads, wire):
                        every = self.settings.top.look_every
                        await self._wait(min(every, CROWDED) if self._crowded else every)
                while self._calls:
                    await asyncio.wait(self._calls)
            finally:
                self._stopping = True
                self._answered.set()
                await recorder
                await wire.close()

    async def _look(self, threads: ThreadPoolExecutor, wire: Wire) -> bool:
        """Claim and begin what there is; False when there was nothing, or no room for it."""
        try:
            ready = await self._in(threads, self._claim)
        except XinshiError as error:
            log.warning("lane.claim_failed", lane=self.message_class.value, why=str(error))
            await self._wait(AFTER_A_FAILURE)
            return True
        except Exception as error:
            # A fault of ours: what was claimed comes back when its lease ends.
            log.exception(
                "lane.claim_failed", lane=self.message_class.value, why=type(error).__name__
            )
            await self._wait(AFTER_A_FAILURE)
            return True
        for one in ready:
            self._calls.add(asyncio.create_task(self._submit(one, wire)))
        return bool(ready)

    def _claim(self) -> list[Ready]:
        """Claim and write ahead in one transaction: nothing has to be asked in between."""
        with database.writing(self.engine) as connection:
            claim = Claim(
                self.settings,
                self.message_class,
                self.owner,
                self._room(submissions.under_way(connection)),
                accounts.held(connection),
                datetime.now(UTC),
            )
            leases = claim.take(connection)
            self._crowded = claim.crowded
            return submitting.write_ahead(connection, self.settings, leases) if leases else []

    def _room(self, under_way: Mapping[str, int]) -> dict[str, int]:
        return {
            name: account.settings.concurrency - under_way.get(name, 0)
            for name, account in self.settings.accounts.items()
        }

    async def _submit(self, ready: Ready, wire: Wire) -> None:
        answer = await submitting.call(ready, wire.call, self.settings)
        self._answers.append(answer)
        # Not by a callback: the recorder has to see at once that nothing more is awaited.
        self._calls.discard(cast("asyncio.Task[None]", asyncio.current_task()))
        self._answered.set()

    async def _record_all(self, threads: ThreadPoolExecutor) -> None:
        """Write outcomes in groups of `FLUSH`; at once when no other call is awaited."""
        while not (self._stopping and not self._calls and not self._answers):
            await self._answered.wait()
            self._answered.clear()
            if self._calls:
                await asyncio.sleep(FLUSH)
            answers, self._answers = self._answers, []
            if answers:
                await self._record(threads, answers)
                self._bell.set()

    async def _record(self, threads: ThreadPoolExecutor, answers: Sequence[Answer]) -> None:
        while True:
            try:
                await self._in(threads, partial(self._write, answers))
            except XinshiError as error:
                log.warning("lane.record_failed", lane=self.message_class.value, why=str(error))
                await asyncio.sleep(AFTER_A_FAILURE)
            except Exception as error:
                # A fault of ours: the sweep will show these as unknown.
                log.exception("lane.record_failed", why=type(error).__name__)
                return
            else:
                break
        for answer in answers:
            _tell(answer)

    def _write(self, answers: Sequence[Answer]) -> None:
        with database.writing(self.engine) as connection:
            submitting.record(connection, answers, self.owner)

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._bell.wait()

    async def _in(self, threads: ThreadPoolExecutor, work: Callable[[], Out]) -> Out:
        return await asyncio.get_running_loop().run_in_executor(threads, work)


def _tell(answer: Answer) -> None:
    lease, result = answer.ready.lease, answer.results.one
    say = log.info if result.outcome is Outcome.ACCEPTED else log.warning
    say(
        f"submission.{result.outcome.value}",
        submission=lease.id,
        account=lease.account,
        message_class=lease.message_class.value,
        messages=len(answer.ready.parcel.msisdns),
        code=result.code,
        seconds=round(answer.seconds, 3),
    )
