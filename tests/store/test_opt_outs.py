"""A number opts out once, however many workers read its replies at the same time."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Engine, select, text

from tests.support.by_hand import Hand, answer, by_person, hurry, settings_of
from tests.support.stage import eventually
from worker.domain.enums import MessageClass, MessageState, OptOutScope, Outcome
from worker.intake import lookup
from worker.store.db.database import reading, writing
from worker.store.feedback import opt_outs
from worker.store.schema.tables import opt_out

NUMBERS = ("13800000001", "13800000002", "13800000003")
#: How many connections each database says are waiting for another one's lock.
WAITING = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'",
    "mysql": "SELECT variable_value FROM information_schema.global_status"
    " WHERE variable_name = 'Innodb_row_lock_current_waits'",
}


def stored(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return list(
            connection.execute(select(opt_out.c.msisdn).order_by(opt_out.c.msisdn)).scalars()
        )


def waits_for_a_lock(engine: Engine) -> bool:
    """Whether the other transaction has come to the first one's row."""
    query = WAITING.get(engine.dialect.name)
    if query is None:
        return True  # writers of an SQLite file wait before they read
    with engine.connect() as connection:
        return int(connection.execute(text(query)).scalar_one()) > 0


def test_two_workers_that_opt_the_same_number_out_both_succeed(engine: Engine) -> None:
    """Each number is new to one of the two, whichever way round each of them was given its own."""
    begun = Event()

    def other() -> list[str]:
        begun.set()
        with writing(engine) as connection:
            return opt_outs.add_new(connection, NUMBERS[:0:-1], by_person("the other"))

    with ThreadPoolExecutor(1) as thread:
        with writing(engine) as connection:
            mine = opt_outs.add_new(connection, NUMBERS[:2], by_person("the first"))
            others = thread.submit(other)
            assert begun.wait(10)
            eventually(lambda: waits_for_a_lock(engine))
        assert mine == list(NUMBERS[:2])
        assert others.result(30) == [NUMBERS[2]]
    assert stored(engine) == list(NUMBERS)


def test_a_number_that_is_given_twice_opts_out_once(engine: Engine) -> None:
    with writing(engine) as connection:
        assert opt_outs.add_new(connection, [NUMBERS[0], NUMBERS[0]], by_person("twice")) == [
            NUMBERS[0]
        ]
        assert opt_outs.add_new(connection, NUMBERS[:2], by_person("again")) == [NUMBERS[1]]
    assert stored(engine) == list(NUMBERS[:2])


@pytest.fixture
def hand(engine: Engine, database: str) -> Hand:
    hurry(engine)
    return Hand(engine, settings_of(database, v1={}))


@pytest.mark.parametrize("scope", OptOutScope)
def test_only_an_opt_out_of_everything_stops_codes_and_notices(
    hand: Hand, scope: OptOutScope
) -> None:
    with writing(hand.engine) as connection:
        opt_outs.add_many(connection, NUMBERS[:1], scope, by_person("test"))
    is_stopped = scope is OptOutScope.ALL
    for message_class in (MessageClass.OTP, MessageClass.NOTICE):
        single = hand.enqueue(NUMBERS[:1], message_class=message_class).ids[0]
        several = hand.enqueue(NUMBERS, message_class=message_class).ids
        hand.record(*(answer(one, Outcome.ACCEPTED) for one in hand.take(message_class)))
        states = [lookup.get(hand.engine, name).state for name in (single, *several)]
        first = MessageState.SUPPRESSED if is_stopped else MessageState.SUBMITTED
        assert states == [first, first, MessageState.SUBMITTED, MessageState.SUBMITTED]
    notices = hand.campaign(NUMBERS, message_class=MessageClass.NOTICE)
    assert notices.suppressed == int(is_stopped)
    assert hand.campaign(NUMBERS).suppressed == 1


def test_an_opt_out_of_everything_reaches_a_campaign_of_notices_that_is_loaded(hand: Hand) -> None:
    campaign_id = hand.campaign(NUMBERS, message_class=MessageClass.NOTICE).id
    with writing(hand.engine) as connection:
        opt_outs.add_many(connection, NUMBERS[:1], OptOutScope.ALL, by_person("test"))
        opt_outs.add_many(connection, NUMBERS[1:2], OptOutScope.MARKETING, by_person("test"))
    hand.record(*(answer(one, Outcome.ACCEPTED) for one in hand.take(MessageClass.NOTICE)))
    assert hand.count(campaign_id) == {"suppressed": 1, "submitted": 2}


def test_an_opt_out_reaches_a_batch_of_a_campaign_of_marketing_that_is_loaded(hand: Hand) -> None:
    campaign_id = hand.campaign(NUMBERS).id
    with writing(hand.engine) as connection:
        opt_outs.add_new(connection, NUMBERS[:1], by_person("test"))
    hand.record(*(answer(one, Outcome.ACCEPTED) for one in hand.take(MessageClass.MARKETING)))
    assert hand.count(campaign_id) == {"suppressed": 1, "submitted": 2}


def test_a_row_that_a_user_inserts_stops_marketing_alone(hand: Hand) -> None:
    with writing(hand.engine) as connection:
        statement = "INSERT INTO xinshi_opt_out (msisdn, since, why) VALUES (:number, :at, 'own')"
        values = {"number": NUMBERS[0], "at": "2026-11-01 00:00:00"}
        connection.execute(text(statement), values)
    (row,) = opt_out_rows(hand.engine)
    assert (row.scope, row.source) == ("marketing", "person")
    assert hand.campaign(NUMBERS).suppressed == 1
    assert hand.campaign(NUMBERS, message_class=MessageClass.NOTICE).suppressed == 0


def opt_out_rows(engine: Engine) -> list[Any]:
    with reading(engine) as connection:
        return opt_outs.rows_of(connection, NUMBERS)


def test_what_stops_less_changes_nothing_and_what_stops_more_is_a_change(engine: Engine) -> None:
    with writing(engine) as connection:
        for scope, counts in (
            (OptOutScope.MARKETING, (3, 0)),
            (OptOutScope.ALL, (0, 3)),
            (OptOutScope.MARKETING, (0, 0)),
        ):
            additions = opt_outs.add_many(connection, NUMBERS, scope, by_person(scope))
            assert (len(additions.added), len(additions.changed)) == counts
        acts = [row.act for row in opt_outs.history_of(connection, NUMBERS[0], 10)]
        assert acts == ["added", "changed"]
    assert {(row.scope, row.why) for row in opt_out_rows(engine)} == {("all", "all")}
