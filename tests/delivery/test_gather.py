"""Singles with one text become few submissions when the gateway asks for it, and nothing else."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import invariant, rule, run_state_machine_as_test
from sqlalchemy import Connection, Engine, select, update

from tests.delivery.test_histories import History
from tests.support.by_hand import (
    Hand,
    answer,
    hurry,
    settings_of,
)
from tests.support.stage import (
    TEXT,
    Stage,
    eventually,
    mobiles,
)
from worker.delivery import gather as gather_module
from worker.delivery.submit import PreparedSubmission
from worker.domain.enums import (
    Advice,
    MessageClass,
    Outcome,
    ReportStatus,
)
from worker.domain.errors import TooLate, Unavailable
from worker.feedback import reports
from worker.gateways.results import Report
from worker.intake import lookup
from worker.intake.enqueue import Enqueued
from worker.runtime import maintenance
from worker.settlement import invariants, ledger, manual
from worker.store import accounts
from worker.store.db.clock import later
from worker.store.db.database import reading, writing
from worker.store.delivery import gather
from worker.store.delivery.gather import WaitingSingle, insert_gathered
from worker.store.feedback import inbox as inbox_store
from worker.store.schema.tables import (
    account_state,
    message,
    request,
    submission,
)


@pytest.fixture
def hand(engine: Engine, database: str) -> Hand:
    return Hand(engine, settings_of(database, bulk={}))


def told(hand: Hand, account: str | None = None) -> Enqueued:
    """Let the gateway forbid singles: the message that it says so of waits."""
    made = hand.enqueue(mobiles(1, 900), account=account)
    (ready,) = hand.take()
    hand.record(answer(ready, Outcome.THROTTLED, code="110", advice=Advice.GATHER))
    return made


def grow_old(hand: Hand) -> None:
    """Let all that waits have waited for long, and be due."""
    with writing(hand.engine) as connection:
        for table in (request, submission):
            waits = table.c.next_at.is_not(None)
            connection.execute(
                update(table).where(waits).values(created_at=later(-60), next_at=later(-1))
            )


def called(ready: list[PreparedSubmission]) -> list[list[str]]:
    """Return the numbers of each call."""
    return sorted(sorted(one.outgoing.msisdns) for one in ready)


def findings(hand: Hand) -> list[str]:
    """Return what breaks an invariant."""
    with reading(hand.engine) as connection:
        found = invariants.check_database(connection, hand.settings)
    return [row for one in found for row in one.rows]


def test_after_a_110_singles_wait_a_moment_and_go_together(hand: Hand) -> None:
    first = told(hand)
    made = [hand.enqueue([number]) for number in mobiles(5)]
    assert hand.take() == [], "they wait for each other"
    grow_old(hand)
    ready = hand.take()
    assert called(ready) == [sorted([*mobiles(5), *mobiles(1, 900)])]
    assert {one.lease.attempts for one in ready} == {1}, "and the 110 counted as none"
    hand.record(answer(ready[0], Outcome.ACCEPTED))
    for one in (first, *made):
        assert hand.seen(one.request_id) == {0: "submitted"}
        assert hand.count(one.request_id) == {"submitted": 1}
    assert findings(hand) == []


def test_nobody_waits_for_longer_than_a_moment(hand: Hand) -> None:
    told(hand)
    hand.enqueue(mobiles(1))
    hand.enqueue(mobiles(1, 1))
    assert hand.take() == []
    assert eventually(hand.take, within=5)


def test_only_what_is_equal_goes_together_and_each_number_once(hand: Hand) -> None:
    told(hand)
    late = datetime.now(UTC) + timedelta(hours=3)
    for number in mobiles(3):
        hand.enqueue([number])
        hand.enqueue([number], "【信使】另一条")
        hand.enqueue([number], account="bulk", not_after=late)
    hand.enqueue(mobiles(1), TEXT)
    hand.enqueue(mobiles(2, 50))
    grow_old(hand)
    ready = hand.take()
    sizes = Counter(len(one.outgoing.msisdns) for one in ready)
    texts = {one.outgoing.content.text for one in ready if len(one.outgoing.msisdns) > 1}
    assert texts == {TEXT, "【信使】另一条"}
    # With that of the 110 four, another text, by name; a call for two; a number's second one.
    assert sizes == {3: 2, 4: 1, 2: 1, 1: 1}
    assert sum(sizes[size] * size for size in sizes) == 13
    assert findings(hand) == []


def test_codes_and_campaigns_are_never_gathered(hand: Hand) -> None:
    told(hand)
    for number in mobiles(2):
        hand.enqueue([number], message_class=MessageClass.OTP)
        hand.campaign([number], message_class=MessageClass.NOTICE)
    assert called(hand.take(MessageClass.OTP)) == [[number] for number in mobiles(2)]
    grow_old(hand)
    assert called(hand.take()) == [[number] for number in sorted([*mobiles(2), *mobiles(1, 900)])]


def test_when_the_gateway_has_not_asked_for_a_minute_singles_go_alone_again(hand: Hand) -> None:
    told(hand)
    with writing(hand.engine) as connection:
        connection.execute(update(account_state).values(gather_until=later(-1)))
    for number in mobiles(3):
        hand.enqueue([number])
    assert len(hand.take()) == 3


def test_a_gathered_submission_holds_as_many_as_the_account_takes(
    engine: Engine, database: str
) -> None:
    hand = Hand(engine, settings_of(database, bulk={"max_batch": 4}))
    told(hand)
    for number in mobiles(10):
        hand.enqueue([number])
    grow_old(hand)
    assert sorted(map(len, called(hand.take()))) == [3, 4, 4]


def gathered(hand: Hand, count: int = 3) -> tuple[list[Enqueued], PreparedSubmission]:
    """Return singles, and the one submission that carries them; that of the 110 is over."""
    with writing(hand.engine) as connection:
        accounts.ensure(connection, "bulk")
        gather.start_gathering(connection, "bulk", 60)
    made = [hand.enqueue([number]) for number in mobiles(count)]
    grow_old(hand)
    (ready,) = hand.take()
    assert len(ready.outgoing.msisdns) == count
    return made, ready


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Outcome.ACCEPTED, "submitted"),
        (Outcome.UNKNOWN, "unknown"),
        (Outcome.THROTTLED, "queued"),
        (Outcome.NOT_SENT, "queued"),
        (Outcome.DEFERRED, "queued"),
        (Outcome.ACCOUNT_HELD, "queued"),
        (Outcome.REJECTED, "rejected"),
    ],
)
def test_an_outcome_holds_for_all_of_them_and_they_go_on_together(
    hand: Hand, outcome: Outcome, state: str
) -> None:
    made, ready = gathered(hand)
    hand.record(answer(ready, outcome, hold=0.0 if outcome is Outcome.ACCOUNT_HELD else None))
    for one in made:
        assert hand.seen(one.request_id) == {0: state}
        assert hand.count(one.request_id) == {state: 1}
    hand.make_due()
    # One of them is asked first whether an account works again that was held.
    together = mobiles(1 if outcome is Outcome.ACCOUNT_HELD else 3)
    assert called(hand.take()) == ([together] if state == "queued" else [])
    assert findings(hand) == []


def test_a_doubt_about_them_ends_for_all(hand: Hand) -> None:
    made, ready = gathered(hand)
    hand.run_out()
    maintenance.end_overdue_leases(hand.engine, hand.settings, "test")
    assert {hand.seen(one.request_id)[0] for one in made} == {"unknown"}
    with writing(hand.engine) as connection:
        manual.settle(
            connection,
            hand.settings,
            [ready.lease.id],
            manual.mark_not_sent,
            event_name="settle.not_sent",
            who="test",
            reason="no trace of it",
        )
    assert {hand.seen(one.request_id)[0] for one in made} == {"queued"}
    assert findings(hand) == []


def test_one_of_them_can_be_cancelled_while_they_wait_and_not_afterwards(hand: Hand) -> None:
    made, ready = gathered(hand)
    with pytest.raises(TooLate):
        lookup.cancel(hand.engine, made[0].ids[0])
    hand.record(answer(ready, Outcome.THROTTLED))
    assert lookup.cancel(hand.engine, made[0].ids[0]).state == "cancelled"
    hand.make_due()
    assert called(hand.take()) == [mobiles(3)[1:]]


def test_each_of_them_expires_at_its_own_time(hand: Hand) -> None:
    made, ready = gathered(hand)
    hand.record(answer(ready, Outcome.THROTTLED))
    with writing(hand.engine) as connection:
        whose = request.c.id == made[0].request_id
        connection.execute(update(request).where(whose).values(not_after=later(-1)))
        waits = submission.c.state == "planned"
        connection.execute(update(submission).where(waits).values(not_after=later(-1)))
    maintenance.expire(hand.engine)
    assert [hand.seen(one.request_id)[0] for one in made] == ["expired", "queued", "queued"]
    hand.make_due()
    (ready,) = hand.take()
    assert sorted(ready.outgoing.msisdns) == mobiles(3)[1:]
    hand.record(answer(ready, Outcome.THROTTLED))
    with writing(hand.engine) as connection:
        connection.execute(update(request).values(not_after=later(-1)))
    hand.make_due()
    assert hand.take() == [], "what is claimed past its time is not sent"
    assert [hand.seen(one.request_id)[0] for one in made] == ["expired"] * 3
    assert findings(hand) == []


def test_each_of_them_waits_for_its_number_as_long_as_it_is_valid_itself(
    engine: Engine, database: str
) -> None:
    hand = Hand(engine, settings_of(database, bulk={"per_msisdn": ["1/10h"]}))
    hand.enqueue(mobiles(3))
    hand.record(*(answer(one, Outcome.ACCEPTED) for one in hand.take()))
    with writing(hand.engine) as connection:
        gather.start_gathering(connection, "bulk", 60)
    soon = datetime.now(UTC) + timedelta(hours=2)
    ends = [hand.enqueue([number], not_after=soon) for number in mobiles(1)]
    waits = [hand.enqueue([number]) for number in mobiles(2, 1)]
    goes = hand.enqueue(mobiles(1, 7))
    grow_old(hand)
    assert called(hand.take()) == [mobiles(1, 7)]
    assert [hand.seen(one.request_id)[0] for one in ends] == ["rejected"]
    assert [hand.seen(one.request_id)[0] for one in waits] == ["queued"] * 2
    assert hand.seen(goes.request_id) == {0: "submitting"}
    assert findings(hand) == []


def test_reports_find_them_by_number(engine: Engine, database: str) -> None:
    hand = Hand(engine, settings_of(database, v1={}))
    told(hand, "v1")
    made = [hand.enqueue([number], account="v1") for number in mobiles(3)]
    grow_old(hand)
    (ready,) = hand.take()
    hand.record(answer(ready, Outcome.ACCEPTED, gateway_id="77"))
    with writing(hand.engine) as connection:
        inbox = inbox_store.add_page(connection, "v1", "reports", b"")
        said = [
            Report(number, ReportStatus.DELIVERED, "ok", gateway_id="77") for number in mobiles(2)
        ]
        reports.take_page(connection, ["v1"], inbox, said)
    states = [hand.seen(one.request_id)[0] for one in made]
    assert states == ["delivered", "delivered", "submitted"]


def test_what_is_gathered_goes_once_or_is_cancelled_with_many_workers_racing(
    engine: Engine, database: str
) -> None:
    hand = Hand(engine, settings_of(database, bulk={"max_batch": 7}))
    told(hand)
    made = [hand.enqueue([number]) for number in mobiles(40)]
    grow_old(hand)

    def take() -> list[str]:
        taken: list[str] = []
        for _ in range(6):
            with suppress(Unavailable):
                for one in hand.take():
                    taken += one.outgoing.msisdns
        return taken

    def cancel() -> list[str]:
        done = []
        for one in made[::2]:
            with suppress(TooLate, Unavailable):
                done.append(lookup.cancel(engine, one.ids[0]).to)
        return done

    with ThreadPoolExecutor(5) as threads:
        racing = [threads.submit(take) for _ in range(4)]
        cancelling = threads.submit(cancel)
        taken = [number for one in racing for number in one.result()]
        cancelled = cancelling.result()
    grow_old(hand)
    taken += take()
    assert Counter([*taken, *cancelled]) == Counter([*mobiles(40), *mobiles(1, 900)])
    assert findings(hand) == []


def test_a_thousand_single_calls_become_a_handful_of_submissions_after_a_110(
    stage: Stage, kind: str
) -> None:
    """End to end: the sandbox forbids more than ten singles a minute; each number is there once."""
    stage.configure("bulk")
    stage.sandbox.control.rule("too_many_singles", gateway="c123", args={"n": 10, "window": 60})
    count = 1000 if kind == "postgresql" else 200
    numbers = mobiles(count)
    with stage.working(MessageClass.NOTICE):
        made = [stage.enqueue(number) for number in numbers]
        eventually(lambda: len(stage.taken()) == count, within=60, every=0.2)
        eventually(lambda: all(stage.states(one)["submitted"] for one in made), within=20)
    assert stage.taken() == Counter(numbers)
    lines = stage.lines("c123", only_taken=False)
    codes = Counter(line.code for line in lines)
    assert codes["110"] >= 1
    assert codes["110"] <= 20, "only those that were under way when it was said, and a few"
    assert codes["100"] <= 10 + 25, "ten singles, and the others together"
    with reading(stage.engine) as connection:
        found = invariants.check_database(connection, stage.settings)
        _, against = ledger.compare(connection, stage.settings, stage._ledger())
    assert not [row for one in (*found, *against) for row in one.rows]


class Gathered(History):
    """Any history in which all singles are gathered, and each number may be called once."""

    @rule()
    def enqueue_singles(self) -> None:
        """Some calls for one number each."""
        for number in self.numbers(3):
            made = self.hand.enqueue([number])
            self.totals[made.request_id] = 1
            self.singles += made.ids

    @invariant()
    def keeps_ranges_apart(self) -> None:
        """What was handed out is carried once, by range or by name, or has an end of its own."""
        found = findings(self.hand)
        assert not found, found

    @invariant()
    def names_what_is_carried(self) -> None:
        """No submission that is over carries a message by name."""
        with reading(self.hand.engine) as connection:
            rows = connection.execute(
                select(message.c.request_id, message.c.n)
                .join(submission, submission.c.id == message.c.submission_id)
                .where(message.c.state.is_(None), submission.c.state == "not_sent")
            )
            assert rows.all() == []


@pytest.mark.slow
def test_any_history_of_gathered_messages(
    kind: str, engine: Engine, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def heard(
        connection: Connection, singles: Sequence[WaitingSingle], *args: Any, **words: Any
    ) -> int:
        sizes.append(len(singles))
        return insert_gathered(connection, singles, *args, **words)

    monkeypatch.setattr(gather, "insert_gathered", heard)
    told, look = SimpleNamespace(account="bulk", gathers=True), gather_module.gatherer_for
    monkeypatch.setattr(
        gather_module, "gatherer_for", lambda message_class, _: look(message_class, [told])
    )
    monkeypatch.setattr(gather_module, "GATHER_WAIT", 0.0)
    hurry(engine)
    hand = Hand(engine, settings_of(database, bulk={"max_batch": 3, "per_msisdn": ["1/10h"]}))
    run_state_machine_as_test(
        type("Told", (Gathered,), {"hand": hand}),
        settings=settings(
            max_examples=15 if kind == "sqlite" else 4,
            stateful_step_count=25,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
            phases=(Phase.generate,),
        ),
    )
    # The few histories of the slower databases may gather none.
    assert kind != "sqlite" or max(sizes) == 3, "some were gathered"
