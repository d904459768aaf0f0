"""Claims, submits and records the messages of one class in one worker process: a lane.

A lane is an event loop in a thread of its own. It looks for work when its doorbell rings, when one
of its submissions ends, and by itself every `look_every`; so everything drains with the broker
dead. Its connections to the database are its own: a campaign never delays a code.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import cast

import structlog
from sqlalchemy import Connection, Engine

from worker import failpoints, outages
from worker.config.settings import Settings
from worker.delivery import permits, record, submit
from worker.delivery.account_choice import CROWDED_WAIT
from worker.delivery.account_rests import AccountRests
from worker.delivery.claim import Claim, begin_claim
from worker.delivery.submit import CallAnswer, PreparedSubmission
from worker.delivery.throttle import Throttle
from worker.domain.enums import MessageClass, Outcome
from worker.domain.errors import CommitUnknown, XinshiError
from worker.gateways.transport.client import GatewayClient
from worker.runtime import broker
from worker.runtime.background_service import BackgroundService
from worker.store import spool_entries
from worker.store.db import database
from worker.store.delivery import claims
from worker.store.delivery.call_outcomes import CallOutcome
from worker.store.spool import Spool

log = structlog.get_logger()

#: Outcomes are written together when they come within this many seconds.
FLUSH_SECONDS = 0.02
#: How much later than `CROWDED_WAIT` a lane looks: databases round, and clocks run apart.
CROWDED_SLACK = 0.02
#: How long a lane waits after the database failed.
RETRY_SECONDS = 1.0


class Lane(BackgroundService):
    """The service that claims, submits and records one class, until it is stopped."""

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
        self._rests = AccountRests()
        self._finished = False
        # On the monotonic clock: then requests are due that found no free slot at an account.
        self._crowded_until = 0.0
        # Whether the last claim left work that may begin now: else the lane waits for a bell.
        self._has_more = False
        self._calls: set[asyncio.Task[None]] = set()
        self._answers: list[CallAnswer] = []
        self._answered = asyncio.Event()

    async def _drive(self) -> None:
        client = GatewayClient(self.settings.top.transport)
        with ThreadPoolExecutor(2, thread_name_prefix="lane-db") as threads:
            recorder = asyncio.create_task(self._record_all(threads))
            try:
                while not (self._stopping or recorder.done()):
                    if await self._rest():
                        continue
                    self._bell.clear()
                    if not await self._look(threads, client):
                        await self._wait(self._seconds_to_wait())
                while self._calls:
                    await asyncio.wait(self._calls)
            finally:
                self._finished = True
                self._answered.set()
                await recorder
                await client.close()
                self._throttle.close()

    async def _rest(self) -> bool:
        """Sleep while no account gives a permit: looking would be in vain. True if it slept."""
        rests = self._rests.remaining()
        if not rests or self._stopping or len(rests) < len(self.settings.accounts):
            return False
        await asyncio.sleep(min(rests.values()))
        return True

    def _seconds_to_wait(self) -> float:
        """Return how many seconds to wait when there was nothing to begin."""
        crowded = self._crowded_until - time.monotonic()
        crowded_waits = [crowded] if crowded > 0 else []
        rests = self._rests.remaining().values()
        return min([self.settings.top.look_every, *crowded_waits, *rests])

    async def _look(self, threads: ThreadPoolExecutor, client: GatewayClient) -> bool:
        """Claim and begin what is due; True when there may be more to begin at once."""
        try:
            submissions = await self._in_thread(threads, self._claim)
        except XinshiError as error:
            if not outages.DATABASE.is_away:
                log.warning("lane.claim_failed", lane=self.message_class.value, why=str(error))
            await self._wait(RETRY_SECONDS)
            return True
        except Exception as error:
            # A fault of ours: what was claimed comes back when its lease ends.
            log.exception(
                "lane.claim_failed", lane=self.message_class.value, why=type(error).__name__
            )
            await self._wait(RETRY_SECONDS)
            return True
        for submission in submissions:
            self._calls.add(asyncio.create_task(self._submit(submission, client)))
        return bool(submissions) and self._has_more

    def _claim(self) -> list[PreparedSubmission]:
        """Claim and write ahead in one transaction, and return the submissions to be called.

        One transaction is enough because nothing has to be asked in between.
        """
        submissions: list[PreparedSubmission] = []
        claim: Claim | None = None
        try:
            with database.writing(self.engine) as connection:
                claim = self._begin_claim(connection)
                leases = claim.take(connection)
                if leases:
                    failpoints.reach("claim.after")
                    submissions = submit.write_ahead(connection, self.settings, leases)
                    failpoints.reach("write_ahead.before")
        except CommitUnknown:
            # What was committed is ours to call; what was not was never claimed.
            with database.reading(self.engine) as connection:
                leases = [submission.lease for submission in submissions]
                in_flight = claims.in_flight_ids(connection, leases)
            submissions = [
                submission for submission in submissions if submission.lease.id in in_flight
            ]
        except BaseException:
            self._give_back(claim, [])
            raise
        self._give_back(claim, submissions)
        self._has_more = claim is not None and claim.more and not claim.full
        if claim is not None and claim.crowded:
            # A claim for a bell in between finds nothing yet: the time must outlast it.
            self._crowded_until = time.monotonic() + CROWDED_WAIT + CROWDED_SLACK
        if submissions:
            failpoints.reach("write_ahead.after")
        return submissions

    def _begin_claim(self, connection: Connection) -> Claim:
        return begin_claim(
            connection,
            self.settings,
            self.message_class,
            self.owner,
            self._throttle,
            self._rests.remaining(),
        )

    def _give_back(self, claim: Claim | None, submissions: Sequence[PreparedSubmission]) -> None:
        """Note which accounts rest, and give back the slots that a claim took in vain."""
        if claim is not None:
            self._rests.note(claim.permits.rests)
            used_permits = {submission.lease.permit for submission in submissions}
            slots = claim.permits.redis_slots
            self._throttle.release([slot for slot in slots if slot.receipt not in used_permits])

    async def _submit(self, submission: PreparedSubmission, client: GatewayClient) -> None:
        """Call the gateway, and hand the answer to the recorder."""
        answer = await submit.call_gateway(submission, client.call, self.settings)
        self._answers.append(answer)
        # Not by a done-callback: the recorder has to see at once that nothing more is awaited.
        self._calls.discard(cast("asyncio.Task[None]", asyncio.current_task()))
        self._answered.set()

    async def _record_all(self, threads: ThreadPoolExecutor) -> None:
        """Write outcomes in groups: those of `FLUSH_SECONDS`, or as many as are still awaited.

        It ends with the last outcome, once the lane has ended.
        """
        # Not by `_stopping`: a claim may still be under way then.
        while not (self._finished and not self._calls and not self._answers):
            await self._answered.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_SECONDS):
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
        outcomes = [record.outcome_of(answer) for answer in answers]
        spooled = False
        while not await self._in_thread(
            threads, partial(self._write_outcomes, outcomes, spooled=spooled)
        ):
            if not spooled:
                spooled = await self._in_thread(threads, partial(self._spool_outcomes, outcomes))
            await asyncio.sleep(RETRY_SECONDS)
        if spooled:
            await self._in_thread(threads, self._spool.clear)
        for answer in answers:
            _log(answer)

    def _write_outcomes(self, outcomes: Sequence[CallOutcome], *, spooled: bool = False) -> bool:
        """Write outcomes; False when the database has to be tried again.

        That is logged once: not of those that are `spooled` already.
        """
        try:
            failpoints.reach("record.before")
            with database.writing(self.engine) as connection:
                record.record(connection, outcomes, self.settings, self.owner)
            failpoints.reach("record.after")
            self._throttle.release(permits.redis_slots_of(outcome.lease for outcome in outcomes))
        except (XinshiError, OSError) as error:
            if not spooled:
                log.warning("lane.record_failed", lane=self.message_class.value, why=str(error))
            return False
        except Exception as error:
            # A fault of ours: the sweep will show the call as unknown, and no other call.
            log.exception("lane.record_failed", why=type(error).__name__)
            if len(outcomes) > 1:
                return all(self._write_outcomes([outcome]) for outcome in outcomes)
        return True

    def _spool_outcomes(self, outcomes: Sequence[CallOutcome]) -> bool:
        """Leave outcomes on the disk; False when that takes none either."""
        try:
            self._spool.add([spool_entries.outcome_row(outcome) for outcome in outcomes])
        except OSError as error:
            log.error("spool.failed", why=error.strerror)  # noqa: TRY400 - the reason is enough
            return False
        return True


def _log(answer: CallAnswer) -> None:
    """Log how a call ended, once that is recorded."""
    lease, result = answer.prepared.lease, answer.results.default
    write = log.info if result.outcome is Outcome.ACCEPTED else log.warning
    write(
        f"submission.{result.outcome.value}",
        submission=lease.id,
        account=lease.account,
        message_class=lease.message_class.value,
        messages=len(answer.prepared.outgoing.msisdns),
        code=result.code,
        seconds=round(answer.seconds, 3),
    )
