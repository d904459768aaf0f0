"""A class that a person stopped: nothing of it is handed out, and nothing of it is lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, event

from tests.support.by_hand import MARKETING, NOTICE, Hand, answer, settings_of
from tests.support.stage import Stage, eventually, mobiles, section
from worker.delivery import class_stops
from worker.domain.enums import MessageClass, Outcome
from worker.runtime import maintenance
from worker.store.db import database
from worker.store.schema.tables import account_state
from worker.store.settlement import unknown


@pytest.fixture
def hand(database: str, engine: Engine) -> Hand:
    """One account, and each step of submitting as a call."""
    return Hand(engine, settings_of(database))


def stop(engine: Engine, *message_classes: MessageClass) -> list[MessageClass]:
    return class_stops.stop(engine, message_classes, "li", "wrong price")


def resume(engine: Engine, *message_classes: MessageClass) -> list[MessageClass]:
    return class_stops.resume(engine, message_classes, "li")


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """Collect the statements that are executed meanwhile."""
    collected: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        collected.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield collected
    finally:
        event.remove(engine, "before_cursor_execute", note)


def test_nothing_of_a_stopped_class_is_claimed_until_it_is_resumed(
    hand: Hand, engine: Engine
) -> None:
    campaign = hand.campaign(mobiles(3))
    hand.enqueue(mobiles(1, 10))
    assert stop(engine, MARKETING) == [MARKETING]
    assert stop(engine, MARKETING) == []
    assert hand.take(MARKETING) == []
    assert len(hand.take(NOTICE)) == 1
    late = hand.enqueue(mobiles(1, 20), message_class=MARKETING)
    assert late.ids
    assert hand.take(MARKETING) == []
    assert resume(engine, MARKETING) == [MARKETING]
    assert resume(engine, MARKETING) == []
    assert sum(len(prepared.outgoing.msisdns) for prepared in hand.take(MARKETING)) == 4
    assert hand.count(campaign.id) == {"submitting": 3}


def test_a_stop_holds_before_any_account_has_a_row(hand: Hand, engine: Engine) -> None:
    hand.enqueue(mobiles(1))
    with database.writing(engine) as connection:
        connection.execute(account_state.delete())
    stop(engine, NOTICE)
    assert hand.take() == []
    resume(engine, NOTICE)
    assert len(hand.take()) == 1


def test_what_is_in_flight_ends_and_what_is_to_be_tried_again_waits(
    hand: Hand, engine: Engine
) -> None:
    taken_request, again_request = (
        hand.enqueue(mobiles(1, first), f"【信使】您的订单{first}已发货").request_id
        for first in (0, 10)
    )
    first, second = hand.take()
    stop(engine, *MessageClass)
    hand.record(answer(first, Outcome.ACCEPTED), answer(second, Outcome.DEFERRED))
    hand.make_due()
    assert hand.take() == []
    assert hand.seen(taken_request) == {0: "submitted"}
    assert hand.seen(again_request) == {0: "queued"}
    resume(engine, *MessageClass)
    (again,) = hand.take()
    assert again.outgoing.msisdns == second.outgoing.msisdns


def test_what_is_over_while_its_class_is_stopped_expires_unsent(hand: Hand, engine: Engine) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=0.2)
    stop(engine, MessageClass.OTP)
    request_id = hand.enqueue(mobiles(1), message_class=MessageClass.OTP, not_after=soon).request_id

    def is_expired() -> bool:
        maintenance.expire(engine)
        return list(hand.seen(request_id).values()) == ["expired"]

    eventually(is_expired)
    resume(engine, MessageClass.OTP)
    assert hand.take(MessageClass.OTP) == []


def test_an_unknown_of_a_stopped_class_is_not_repeated_under_its_reference(
    database: str, engine: Engine
) -> None:
    hand = Hand(engine, settings_of(database, v1={"repeat_reference": True}))
    hand.enqueue(mobiles(1))
    (prepared,) = hand.take()
    hand.record(answer(prepared, Outcome.UNKNOWN))
    with engine.connect() as connection:
        assert len(unknown.repeatable(connection, "v1", 10)) == 1
        connection.rollback()
        stop(engine, NOTICE)
        assert unknown.repeatable(connection, "v1", 10) == []


def test_a_claim_looks_at_the_stops_without_a_statement_of_its_own(
    hand: Hand, engine: Engine
) -> None:
    hand.enqueue(mobiles(1))
    hand.take()
    with statements(engine) as executed:
        assert hand.take() == []
    assert sum("xinshi_stop" in statement for statement in executed) == 1
    (first, *_) = [statement for statement in executed if "SELECT" in statement]
    assert "xinshi_stop" in first
    assert "xinshi_account_state" in first


def test_a_worker_heeds_a_stop_at_once_and_after_a_restart(stage: Stage) -> None:
    """What was taken when the last call ended is all until the class is resumed."""
    account = section(stage.sandbox, "v1", max_batch=1, concurrency=2)
    stage.configure(accounts={"v1": account})
    stage.prove()
    stage.sandbox.control.rule("latency", args={"seconds": 0.03})
    stage.producer.enqueue_campaign("Sale", mobiles(100), "【信使】大促 回T退订")

    def send_notice(msisdn: str) -> None:
        """A notice that goes out beside shows that the worker has looked again, twice."""
        stage.enqueue(msisdn)
        eventually(lambda: stage.taken()[msisdn])

    with stage.working():
        eventually(stage.taken)
        stop(stage.engine, MARKETING)
        send_notice("13900000001")
        send_notice("13900000002")
    taken = sum(stage.taken().values())
    assert taken < 102
    with stage.working():
        send_notice("13900000003")
        send_notice("13900000004")
        assert sum(stage.taken().values()) == taken + 2
        resume(stage.engine, MARKETING)
        eventually(lambda: sum(stage.taken().values()) == 104, within=60)
    assert set(stage.taken().values()) == {1}
