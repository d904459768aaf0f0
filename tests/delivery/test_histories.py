"""Whatever happens in whatever order: no message is lost, counted twice or handed over twice.

Histories of enqueuing, claiming, answers of every kind, sweeps, cancelling, campaigns paused and
resumed, reports and late answers are drawn at random, and the laws are checked after every step.
"""

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, update

from tests.support.by_hand import (
    MARKETING,
    NOTICE,
    Hand,
    answer,
    by_person,
    hurry,
    settings_of,
)
from tests.support.stage import mobiles
from worker.domain.enums import (
    CampaignState,
    MessageState,
    Outcome,
    ReportStatus,
)
from worker.domain.errors import TooLate
from worker.domain.transitions import MESSAGE_MOVES
from worker.feedback import reports
from worker.gateways.results import Report
from worker.intake import campaigns, lookup
from worker.runtime import maintenance
from worker.store.db.clock import later
from worker.store.db.database import writing
from worker.store.feedback import inbox as inbox_store
from worker.store.feedback.opt_outs import add_new
from worker.store.schema.tables import request, submission

if TYPE_CHECKING:
    from worker.delivery.submit import CallAnswer, PreparedSubmission

CLASSES = st.sampled_from([NOTICE, MARKETING])
#: Outcomes after which a message may have arrived.
TAKEN = {Outcome.ACCEPTED, Outcome.UNKNOWN}


def reachable(state: MessageState) -> set[MessageState]:
    """Return all states that legal moves lead to."""
    found = {state}
    while more := {to for one in found for to in MESSAGE_MOVES[one]} - found:
        found |= more
    return found


REACHABLE = {state: reachable(state) for state in MessageState}


