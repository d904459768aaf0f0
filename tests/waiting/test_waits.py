"""Why something waits is found by one function, and said in the same words everywhere."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from producer.waiting import wait_reasons, waits
from producer.waiting.wait_reasons import PROBED, SENTENCES, WaitCause, WaitKind
from tests.support.by_hand import NOTICE, Hand, answer, settings_of
from tests.support.stage import mobiles
from worker.domain.enums import MessageClass, Outcome
from worker.intake import campaigns, lookup
from worker.store import accounts
from worker.store.db.clock import later
from worker.store.db.database import writing
from worker.store.delivery import stops
from worker.store.schema.tables import tick

HOUR = timedelta(hours=1)
TEXT = "【信使】您的订单已发货"


@pytest.fixture
def hand(engine: Any, database: str) -> Hand:
    """A house in which a worker seems to run: its tick is due in a while."""
    house = Hand(engine, settings_of(database, bulk={"sending_hours": "any"}))
    with writing(engine) as connection:
        connection.execute(tick.insert().values(name="sweep", next_at=later(60)))
    return house


def kinds(hand: Hand, message_id: str) -> list[WaitKind]:
    message = lookup.get(hand.engine, message_id)
    return [reason.kind for reason in waits.of_message(hand.engine, hand.settings, message)]


def message_id(hand: Hand, **more: Any) -> str:
    return hand.enqueue(["13800138000"], TEXT, **more).ids[0]


def test_what_goes_out_soon_waits_for_nothing(hand: Hand) -> None:
    assert kinds(hand, message_id(hand)) == []


def test_what_is_under_way_or_over_waits_for_nothing(hand: Hand) -> None:
    waiting = message_id(hand)
    hand.prove()
    hand.take(NOTICE)
    assert kinds(hand, waiting) == []


def test_its_time_has_not_come(hand: Hand) -> None:
    assert kinds(hand, message_id(hand, not_before=datetime.now(UTC) + HOUR)) == [
        WaitKind.NOT_BEFORE
    ]


def test_its_class_is_stopped(hand: Hand) -> None:
    waiting = message_id(hand)
    with writing(hand.engine) as connection:
        stops.add(connection, MessageClass.NOTICE, "ann", "a look")
    assert kinds(hand, waiting) == [WaitKind.STOPPED]


def test_its_account_is_held(hand: Hand) -> None:
    waiting = message_id(hand)
    with writing(hand.engine) as connection:
        accounts.ensure(connection, "bulk")
        accounts.hold(connection, "bulk", "405", "no such login", None)
    message = lookup.get(hand.engine, waiting)
    (reason,) = waits.of_message(hand.engine, hand.settings, message)
    assert reason.kind is WaitKind.HELD
    assert reason.sentence() == "bulk: held: 405 no such login; `xinshi accounts`"


def test_no_worker_runs(hand: Hand) -> None:
    waiting = message_id(hand)
    with writing(hand.engine) as connection:
        connection.execute(update(tick).values(next_at=later(-3600)))
    assert kinds(hand, waiting) == [WaitKind.NO_WORKER]


def test_its_campaign_is_not_started(hand: Hand) -> None:
    loaded = hand.campaign(mobiles(2), start=False)
    assert kinds(hand, f"{loaded.id}-0") == [WaitKind.NOT_STARTED]
    campaign = campaigns.show(hand.engine, loaded.id)
    (reason,) = waits.of_campaign(hand.engine, hand.settings, campaign)
    assert reason.kind is WaitKind.NOT_STARTED


def test_a_refusal_for_the_moment_says_when_it_is_tried_again(hand: Hand) -> None:
    waiting = message_id(hand)
    hand.prove()
    (prepared,) = hand.take(NOTICE)
    hand.record(answer(prepared, Outcome.DEFERRED))
    message = lookup.get(hand.engine, waiting)
    (reason,) = waits.of_message(hand.engine, hand.settings, message)
    assert (reason.kind, reason.account) == (WaitKind.RETRY, "bulk")
    assert reason.until is not None


@pytest.mark.parametrize("language", SENTENCES)
@pytest.mark.parametrize("kind", WaitKind)
def test_every_reason_has_its_sentence(language: str, kind: WaitKind) -> None:
    until = datetime(2026, 11, 28, tzinfo=UTC)
    reason = WaitCause(kind, "bulk", until, "the why", "`the advice`")
    sentence = reason.sentence(language)
    assert sentence.startswith("bulk: ")
    assert "{" not in sentence
    assert language in PROBED
    assert wait_reasons.as_json([reason])[0]["what"] == reason.sentence()
