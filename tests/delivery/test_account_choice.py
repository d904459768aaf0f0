"""Choosing within a claim, on all three databases: shares, places, traces, and who may move."""

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import Engine, select

from tests.support.by_hand import (
    MARKETING,
    Hand,
    answer,
    settings_of,
)
from tests.support.stage import mobiles
from worker.domain.enums import Carrier, MessageClass, Outcome
from worker.policy.account_health import Health
from worker.store import accounts
from worker.store.db.database import reading, writing
from worker.store.schema.tables import event

#: No place is kept for codes.
WIDE = {"max_batch": 2, "concurrency": 10, "classes": ["notice", "marketing"]}


@pytest.fixture
def hand(engine: Engine, database: str) -> Hand:
    return Hand(
        engine,
        settings_of(
            database,
            v1={**WIDE, "priority": 1},
            jzy=WIDE,
        ),
    )


def ill(hand: Hand, name: str, share: float, **carriers: float) -> None:
    """Let an account have this share, and these at carriers."""
    by = {Carrier(carrier): part for carrier, part in carriers.items()}
    with writing(hand.engine) as connection:
        accounts.write_health(connection, name, Health(share, share, by, "why"))


def routed(hand: Hand) -> list[Any]:
    """Return the traces of choices."""
    with reading(hand.engine) as connection:
        rows = connection.execute(select(event).where(event.c.name == "submission.routed"))
        return list(rows)


def test_a_choice_is_traced_once_for_each_submission(hand: Hand) -> None:
    loaded = hand.campaign(mobiles(12))
    made = hand.take(MARKETING)
    assert [len(one.outgoing.msisdns) for one in made] == [2] * 6
    traces = routed(hand)
    assert {row.submission_id for row in traces} == {one.lease.id for one in made}
    assert len(traces) == 6, "not one a message"
    assert {row.account for row in traces} == {"v1"}
    assert traces[0].detail == {"chances": {"v1": 1.0, "jzy": 0.0}}
    assert hand.count(loaded.id) == {"submitting": 12}


def test_where_there_is_no_choice_nothing_is_traced(hand: Hand) -> None:
    hand.enqueue(mobiles(2), account="jzy")
    assert len(hand.take()) == 1
    assert routed(hand) == []


def test_a_campaign_takes_no_more_places_of_a_failing_account_than_its_share(hand: Hand) -> None:
    ill(hand, "v1", 0.2)
    hand.campaign(mobiles(200))
    taken: Counter[str] = Counter()
    for _ in range(40):
        taken += Counter(one.lease.account for one in hand.take(MARKETING))
    assert taken == {"v1": 2, "jzy": 10}


def test_a_failing_account_has_all_of_its_places_where_it_is_the_only_one(hand: Hand) -> None:
    ill(hand, "v1", 0.05)
    hand.enqueue(mobiles(40), account="v1")
    assert len(hand.take()) == 10


def test_traffic_goes_to_the_next_priority_as_the_share_says(hand: Hand) -> None:
    ill(hand, "v1", 0.5)
    found: Counter[str] = Counter()
    for nth in range(80):
        hand.enqueue(mobiles(1, nth))
        for one in hand.take():
            found[one.lease.account] += 1
            hand.record(answer(one, Outcome.REJECTED))
    assert 20 <= found["v1"] <= 60
    assert found.total() == 80


@pytest.mark.parametrize("outcome", [Outcome.NOT_SENT, Outcome.DEFERRED, Outcome.THROTTLED])
def test_what_was_provably_not_taken_may_move(hand: Hand, outcome: Outcome) -> None:
    accepted = hand.enqueue(mobiles(2))
    (first,) = hand.take()
    hand.record(answer(first, outcome))
    with writing(hand.engine) as connection:
        accounts.hold(connection, "v1", "by hand", "", None)
    hand.make_due()
    (second,) = hand.take()
    assert (first.lease.account, second.lease.account) == ("v1", "jzy")
    assert hand.count(accepted.request_id) == {"submitting": 2}


@pytest.mark.parametrize("message_class", [MessageClass.NOTICE, MessageClass.MARKETING])
def test_what_may_have_been_taken_never_moves(hand: Hand, message_class: MessageClass) -> None:
    accepted = hand.enqueue(mobiles(1), message_class=message_class)
    (first,) = hand.take(message_class)
    hand.record(answer(first, Outcome.UNKNOWN))
    ill(hand, "v1", 0.05)
    for _ in range(3):
        hand.make_due()
        assert hand.take(message_class) == []
    assert hand.count(accepted.request_id) == {"unknown": 1}


def test_a_single_message_avoids_an_account_that_does_badly_at_its_carrier(hand: Hand) -> None:
    ill(hand, "v1", 1.0, china_unicom=0.05)
    found: dict[str, Counter[str]] = {"130": Counter(), "138": Counter()}
    for nth in range(30):
        for beginning, chosen in found.items():
            hand.enqueue([f"{beginning}{nth:08d}"])
            for one in hand.take():
                chosen[one.lease.account] += 1
                hand.record(answer(one, Outcome.REJECTED))
    assert found["138"] == {"v1": 30}
    assert found["130"]["jzy"] >= 22