class History(RuleBasedStateMachine):
    """The engine on one side; who was handed over and what may have arrived on the other."""

    hand: Hand

    def __init__(self) -> None:
        super().__init__()
        self.next_number = 0
        self.totals: dict[int, int] = {}
        self.campaigns: list[int] = []
        self.singles: list[str] = []
        self.flying: list[PreparedSubmission] = []
        self.answered: list[CallAnswer] = []
        self.swept: list[PreparedSubmission] = []
        self.arrived: Counter[str] = Counter()
        self.before: dict[int, dict[int, str]] = {}

    def numbers(self, count: int) -> list[str]:
        """Return numbers that nobody had before."""
        self.next_number += count
        return mobiles(count, self.next_number - count + 1)

    @rule(count=st.integers(1, 7))
    def enqueue(self, count: int) -> None:
        """One call for some numbers."""
        made = self.hand.enqueue(self.numbers(count))
        self.totals[made.request_id] = count
        self.singles += made.ids

    @rule(count=st.integers(1, 9))
    def campaign(self, count: int) -> None:
        """A campaign that begins at once."""
        made = self.hand.campaign(self.numbers(count))
        self.totals[made.id] = count
        self.campaigns.append(made.id)

    @rule(message_class=CLASSES)
    def claim(self, message_class: Any) -> None:
        """A worker looks for work; of what is stopped it gets none."""
        self.hand.make_due()
        running = self.hand.campaigns_in(CampaignState.RUNNING)
        ready = self.hand.take(message_class)
        stopped = set(self.campaigns) - running
        assert not stopped & {one.lease.request_id for one in ready}
        self.flying += ready

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), outcome=st.sampled_from(list(Outcome)))
    def record(self, data: Any, outcome: Outcome) -> None:
        """An answer comes: while its lease holds, or after the sweep."""
        ready = self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))
        said = answer(ready, outcome, gateway_id=f"id-{ready.lease.id}")
        if outcome is Outcome.ACCOUNT_HELD:
            said = answer(ready, outcome, hold=0.0)
        self.hand.record(said)
        self.answered.append(said)
        if ready in self.swept:
            self.swept.remove(ready)
        if outcome in TAKEN:
            self.arrived.update(ready.outgoing.msisdns)

    @precondition(lambda self: self.answered)
    @rule(data=st.data())
    def record_again(self, data: Any) -> None:
        """A commit whose success was not heard of is written once more."""
        self.hand.record(data.draw(st.sampled_from(self.answered)))

    @rule()
    def sweep(self) -> None:
        """All workers fall silent for longer than their leases."""
        self.hand.run_out()
        self.hand.sweep()
        self.swept = list(self.flying)

    @precondition(lambda self: self.singles)
    @rule(data=st.data())
    def cancel(self, data: Any) -> None:
        """It is cancelled and never arrives, or it is too late."""
        one = data.draw(st.sampled_from(self.singles))
        try:
            cancelled = lookup.cancel(self.hand.engine, one)
        except TooLate:
            return
        assert cancelled.state is MessageState.CANCELLED
        assert not self.arrived[cancelled.to]

    @precondition(lambda self: self.campaigns)
    @rule(data=st.data(), what=st.sampled_from([campaigns.pause, campaigns.run, campaigns.cancel]))
    def command(self, data: Any, what: Any) -> None:
        """A person pauses, resumes or cancels."""
        one = data.draw(st.sampled_from(self.campaigns))
        try:
            what(self.hand.engine, one)
        except TooLate:
            return

    @precondition(lambda self: self.totals)
    @rule(data=st.data())
    def run_out_of_time(self, data: Any) -> None:
        """A request's validity ends, and the sweep comes by."""
        one = data.draw(st.sampled_from(sorted(self.totals)))
        with writing(self.hand.engine) as connection:
            late = {"not_after": later(-1)}
            connection.execute(update(request).where(request.c.id == one).values(late))
            whose = submission.c.request_id == one
            connection.execute(update(submission).where(whose).values(late))
        maintenance.expire(self.hand.engine)

    @precondition(lambda self: self.next_number)
    @rule(data=st.data())
    def opt_out(self, data: Any) -> None:
        """Somebody wants no more advertising."""
        number = mobiles(1, data.draw(st.integers(1, self.next_number)))
        with writing(self.hand.engine) as connection:
            add_new(connection, number, by_person("test"))

    @precondition(lambda self: self.answered or self.swept)
    @rule(data=st.data(), status=st.sampled_from(ReportStatus), code=st.sampled_from("abc"))
    def report(self, data: Any, status: ReportStatus, code: str) -> None:
        """A report comes under an id that some answer had, true or not."""
        ready = data.draw(st.sampled_from([one.prepared for one in self.answered] + self.swept))
        number = data.draw(st.sampled_from(ready.outgoing.msisdns))
        with writing(self.hand.engine) as connection:
            inbox = inbox_store.add_page(connection, ready.lease.account, "reports", b"")
            said = Report(number, status, code, gateway_id=f"id-{ready.lease.id}")
            reports.take_page(connection, [ready.lease.account], inbox, [said])

    @rule()
    def finish(self) -> None:
        """A campaign is done when nothing of it is queued or submitting, and not before."""
        for one in campaigns.finish_drained(self.hand.engine):
            assert campaigns.show(self.hand.engine, one).open == 0

    @invariant()
    def conserves(self) -> None:
        """I1: the states of a request's messages sum up to what was accepted, seen either way."""
        now = self.hand.all_seen()
        for one, total in self.totals.items():
            states = {n: state for (of, n), state in now.items() if of == one}
            assert len(states) == total
            if states != self.before.get(one):
                assert self.hand.count(one) == Counter(states.values())
            for n, state in self.before.get(one, {}).items():
                allowed = REACHABLE[MessageState(state)]
                assert MessageState(states[n]) in allowed, f"{state} -> {states[n]}"
            self.before[one] = states
        for one in self.hand.campaigns_in(CampaignState.CANCELLED):
            assert "queued" not in self.before[one].values(), "only what was under way may be open"

    @invariant()
    def hands_over_once(self) -> None:
        """I3: no message that may have arrived is ever handed over again."""
        under_way = Counter(number for one in self.flying for number in one.outgoing.msisdns)
        assert all(times == 1 for times in (self.arrived + under_way).values())

    @invariant()
    def keeps_ranges_apart(self) -> None:
        """What was handed out is covered once, or has an end of its own."""
        covered: Counter[tuple[int, int]] = Counter()
        for row in self.hand.all_submissions():
            if row.state != "not_sent" and row.lo is not None:
                covered.update((row.request_id, n) for n in range(row.lo, row.hi))
        assert all(times == 1 for times in covered.values())
        ended = self.hand.all_ended()
        for one, cursor in self.hand.cursors().items():
            assert not any(of == one and n >= cursor for of, n in covered)
            assert {(one, n) for n in range(cursor)} <= set(covered) | ended

    def teardown(self) -> None:
        """Leave nothing to the next history."""
        """Leave nothing to the next history."""
        self.hand.clear()


@pytest.mark.slow
def test_any_history(kind: str, engine: Engine, database: str) -> None:
    hurry(engine)
    hand = Hand(engine, settings_of(database, bulk={"max_batch": 3}))
    machine = type("Told", (History,), {"hand": hand})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40 if kind == "sqlite" else 8,
            stateful_step_count=25,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
            phases=(Phase.generate,),
        ),
    )
