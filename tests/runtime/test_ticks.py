"""Ticks: whoever moves a due row on runs it, so that two beats are as good as one."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, update

from tests.support.by_hand import settings_of
from worker.domain.enums import MessageClass
from worker.runtime.process import TICK_LOOKS, WorkerProcess
from worker.store import accounts, ticks
from worker.store.db.clock import later
from worker.store.db.database import reading, writing
from worker.store.schema.tables import tick


def take(engine: Engine, owner: str, *, force: bool = False) -> bool:
    with writing(engine) as connection:
        return ticks.take(connection, "t", owner, every=60, lease=60, force=force)


def test_of_many_who_try_one_takes_a_due_tick(engine: Engine) -> None:
    with ThreadPoolExecutor(6) as threads:
        for _ in range(3):
            list(threads.map(lambda _: _ensure(engine), range(6)))
        assert list(threads.map(lambda n: take(engine, str(n)), range(12))).count(True) == 1


def _ensure(engine: Engine) -> None:
    with writing(engine) as connection:
        ticks.ensure(connection, {"t"})


def test_a_tick_is_not_run_twice_at_a_time_even_by_hand(engine: Engine) -> None:
    _ensure(engine)
    assert take(engine, "a")
    assert not take(engine, "b", force=True)
    with writing(engine) as connection:
        ticks.release(connection, "t", "b")
    assert not take(engine, "b", force=True), "only its holder lets it go"
    with writing(engine) as connection:
        ticks.release(connection, "t", "a")
    assert not take(engine, "b"), "it is not due"
    assert take(engine, "b", force=True)


def test_a_tick_whose_holder_fell_silent_is_free_when_its_lease_is_over(engine: Engine) -> None:
    _ensure(engine)
    assert take(engine, "a")
    with writing(engine) as connection:
        connection.execute(update(tick).values(lease_until=later(-1), next_at=later(-1)))
    with reading(engine) as connection:
        assert ticks.due_and_missing(connection, {"t", "new"}) == (["t"], {"new"})
    assert take(engine, "b")


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize("column", ["next_at", "lease_until"])
def test_a_process_for_codes_alone_takes_the_ticks_that_no_other_takes(
    engine: Engine, database: str, column: str
) -> None:
    """To read a long page would take the time in which codes are sent."""
    settings = settings_of(database, v1={})
    head_start = TICK_LOOKS * settings.top.look_every
    classes = {"codes alone": {MessageClass.OTP}, "more": {MessageClass.OTP, MessageClass.NOTICE}}
    tickers = {name: WorkerProcess(settings, served).ticker for name, served in classes.items()}
    _ensure(engine)
    for seconds, expected in ((0.0, ["more"]), (head_start + 0.1, ["codes alone", "more"])):
        with writing(engine) as connection:
            long_ago = {"next_at": later(-60), "lease_until": None}
            connection.execute(update(tick).values({**long_ago, column: later(-seconds)}))
        assert [name for name, ticker in tickers.items() if ticker._due({"t"})] == expected


def test_an_account_is_held_until_its_time_or_a_person_and_released_once(engine: Engine) -> None:
    with writing(engine) as connection:
        accounts.hold(connection, "a", "101", "wrong password", None)
        accounts.hold(connection, "b", "114", "locked", 600)
        accounts.hold(connection, "c", "114", "locked", -1)
        accounts.hold(connection, "a", "114", "locked", 1)
        assert accounts.held_names(connection) == {"a", "b"}
        assert accounts.states(connection)["a"].held_code == "101", "the longer hold stays"
        assert not accounts.states(connection)["c"].held
        assert accounts.release(connection, "a")
        assert not accounts.release(connection, "a")
        assert accounts.held_names(connection) == {"b"}
