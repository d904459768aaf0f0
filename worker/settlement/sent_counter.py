"""Settle unknown submissions by what their account's sent counter proves.

The counter only grows. Its value at a quiet moment, plus what was accepted since, is what it should
be now. After an unknown the account takes nothing new; when nothing is under way and a settling
delay has passed, two equal readings decide:

- exactly what should be: none of the unknown was taken, and their messages go back to the queue;
- what should be, plus what one set of the unknown would have added and no other set: those were
  taken and the others not; only where `sole_user` says that nobody else sends on the account;
- anything else proves nothing.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

import structlog
from sqlalchemy import Connection, Engine

from worker.config.settings import Settings
from worker.delivery import recipient_ends
from worker.domain.errors import WireError
from worker.feedback.collector import Collector
from worker.gateways.base import Account
from worker.store import accounts, events
from worker.store.db import database
from worker.store.delivery import account_doubts, outcomes
from worker.store.settlement import counter_readings, unknown
from worker.store.settlement.counter_readings import SentSinceReading
from worker.store.settlement.unknown import UnknownSubmission

log = structlog.get_logger()
Out = TypeVar("Out")

#: The pause between the two readings, in seconds.
SECONDS_BETWEEN_READINGS = 1.0
#: With more unknown submissions than this the sets of them are not searched.
MAX_COMBINED_SUBMISSIONS = 12


@dataclass(frozen=True, slots=True)
class Verdict:
    """The submissions that a counter proves to be taken, and those that it proves not to be.

    Of a submission in neither set it proves nothing.
    """

    taken: frozenset[int] = frozenset()
    not_taken: frozenset[int] = frozenset()

    @property
    def proves_nothing(self) -> bool:
        """Whether no submission is settled by it."""
        return not self.taken and not self.not_taken


def judge(
    expected: int,
    reading: int,
    units_by_id: Mapping[int, int],
    *,
    sole_user: bool,
    in_part: bool = False,
) -> Verdict:
    """Judge unknown submissions by a reading of the counter that is compared with `expected`.

    `units_by_id` holds what each unknown submission would have added to the counter. `in_part`: one
    of them may have been taken in part, so that a sum explains nothing.
    """
    if reading == expected:
        return Verdict(not_taken=frozenset(units_by_id))
    may_be_explained = sole_user and not in_part and reading > expected
    if not may_be_explained or len(units_by_id) > MAX_COMBINED_SUBMISSIONS:
        return Verdict()
    explanations = [
        frozenset(ids)
        for size in range(1, len(units_by_id) + 1)
        for ids in combinations(units_by_id, size)
        if sum(units_by_id[submission_id] for submission_id in ids) == reading - expected
    ]
    if len(explanations) != 1:
        return Verdict()
    return Verdict(explanations[0], frozenset(units_by_id) - explanations[0])


class CounterSettler:
    """Settles the unknown submissions of accounts that have a sent counter."""

    def __init__(
        self, settings: Settings, engine: Engine, collector: Collector, owner: str
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._collector = collector
        self._owner = owner

    async def settle(self, account: Account) -> None:
        """Read the counter at a quiet moment: judge by it when in doubt, else store its baseline.

        Nothing is read while something is under way at the account, or when nothing has happened
        since the last reading. What changes while it is read makes the reading worthless.
        """
        before = await self._in_transaction(lambda connection: _sent_since(connection, account))
        if not before.is_quiet(account.settings.settling_delay) or not _may_tell_more(before):
            return
        if before.unknown and before.baseline is None:
            # Nothing to compare with: let the probe find out whether the account works.
            await self._in_transaction(
                lambda connection: self._leave_unsettled(connection, account.name, before)
            )
            return
        reading = await self._read_twice(account)
        after = await self._in_transaction(lambda connection: _sent_since(connection, account))
        if reading is None or not after.same_as(before):
            return
        await self._in_transaction(
            lambda connection: self._conclude(connection, account, before, reading)
        )

    async def _read_twice(self, account: Account) -> int | None:
        """Return the counter as two equal readings say; None when they differ or one fails."""
        try:
            reading = await self._collector.fetch_sent_count(account)
            await asyncio.sleep(SECONDS_BETWEEN_READINGS)
            second_reading = await self._collector.fetch_sent_count(account)
        except WireError:
            return None
        return reading if reading == second_reading else None

    def _conclude(
        self, connection: Connection, account: Account, sent: SentSinceReading, reading: int
    ) -> None:
        """Settle what the reading proves; store it as the baseline unless it proves nothing."""
        expected = None if sent.baseline is None else sent.baseline + sent.accepted_units
        if expected is not None and sent.unknown:
            verdict = _judge_account(account, sent, expected, reading)
            self._apply(connection, account.name, sent.unknown, verdict, reading)
            if verdict.proves_nothing:
                self._leave_unsettled(connection, account.name, sent)
                return
            account_doubts.end_settling(connection, account.name)
        elif expected is not None and reading != expected:
            self._note_drift(connection, account.name, expected, reading)
        baseline = {
            "sent": reading,
            "called": sent.last_call,
            "floor": counter_readings.called_up_to(connection),
        }
        accounts.write_counter_baseline(connection, account.name, baseline)

    def _note_drift(
        self, connection: Connection, account_name: str, expected: int, reading: int
    ) -> None:
        """Note that somebody else sends on the account, or that its unit is set wrong."""
        detail = {"expected": expected, "found": reading}
        events.add(
            connection, "account.counter_drift", self._owner, account=account_name, detail=detail
        )
        log.warning("account.counter_drift", account=account_name, **detail)

    def _leave_unsettled(
        self, connection: Connection, account_name: str, sent: SentSinceReading
    ) -> None:
        """Note that nothing is proven: the counter is not asked again before the next call."""
        account_doubts.end_settling(connection, account_name)
        baseline = {
            "sent": sent.baseline,
            "called": sent.last_call_when_read,
            "floor": sent.floor,
            "judged": sent.last_call,
        }
        accounts.write_counter_baseline(connection, account_name, baseline)

    def _apply(
        self,
        connection: Connection,
        account_name: str,
        submissions: Sequence[UnknownSubmission],
        verdict: Verdict,
        reading: int,
    ) -> None:
        """Settle submissions as a verdict says, each with an event."""
        for submission in submissions:
            if submission.id in verdict.taken:
                settled = outcomes.accept(connection, submission.id, submission.fence, None)
                if settled:
                    unknown.withdraw_resend(connection, submission.id)
            elif submission.id in verdict.not_taken:
                settled = recipient_ends.settle_not_taken(connection, self._settings, submission)
            else:
                settled = False
            events.add(
                connection,
                "submission.settled" if settled else "submission.still_unknown",
                self._owner,
                account=account_name,
                submission_id=submission.id,
                detail={"counter": reading, "taken": submission.id in verdict.taken},
            )

    async def _in_transaction(self, work: Callable[[Connection], Out]) -> Out:
        def run() -> Out:
            with database.writing(self._engine) as connection:
                return work(connection)

        return await asyncio.to_thread(run)


def _sent_since(connection: Connection, account: Account) -> SentSinceReading:
    return counter_readings.sent_since_reading(
        connection,
        account.name,
        accounts.counter_baseline(connection, account.name),
        account.settings.counter_unit,
    )


def _may_tell_more(sent: SentSinceReading) -> bool:
    """Whether a call was made since the counter was last judged by, or last stored."""
    if sent.unknown:
        return sent.last_call_when_judged != sent.last_call
    return sent.baseline is None or sent.last_call_when_read != sent.last_call


def _judge_account(
    account: Account, sent: SentSinceReading, expected: int, reading: int
) -> Verdict:
    unit = account.settings.counter_unit
    return judge(
        expected,
        reading,
        {submission.id: submission.units(unit) for submission in sent.unknown},
        sole_user=account.settings.sole_user,
        in_part=any(submission.refused for submission in sent.unknown),
    )
