"""A batch refused for one number: the good ones arrive once, the bad one is found, none is lost."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select, update

from tests.support.by_hand import (
    MARKETING,
    NOTICE,
    Hand,
    answer,
    hurry,
    settings_of,
)
from tests.support.stage import (
    Stage,
    eventually,
    mobiles,
    section,
)
from worker.delivery import batch_split as batch_split_module
from worker.delivery import record
from worker.delivery.submit import CallAnswer, PreparedSubmission
from worker.domain.enums import (
    Fault,
    MessageClass,
    MessageState,
    Outcome,
)
from worker.gateways.results import Result, Results
from worker.intake import campaigns
from worker.store import spool_entries
from worker.store.db.database import reading, writing
from worker.store.delivery import batch_split, submission_details
from worker.store.schema.tables import (
    account_state,
    event,
    message,
    submission,
)
from worker.store.spool import Spool

M = MessageState
on_sqlite = pytest.mark.parametrize("kind", ["sqlite"])
#: Its refusals take none: split at once.
SURE = {"refusal_takes_none": True}


class Strict:
    """A gateway that refuses a whole submission for each bad number, and takes none of it."""

    def __init__(self, bad: Iterable[str]) -> None:
        self.bad = set(bad)
        self.taken: Counter[str] = Counter()
        self.calls = 0

    def answer(self, ready: PreparedSubmission) -> CallAnswer:
        """Return what it says to a submission."""
        self.calls += 1
        if self.bad.intersection(ready.outgoing.msisdns):
            return refusal(ready)
        self.taken.update(ready.outgoing.msisdns)
        return answer(ready, Outcome.ACCEPTED)


def refusal(ready: PreparedSubmission, fault: Fault = Fault.NUMBER) -> CallAnswer:
    """Return a refusal as c123 words it."""
    return answer(ready, Outcome.REJECTED, code="112", fault=fault)


@pytest.fixture
def hand(engine: Engine, database: str) -> Hand:
    return Hand(engine, settings_of(database, bulk=SURE))


def drain(
    hand: Hand, gateway: Strict, message_class: MessageClass = NOTICE, most: int = 400
) -> None:
    """Submit until nothing is due."""
    for _ in range(most):
        flying = hand.take(message_class)
        if not flying:
            return
        hand.record(*(gateway.answer(one) for one in flying))
    pytest.fail("it never ends")


def by_name(hand: Hand) -> None:
    """Let the messages of all that waits name their submission, in place of its range."""
    with writing(hand.engine) as connection:
        waiting = connection.execute(select(submission).where(submission.c.state == "planned"))
        for row in waiting.all():
            connection.execute(
                update(message)
                .where(
                    message.c.request_id == row.request_id,
                    message.c.n >= row.lo,
                    message.c.n < row.hi,
                )
                .values(submission_id=row.id)
            )
            connection.execute(
                update(submission).where(submission.c.id == row.id).values(lo=None, hi=None)
            )


def events(hand: Hand, name: str) -> list[Any]:
    with reading(hand.engine) as connection:
        return list(connection.execute(select(event).where(event.c.name == name)))


@on_sqlite
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    size=st.integers(1, 40),
    data=st.data(),
    named=st.booleans(),
    message_class=st.sampled_from(list(MessageClass)),
)
def test_every_good_number_is_taken_once_and_every_bad_one_is_rejected(
    hand: Hand, *, size: int, data: st.DataObject, named: bool, message_class: MessageClass
) -> None:
    """Any set of bad numbers in any batch, by range and by name, of any class."""
    hurry(hand.engine)
    hand.clear()
    numbers = mobiles(size)
    bad = data.draw(st.sets(st.sampled_from(numbers)))
    gateway = Strict(bad)
    made = hand.enqueue(numbers, message_class=message_class)
    if named:
        hand.record(*(answer(one, Outcome.THROTTLED) for one in hand.take(message_class)))
        hand.make_due()
        by_name(hand)
    drain(hand, gateway, message_class)
    assert gateway.taken == Counter(set(numbers) - bad)
    found = hand.count(made.request_id)
    assert found == {k: v for k, v in (("submitted", size - len(bad)), ("rejected", len(bad))) if v}
    tries = {one.attempts for one in hand.submissions(made.request_id) if one.state != "not_sent"}
    assert tries == {1}, "the innocent have been tried once"


def test_a_batch_is_split_by_the_halves(hand: Hand) -> None:
    """One bad number in 64 costs two submissions for each halving, and no more."""
    numbers = mobiles(64)
    gateway = Strict(numbers[37:38])
    made = hand.enqueue(numbers)
    drain(hand, gateway)
    assert gateway.calls == 1 + 2 * 6
    assert hand.count(made.request_id) == {"submitted": 63, "rejected": 1}
    assert len(events(hand, "submission.split")) == 6
    (bad,) = [one for one in hand.submissions(made.request_id) if one.state == "rejected"]
    assert (bad.size, bad.code) == (1, "112")
    assert bad.parent_id is not None


def test_a_refusal_for_the_text_is_never_split(hand: Hand) -> None:
    made = hand.enqueue(mobiles(8))
    (ready,) = hand.take()
    hand.record(refusal(ready, Fault.TEXT))
    assert hand.count(made.request_id) == {"rejected": 8}
    assert not hand.take()


def test_an_account_with_a_counter_is_asked_before_anything_is_split(
    engine: Engine, database: str
) -> None:
    """Its refusal may have taken the others: they are unknown, and go nowhere."""
    hand = Hand(engine, settings_of(database, bulk={}))
    made = hand.enqueue(mobiles(8))
    (ready,) = hand.take()
    hand.record(refusal(ready))
    assert hand.count(made.request_id) == {"unknown": 8}
    assert not hand.take()
    (one,) = hand.submissions(made.request_id)
    assert (one.code, one.outcome) == ("112", "rejected")
    with writing(engine) as connection:
        assert batch_split_module.settle_not_taken(connection, one.id, one.fence)
        assert not batch_split_module.settle_not_taken(connection, one.id, one.fence), (
            "once is enough"
        )
    assert hand.count(made.request_id) == {"queued": 8}
    assert [one.size for one in hand.submissions(made.request_id)[1:]] == [4, 4]


@pytest.mark.parametrize("bound", [0, 2])
def test_past_the_bound_the_rest_waits_for_a_person(
    hand: Hand, monkeypatch: pytest.MonkeyPatch, bound: int
) -> None:
    """It is shown, takes no part until then, and goes on when it is told to."""
    monkeypatch.setattr(batch_split_module, "MAX_SPLITS", bound)
    numbers = mobiles(16)
    gateway = Strict(numbers)
    made = hand.enqueue(numbers)
    drain(hand, gateway)
    before = gateway.calls
    with reading(hand.engine) as connection:
        waiting = batch_split.parked_submissions(connection)
    assert sum(one.size for one in waiting) == hand.count(made.request_id)["queued"] == 16
    assert {one.code for one in waiting} == {"112"}
    assert len(events(hand, "submission.split")) == bound
    hand.make_due()
    drain(hand, gateway)
    assert gateway.calls == before
    gateway.bad.clear()
    with writing(hand.engine) as connection:
        for one in waiting:
            assert batch_split_module.resume_splitting(
                connection, one.id, "a person", "looked through"
            )
            assert not batch_split_module.resume_splitting(connection, one.id, "a person", "again")
    drain(hand, gateway)
    assert hand.count(made.request_id) == {"submitted": 16}
    assert set(gateway.taken.values()) == {1}


def test_what_waits_at_the_bound_is_cancelled_with_its_campaign(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_split_module, "MAX_SPLITS", 1)
    numbers = mobiles(16)
    loaded = hand.campaign(numbers)
    drain(hand, Strict(numbers), MARKETING)
    campaigns.cancel(hand.engine, loaded.id)
    assert hand.count(loaded.id) == {"cancelled": 16}
    with reading(hand.engine) as connection:
        assert not batch_split.parked_submissions(connection)


def test_the_halves_of_a_paused_campaign_wait(hand: Hand) -> None:
    numbers = mobiles(16)
    gateway = Strict(numbers[:1])
    loaded = hand.campaign(numbers)
    flying = hand.take(MARKETING)
    campaigns.pause(hand.engine, loaded.id)
    hand.record(*(gateway.answer(one) for one in flying))
    assert not hand.take(MARKETING)
    campaigns.run(hand.engine, loaded.id)
    drain(hand, gateway, MARKETING)
    assert hand.count(loaded.id) == {"submitted": 15, "rejected": 1}


def test_a_refused_batch_of_a_cancelled_campaign_is_cancelled(hand: Hand) -> None:
    numbers = mobiles(16)
    loaded = hand.campaign(numbers)
    flying = hand.take(MARKETING)
    campaigns.cancel(hand.engine, loaded.id)
    hand.record(*(refusal(one) for one in flying))
    assert hand.count(loaded.id) == {"cancelled": 16}
    assert not hand.take(MARKETING)


def test_an_answer_that_came_late_is_split_too(hand: Hand) -> None:
    """Swept as unknown; then its refusal proves that nothing was taken."""
    from worker.runtime import maintenance

    made = hand.enqueue(mobiles(4))
    (ready,) = hand.take()
    hand.run_out()
    maintenance.end_overdue_leases(hand.engine, hand.settings, "sweep")
    assert hand.count(made.request_id) == {"unknown": 4}
    hand.record(refusal(ready))
    assert hand.count(made.request_id) == {"queued": 4}
    assert [one.size for one in hand.submissions(made.request_id)[1:]] == [2, 2]


#: c123, whose counter is asked: the document does not say what a 112 took.
ASKED = {"settling_delay": "0.2s", "timeout": "1s", "max_batch": 50}


def baseline(stage: Stage) -> bool:
    with stage.engine.connect() as connection:
        query = "SELECT counter FROM xinshi_account_state WHERE counter IS NOT NULL"
        return connection.exec_driver_sql(query).first() is not None


@pytest.mark.parametrize("sure", [True, False], ids=["sure", "asked"])
def test_a_112_that_took_none(stage: Stage, *, sure: bool) -> None:
    """Every good number goes once; with the counter asked too, later."""
    more = {**ASKED, "refusal_takes_none": sure}
    stage.configure(accounts={"bulk": section(stage.sandbox, "bulk", **more)})
    numbers = mobiles(4)
    stage.sandbox.control.rule("refuse_number", gateway="c123", call="tx", numbers=numbers[2:3])
    with stage.working():
        eventually(lambda: baseline(stage))
        made = stage.enqueue(numbers)
        wanted = {"submitted": 3, "rejected": 1}
        eventually(lambda: stage.states(made) == wanted, within=60)
    assert stage.taken() == Counter(numbers[:2] + numbers[3:])
    assert stage.message(made, 2).code == "112"


def test_a_112_that_took_the_others_stays_unknown(stage: Stage) -> None:
    """The counter moved: nobody is sent to again, and a person sees it."""
    more = {**ASKED, "sole_user": True}
    stage.configure(accounts={"bulk": section(stage.sandbox, "bulk", **more)})
    numbers = mobiles(4)
    stage.sandbox.control.rule("take_others", gateway="c123", call="tx", numbers=numbers[2:3])
    with stage.working():
        eventually(lambda: baseline(stage))
        made = stage.enqueue(numbers)
        eventually(lambda: stage.states(made) == {"unknown": 4})
        eventually(_judged(stage), within=60)
    assert stage.states(made) == {"unknown": 4}
    assert stage.taken() == Counter(numbers[:2] + numbers[3:])


def _judged(stage: Stage) -> Callable[[], bool]:
    """Return how to tell that the counter was asked, and proved nothing."""

    def judged() -> bool:
        with stage.engine.connect() as connection:
            query = "SELECT name FROM xinshi_event WHERE name = 'submission.still_unknown'"
            return connection.exec_driver_sql(query).first() is not None

    return judged


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), rest=st.sampled_from([Outcome.ACCEPTED, Outcome.REJECTED, Outcome.DEFERRED]))
def test_a_gateway_that_tells_of_each_number_is_believed_of_each(
    hand: Hand, data: st.DataObject, rest: Outcome
) -> None:
    """Accepted, refused, later, unknown: side by side in one answer."""
    hurry(hand.engine)
    hand.clear()
    numbers = mobiles(6)
    told = data.draw(
        st.dictionaries(
            st.sampled_from(numbers),
            st.sampled_from(
                [Outcome.ACCEPTED, Outcome.REJECTED, Outcome.THROTTLED, Outcome.UNKNOWN]
            ),
        )
    )
    made = hand.enqueue(numbers)
    (ready,) = hand.take()
    each = {
        numbers.index(number): Result(outcome, outcome.value) for number, outcome in told.items()
    }
    hand.record(CallAnswer(ready, Results(Result(rest, rest.value), each), 0.0))
    ends = {
        Outcome.ACCEPTED: "submitted",
        Outcome.REJECTED: "rejected",
        Outcome.THROTTLED: "queued",
        Outcome.DEFERRED: "queued",
        Outcome.UNKNOWN: "unknown",
    }
    wanted = {nth: ends[told.get(number, rest)] for nth, number in enumerate(numbers)}
    assert hand.seen(made.request_id) == wanted
    assert hand.count(made.request_id) == Counter(wanted.values())
    gone = Counter(number for number in numbers if wanted[numbers.index(number)] == "queued")
    with writing(hand.engine) as connection:
        connection.execute(update(account_state).values(doubts=0, settle_until=None))
    gateway = Strict([])
    hand.make_due()
    drain(hand, gateway)
    assert gateway.taken == gone


@on_sqlite
def test_what_each_number_got_survives_the_disk_and_no_number_stands_there(
    hand: Hand, tmp_path: Path
) -> None:
    """If its process dies before the database takes it, each message still gets its own end."""
    numbers = mobiles(4)
    made = hand.enqueue(numbers)
    (ready,) = hand.take()
    each = {1: Result(Outcome.REJECTED, "112"), 2: Result(Outcome.THROTTLED, "107")}
    answered = CallAnswer(ready, Results(Result(Outcome.ACCEPTED, "100"), each, list("abcd")), 0.0)
    Spool(tmp_path, "it").add([spool_entries.outcome_row(record.outcome_of(answered))])
    (file,) = tmp_path.iterdir()
    written = file.read_text("utf-8")
    assert not any(number in written for number in numbers)
    calls = list(spool_entries.read_outcomes([json.loads(written)]))
    with writing(hand.engine) as connection:
        record.record(connection, calls, hand.settings, "another", current_settings=False)
    seen = hand.seen(made.request_id)
    assert seen == {0: "submitted", 1: "rejected", 2: "queued", 3: "submitted"}
    with reading(hand.engine) as connection:
        kept = submission_details.gateway_ids_of(connection, [ready.lease.id])
    assert kept == {(made.request_id, 0): "a", (made.request_id, 3): "d"}
