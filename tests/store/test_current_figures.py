"""What metrics ask the database, on each database: bounded, and ended by the clock."""

import pytest
from sqlalchemy import Engine, insert, text
from sqlalchemy.exc import DBAPIError

from tests.support.by_hand import Hand, answer, settings_of
from tests.support.stage import mobiles
from worker.domain.enums import MessageClass, Outcome
from worker.store import current_figures
from worker.store.db import statement_limit
from worker.store.db.clock import later
from worker.store.db.database import reading, writing
from worker.store.schema.tables import tick

#: A statement that takes far longer than any limit here, by dialect.
SLOW = {
    "postgresql": "SELECT pg_sleep(20)",
    "mysql": "SELECT count(*) FROM (SELECT SLEEP(20)) AS slept",
    "mariadb": "SELECT count(*) FROM (SELECT SLEEP(20)) AS slept",
    "sqlite": (
        "WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted"
        " WHERE n < 1000000000) SELECT count(*) FROM counted"
    ),
}


def test_a_statement_that_takes_too_long_is_ended_and_the_connection_goes_on(
    engine: Engine,
) -> None:
    with reading(engine) as connection:
        slow = SLOW[connection.dialect.name]
        with pytest.raises(DBAPIError), statement_limit.limited(connection, 0.2):
            connection.execute(text(slow))
        connection.rollback()
        with statement_limit.limited(connection, 5):
            assert connection.execute(text("SELECT 1")).scalar() == 1


def test_doubts_are_counted_in_messages_by_account(database: str, engine: Engine) -> None:
    hand = Hand(engine, settings_of(database, bulk={"max_batch": 100}))
    hand.campaign(mobiles(5))
    hand.record(*(answer(ready, Outcome.UNKNOWN) for ready in hand.take(MessageClass.MARKETING)))
    with reading(engine) as connection:
        assert current_figures.unknown_messages(connection) == {"bulk": 5}
        assert current_figures.unread_pages(connection) == {}
        assert current_figures.unmatched_reports(connection) == {}
        assert current_figures.callback_events(connection) == {"waits": 0, "parked": 0}


def test_a_tick_is_late_while_nobody_runs_it_and_forgotten_after_an_hour(engine: Engine) -> None:
    rows = [
        {"name": "sweep", "next_at": later(-7200), "lease_until": None},
        # A row that only keeps where something goes on: nobody ever takes it.
        {"name": "database_file", "next_at": later(-30), "lease_until": None, "owner": None},
        {"name": "health", "next_at": later(-30), "lease_until": None},
        {"name": "reports:gone", "next_at": later(-7200), "lease_until": None},
        {"name": "forget", "next_at": later(-30), "lease_until": later(30)},
        {"name": "opt_outs", "next_at": later(-30), "lease_until": None},
        {"name": "pages", "next_at": later(5), "lease_until": None},
    ]
    with writing(engine) as connection:
        for row in rows:
            connection.execute(insert(tick).values({"owner": "vm-1", **row}))
    with reading(engine) as connection:
        delays = current_figures.tick_delays(connection, {"opt_outs"})
    assert set(delays) == {"sweep", "health", "forget", "pages"}
    assert delays["sweep"] >= 7200
    assert 30 <= delays["health"] < 60
    assert delays["forget"] == delays["pages"] == 0.0
