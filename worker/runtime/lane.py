"""A lane: one class in one worker process, an event loop in a thread of its own.

It looks for work when its doorbell rings, when one of its submissions ends, and by itself every
`look_every`; so everything drains with the broker dead. Connections to the database are its own:
a campaign never delays a code.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar, cast

import structlog
from sqlalchemy import Connection, Engine

from worker import failpoints
from worker.config.settings import Settings
from worker.delivery import (
    claim as claim_module,
)
from worker.delivery import (
    permits,
    record,
    submit,
)
from worker.delivery.account_choice import CROWDED_WAIT
from worker.delivery.claim import ClaimBatch
from worker.delivery.permits import Rests
from worker.delivery.submit import CallAnswer, PreparedSubmission
from worker.delivery.throttle import Throttle
from worker.domain.enums import MessageClass, Outcome
from worker.domain.errors import CommitUnknown, XinshiError
from worker.gateways.transport.client import GatewayClient
from worker.runtime import broker
from worker.runtime.background_service import BackgroundService
from worker.store import claims, spool_entries
from worker.store.db import database
from worker.store.outcomes import CallOutcome
from worker.store.spool import Spool

log = structlog.get_logger()
Out = TypeVar("Out")

#: Outcomes are written together when they come within this many seconds.
FLUSH = 0.02
#: How much later than `CROWDED` a lane looks: databases round, and clocks run apart.
CROWDED_SLACK = 0.02
#: How long a lane waits after the database failed, in seconds.
AFTER_A_FAILURE = 1.0


class Lane(BackgroundService):
    """Drives the submissions of one class until it is stopped."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        message_class: MessageClass,
        owner: str,
        spool: Spool,
    ) -> None:
        super().__init__(f"lane-{message_class}")
        self.settings = settings
        self.engine = engine
        self.message_class = message_class
        self.owner = owner
        self._spool = spool
        self._throttle = Throttle(broker.redis_url(settings))
        self._rests = Rests()
        self._finished = False
        # On the monotonic clock: what waits for a place is due then.
        self._crowded_until = 0.0
        # Whether the last claim left something that may begin now: else a bell is waited for.
        self._more = False
        self._calls: set[asyncio.Task[None]] = set()
        self._answers: list[CallAnswer] = []
        self._answered = asyncio.Event()

    async def _drive(self) -> None:
        wire = GatewayClient(self.settings.top.transport)
        with ThreadPoolExecutor(2, thread_name_prefix="lane-db") as threads:
            recorder = asyncio.create_task(self._record_all(threads))
            try:
                while not (self._stopping or recorder.done()):
                    if await self._rested():
                        continue
                    self._bell.clear()
                    if not await self._look(threads, wire):
                        await self._wait(self._pause())
                while self._calls:
                    await asyncio.wait(self._calls)
            finally:
                self._finished = True
                self._answered.set()
                await recorder
                await wire.close()
                self._throttle.close()

    async def _rested(self) -> bool:
        """Sleep while no account gives a permit, and nothing can come of looking."""
        rests = self._rests.left()
        if not rests or self._stopping or len(rests) < len(self.settings.accounts):
            return False
        await asyncio.sleep(min(rests.values()))
        return True

    def _pause(self) -> float:
        """How long to wait when there was nothing to begin."""
        crowded = self._crowded_until - time.monotonic()
        soon = [crowded] if crowded > 0 else []
        return min([self.settings.top.look_every, *soon, *self._rests.left().values()])

    async def _look(self, threads: ThreadPoolExecutor, wire: GatewayClient) -> bool:
        """Claim and begin what there is; True when there may be more to begin at once."""
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
        return bool(ready) and self._more

    def _claim(self) -> list[PreparedSubmission]:
        """Claim and write ahead in one transaction: nothing has to be asked in between."""
        ready: list[PreparedSubmission] = []
        claim: ClaimBatch | None = None
        try:
            with database.writing(self.engine) as connection:
                claim = self._look_for(connection)
                leases = claim.take(connection)
                if leases:
                    failpoints.reach("claim.after")
                    ready = submit.write_ahead(connection, self.settings, leases)
                    failpoints.reach("write_ahead.before")
        except CommitUnknown:
            # What was committed is ours to call; what was not was never claimed.
            with database.reading(self.engine) as connection:
                ours = claims.in_flight(connection, [one.lease for one in ready])
            ready = [one for one in ready if one.lease.id in ours]
        except BaseException:
            self._give_back(claim, [])
            raise
        self._give_back(claim, ready)
        self._more = claim is not None and claim.more and not claim.full
        if claim is not None and claim.crowded:
            # A bell in between finds nothing yet, and must not let the lane forget it.
            self._crowded_until = time.monotonic() + CROWDED_WAIT + CROWDED_SLACK
        if ready:
            failpoints.reach("write_ahead.after")
        return ready

    def _look_for(self, connection: Connection) -> ClaimBatch:
        return claim_module.look(
            connection,
            self.settings,
            self.message_class,
            self.owner,
            self._throttle,
            self._rests.left(),
        )

    def _give_back(self, claim: ClaimBatch | None, ready: Sequence[PreparedSubmission]) -> None:
        """Note which accounts rest, and give back the places that a claim took in vain."""
        if claim is not None and claim.permits is not None:
            self._rests.note(claim.permits.rests)
            used = {one.lease.permit for one in ready}
            self._throttle.release([one for one in claim.permits.taken if one[2] not in used])

    async def _submit(self, ready: PreparedSubmission, wire: GatewayClient) -> None:
        answer = await submit.call(ready, wire.call, self.settings)
        self._answers.append(answer)
        # Not by a callback: the recorder has to see at once that nothing more is awaited.
        self._calls.discard(cast("asyncio.Task[None]", asyncio.current_task()))
        self._answered.set()

    async def _record_all(self, threads: ThreadPoolExecutor) -> None:
        """Write outcomes in groups: of `FLUSH`, or of as many as are still awaited."""
        # Not by `_stopping`: a claim may still be under way then.
        while not (self._finished and not self._calls and not self._answers):
            await self._answered.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH):
                    while len(self._answers) < len(self._calls):
                        self._answered.clear()
                        await self._answered.wait()
            self._answered.clear()
            answers, self._answers = self._answers, []
            if answers:
                await self._record(threads, answers)
                self._bell.set()

    async def _record(self, threads: ThreadPoolExecutor, answers: Sequence[CallAnswer]) -> None:
        """Write outcomes until the database takes them; meanwhile they are on the disk."""
        calls = [record.recorded(one) for one in answers]
        kept = False
        while not await self._in(threads, partial(self._write, calls)):
            if not kept:
                kept = await self._in(threads, partial(self._keep, calls))
            await asyncio.sleep(AFTER_A_FAILURE)
        if kept:
            await self._in(threads, self._spool.clear)
        for answer in answers:
            _tell(answer)

    def _write(self, calls: Sequence[CallOutcome]) -> bool:
        """Write outcomes; False when the database has to be tried again."""
        try:
            failpoints.reach("record.before")
            with database.writing(self.engine) as connection:
                record.record(connection, calls, self.settings, self.owner)
            failpoints.reach("record.after")
            self._throttle.release(permits.places_of(call.lease for call in calls))
        except (XinshiError, OSError) as error:
            log.warning("lane.record_failed", lane=self.message_class.value, why=str(error))
            return False
        except Exception as error:
            # A fault of ours: the sweep will show these as unknown.
            log.exception("lane.record_failed", why=type(error).__name__)
        return True

    def _keep(self, calls: Sequence[CallOutcome]) -> bool:
        try:
            self._spool.add([spool_entries.outcome(call) for call in calls])
        except OSError as error:
            log.error("spool.failed", why=error.strerror)  # noqa: TRY400 - the reason is enough
            return False
        return True

    async def _in(self, threads: ThreadPoolExecutor, work: Callable[[], Out]) -> Out:
        return await asyncio.get_running_loop().run_in_executor(threads, work)


def _tell(answer: CallAnswer) -> None:
    lease, result = answer.ready.lease, answer.results.default
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
