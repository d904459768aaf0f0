"""Submissions on all three databases: one holder, guarded writes, evidence kept."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from tests.support.by_hand import (
    MARKETING,
    NOTICE,
    Hand,
    answer,
    before_statements,
    settings_of,
)
from tests.support.stage import mobiles
from worker.delivery import record
from worker.domain.enums import (
    MessageState,
    Outcome,
    ReportStatus,
    SubmissionState,
)
from worker.domain.errors import TooLate, Unavailable
from worker.domain.transitions import MESSAGE_MOVES, MESSAGE_STATE_OF, SUBMISSION_MOVES
from worker.feedback import reports
from worker.gateways.results import Report
from worker.intake import campaigns, lookup
from worker.runtime import maintenance
from worker.store import ticks
from worker.store.db.clock import later
from worker.store.db.database import reading, writing
from worker.store.delivery.call_outcomes import CallOutcome
from worker.store.feedback import inbox as inbox_store
from worker.store.intake.campaigns import is_drained
from worker.store.schema.tables import event, request, submission


@pytest.fixture
def hand(engine: Engine, database: str) -> Hand:
    return Hand(engine, settings_of(database, bulk={"max_batch": 3}))


def events(hand: Hand, name: str) -> list[dict[str, Any]]:
    """Return the details of all events of a name."""
    with reading(hand.engine) as connection:
        rows = connection.execute(select(event.c.detail).where(event.c.name == name))
        return list(rows.scalars())


def together(work: Sequence[Callable[[], Any]]) -> list[Any]:
    """Start all at the same moment, each in a thread, and return what they returned."""
    gate = threading.Barrier(len(work))

    def one(call: Callable[[], Any]) -> Any:
        gate.wait()
        return call()

    with ThreadPoolExecutor(len(work)) as threads:
        return [future.result() for future in [threads.submit(one, call) for call in work]]


def test_a_claim_gives_each_message_to_exactly_one_of_many_racing_threads(
    engine: Engine, database: str
) -> None:
    hand = Hand(engine, settings_of(database, bulk={"max_batch": 2}))
    numbers = mobiles(60)
    for start in range(0, 60, 6):
        hand.enqueue(numbers[start : start + 6])

    def greedy() -> list[str]:
        taken: list[str] = []
        misses = 0
        while misses < 3:
            ready = []
            with suppress(Unavailable):
                ready = hand.take()
            misses = 0 if ready else misses + 1
            taken += [number for one in ready for number in one.outgoing.msisdns]
        return taken

    found = Counter(number for taken in together([greedy] * 6) for number in taken)
    assert found == Counter(numbers)


def test_what_came_back_goes_to_exactly_one_of_many_racing_threads(hand: Hand) -> None:
    hand.enqueue(mobiles(30))
    for one in hand.take():
        hand.record(answer(one, Outcome.THROTTLED))
    hand.make_due()
    found = Counter(
        number
        for ready in together([hand.take] * 6)
        for one in ready
        for number in one.outgoing.msisdns
    )
    assert found == Counter(mobiles(30))


def test_a_claim_that_is_not_committed_leaves_everything_as_it_was(hand: Hand) -> None:
    """There is nothing between the queue and the write-ahead that a dead worker could hold."""
    fresh = hand.enqueue(mobiles(2))
    again = hand.enqueue(mobiles(2, 2))
    for one in hand.take():
        hand.record(answer(one, Outcome.THROTTLED))
    hand.make_due()
    before = hand.all_submissions(), hand.cursors()

    def die() -> None:
        with writing(hand.engine) as connection:
            assert len(hand.claim_in(connection, NOTICE)) == 2
            raise KeyError

    with pytest.raises(KeyError):
        die()
    assert (hand.all_submissions(), hand.cursors()) == before
    assert hand.count(fresh.request_id) == hand.count(again.request_id) == {"queued": 2}


def test_a_lease_that_runs_out_is_unknown_for_ever(hand: Hand) -> None:
    accepted = hand.enqueue(mobiles(2))
    (ready,) = hand.take()
    assert hand.count(accepted.request_id) == {"submitting": 2}
    assert hand.sweep() == [], "it holds until its time"
    hand.run_out()
    assert hand.sweep() == [(ready.lease.id, "bulk")]
    assert hand.count(accepted.request_id) == {"unknown": 2}
    hand.make_due()
    assert hand.take() == []


def test_an_older_fence_records_nothing(hand: Hand) -> None:
    accepted = hand.enqueue(mobiles(2))
    (ready,) = hand.take()
    written = record.outcome_of(answer(ready, Outcome.ACCEPTED))
    late = replace(ready.lease, fence=ready.lease.fence - 1)
    stale_call = CallOutcome(late, written.fates)
    with writing(hand.engine) as connection:
        record.record(connection, [stale_call], hand.settings, "late")
    assert hand.count(accepted.request_id) == {"submitting": 2}
    hand.record(answer(ready, Outcome.REJECTED))
    assert hand.count(accepted.request_id) == {"rejected": 2}


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Outcome.ACCEPTED, "submitted"),
        (Outcome.REJECTED, "rejected"),
        (Outcome.THROTTLED, "queued"),
        (Outcome.NOT_SENT, "queued"),
        (Outcome.UNKNOWN, "unknown"),
    ],
)
def test_the_loser_of_the_race_against_the_sweep_leaves_evidence_that_ends_the_doubt(
    hand: Hand, outcome: Outcome, state: str
) -> None:
    accepted = hand.enqueue(mobiles(2))
    (ready,) = hand.take()
    hand.run_out()
    hand.sweep()
    hand.record(answer(ready, outcome))
    assert hand.count(accepted.request_id) == {state: 2}
    if outcome is not Outcome.UNKNOWN:
        (late,) = events(hand, "submission.late_answer")
        assert late == {"outcome": outcome.value, "settled": True}


@pytest.mark.parametrize("outcome", list(Outcome))
def test_an_outcome_recorded_twice_is_recorded_once(hand: Hand, outcome: Outcome) -> None:
    """A commit may succeed and its answer be lost: writing it again must not plan it twice."""
    accepted = hand.enqueue(mobiles(2))
    (ready,) = hand.take()
    said = answer(ready, outcome, hold=0.0 if outcome is Outcome.ACCOUNT_HELD else None)
    hand.record(said)
    before = hand.submissions(accepted.request_id)
    hand.record(said)
    assert hand.submissions(accepted.request_id) == before
    hand.make_due()
    assert len(hand.take()) == (
        1 if MESSAGE_STATE_OF[before[0].state] is MessageState.QUEUED else 0
    )


def test_what_comes_back_from_a_paused_campaign_waits_until_it_is_resumed(hand: Hand) -> None:
    loaded = hand.campaign(mobiles(3))
    (ready,) = hand.take(MARKETING)
    campaigns.pause(hand.engine, loaded.id)
    hand.record(answer(ready, Outcome.THROTTLED))
    hand.make_due()
    assert hand.take(MARKETING) == []
    campaigns.run(hand.engine, loaded.id)
    assert len(hand.take(MARKETING)) == 1


def test_what_comes_back_to_a_cancelled_campaign_is_cancelled(hand: Hand) -> None:
    loaded = hand.campaign(mobiles(7))
    first, second, third = hand.take(MARKETING)
    hand.record(answer(third, Outcome.ACCEPTED))
    campaigns.cancel(hand.engine, loaded.id)
    hand.record(answer(first, Outcome.NOT_SENT), answer(second, Outcome.ACCEPTED))
    hand.make_due()
    assert hand.take(MARKETING) == []
    assert hand.count(loaded.id) == {"cancelled": 3, "submitted": 4}


def test_a_campaign_is_not_drained_while_its_submission_goes_from_hand_to_hand(
    hand: Hand,
) -> None:
    """Between two looks, what is under way may go back to where was looked before."""
    loaded = hand.campaign(mobiles(3))
    watching = Hand(hand.engine, hand.settings)
    ready = hand.take(MARKETING)

    def move() -> None:
        nonlocal ready
        if ready:
            hand.record(answer(ready.pop(), Outcome.THROTTLED))
        else:
            hand.make_due()
            ready = hand.take(MARKETING)

    quiet = [False]

    def between() -> None:
        if not quiet[0] and hand.engine.dialect.name != "sqlite":
            quiet[0] = True
            move()
            quiet[0] = False

    for _ in range(4):
        with reading(watching.engine) as connection:
            stop = before_statements(watching.engine, between)
            try:
                assert not is_drained(connection, loaded.id)
            finally:
                stop()


def report(hand: Hand, account: str, said: Report) -> None:
    """Let a report come in."""
    with writing(hand.engine) as connection:
        inbox = inbox_store.add_page(connection, account, "reports", b"")
        reports.take_page(connection, [account], inbox, [said])


@pytest.mark.parametrize("outcome", [Outcome.REJECTED, Outcome.THROTTLED, Outcome.NOT_SENT])
def test_a_report_changes_nothing_of_what_was_provably_not_taken(
    hand: Hand, outcome: Outcome
) -> None:
    accepted = hand.enqueue(mobiles(1))
    (ready,) = hand.take()
    hand.record(answer(ready, outcome, gateway_id="77"))
    before = hand.count(accepted.request_id)
    report(hand, "bulk", Report(mobiles(1)[0], ReportStatus.DELIVERED, "ok", gateway_id="77"))
    assert hand.count(accepted.request_id) == before


def test_delivered_is_never_overwritten_by_a_lesser_report(hand: Hand) -> None:
    accepted = hand.enqueue(mobiles(1))
    (ready,) = hand.take()
    hand.record(answer(ready, Outcome.ACCEPTED, gateway_id="77"))
    for status, code, state in [
        (ReportStatus.UNKNOWN, "2", "submitted"),
        (ReportStatus.UNDELIVERED, "0", "undelivered"),
        (ReportStatus.DELIVERED, "1", "delivered"),
        (ReportStatus.UNDELIVERED, "00", "delivered"),
        (ReportStatus.UNKNOWN, "22", "delivered"),
    ]:
        report(hand, "bulk", Report(mobiles(1)[0], status, code, gateway_id="77"))
        assert hand.count(accepted.request_id) == {state: 1}
    assert lookup.get(hand.engine, accepted.ids[0]).code == "1"


def test_a_long_text_is_undelivered_when_one_part_failed(hand: Hand) -> None:
    accepted = hand.enqueue(mobiles(1), "长" * 100)
    (ready,) = hand.take()
    hand.record(answer(ready, Outcome.ACCEPTED, gateway_id="77"))
    for status in (ReportStatus.DELIVERED, ReportStatus.UNDELIVERED):
        report(hand, "bulk", Report(mobiles(1)[0], status, status.value, gateway_id="77"))
    assert hand.count(accepted.request_id) == {"undelivered": 1}
    report(hand, "bulk", Report(mobiles(1)[0], ReportStatus.DELIVERED, "again", gateway_id="77"))
    assert hand.count(accepted.request_id) == {"undelivered": 1}


def test_a_message_is_cancelled_or_handed_over_but_never_both(
    engine: Engine, database: str
) -> None:
    """Fault 26: cancelling in a race with claims."""
    hand = Hand(engine, settings_of(database, bulk={"max_batch": 1}))
    accepted = hand.enqueue(mobiles(20))

    def cancel_all() -> set[str]:
        done = set()
        for one in accepted.ids:
            with suppress(TooLate):
                done.add(lookup.cancel(engine, one).to)
        return done

    def take_all() -> set[str]:
        return {number for one in hand.take() for number in one.outgoing.msisdns}

    cancelled, *taken = together([cancel_all, take_all, take_all])
    taken.append(take_all())
    handed_over = set().union(*taken)
    assert not cancelled & handed_over
    assert cancelled | handed_over == set(mobiles(20))


def test_what_waits_past_its_validity_expires_and_cannot_be_cancelled(hand: Hand) -> None:
    accepted = hand.enqueue(mobiles(4))
    with writing(hand.engine) as connection:
        connection.execute(update(request).values(not_after=later(-1)))
    assert hand.take() == []
    maintenance.expire(hand.engine)
    assert hand.count(accepted.request_id) == {"expired": 4}
    with pytest.raises(TooLate, match="expired"):
        lookup.cancel(hand.engine, accepted.ids[0])


def test_close_out_forgets_no_submission_that_was_called_late(hand: Hand) -> None:
    """A submission may be called long after younger ones: ids are no order of time."""
    with writing(hand.engine) as connection:
        ticks.ensure(connection, {"close_out:bulk"})
    first = hand.enqueue(mobiles(1))
    (waits,) = hand.take()
    hand.record(answer(waits, Outcome.THROTTLED))
    second = hand.enqueue(mobiles(1, 7))
    hand.record(*(answer(one, Outcome.ACCEPTED) for one in hand.take()))
    _grow_old(hand, second.request_id)
    maintenance.close_out(hand.engine, hand.settings, "bulk")
    hand.make_due()
    hand.record(*(answer(one, Outcome.ACCEPTED) for one in hand.take()))
    _grow_old(hand, first.request_id)
    maintenance.close_out(hand.engine, hand.settings, "bulk")
    for accepted in (first, second):
        assert hand.submissions(accepted.request_id)[-1].closed_at


def _grow_old(hand: Hand, request_id: int) -> None:
    with writing(hand.engine) as connection:
        whose = submission.c.request_id == request_id
        old = hand.settings.top.close_out_after + 60
        connection.execute(update(submission).where(whose).values(called_at=later(-old)))


def test_every_state_of_a_submission_says_what_its_messages_are() -> None:
    assert set(MESSAGE_STATE_OF) == set(SubmissionState)


@pytest.mark.parametrize(
    ("moves", "start"),
    [(MESSAGE_MOVES, MessageState.QUEUED), (SUBMISSION_MOVES, SubmissionState.PLANNED)],
)
def test_every_state_can_be_reached_from_the_first(moves: Any, start: Any) -> None:
    found = {start}
    while more := {to for one in found for to in moves[one]} - found:
        found |= more
    assert found == set(type(start))
