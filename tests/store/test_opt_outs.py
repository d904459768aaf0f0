"""A number opts out once, however many workers read its replies at the same time."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

from sqlalchemy import Engine, select, text

from tests.support.by_hand import by_person
from tests.support.stage import eventually
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
