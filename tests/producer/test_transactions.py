"""Enqueuing in the caller's transaction: what they commit is stored, and rung for after it."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pymysql
import pytest
from psycopg.rows import dict_row
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from producer import KeyConflict, Refused
from tests.support.by_hand import Hand, settings_of
from tests.support.doorbell_listener import Listening
from tests.support.stage import TEXT, mobiles
from worker.domain.enums import MessageState
from worker.store.schema.tables import message, request


@pytest.fixture
def producer(database: str) -> Iterator[Listening]:
    made = Listening(settings_of(database, bulk={}, v1={"classes": ["notice"]}))
    yield made
    made.close()


@pytest.fixture
def hand(engine: Engine, producer: Listening) -> Hand:
    return Hand(engine, producer.settings)


def outside(engine: Engine) -> Engine:
    """Return connections as an application makes them, without what Xinshi sets."""
    return create_engine(engine.url)


def test_a_session_s_commit_stores_and_rings_once_and_its_rollback_neither(
    producer: Listening, engine: Engine, hand: Hand
) -> None:
    theirs = outside(engine)
    with Session(theirs) as session:
        producer.enqueue(mobiles(2), TEXT, session=session)
        session.rollback()
        assert (hand.number_of(message), producer.rung) == (0, [])
        session.execute(text("SELECT 1"))
        session.commit()
        assert producer.rung == []
        producer.enqueue(mobiles(2), TEXT, session=session)
        producer.enqueue(mobiles(1, 9), TEXT, session=session)
        assert producer.rung == []
        session.commit()
        assert hand.number_of(message) == 3
        assert set(producer.rung) == {3}
        rung = len(producer.rung)
        session.execute(text("SELECT 1"))
        session.commit()
        assert len(producer.rung) == rung
    theirs.dispose()


def test_a_savepoint_rings_for_nobody_before_the_commit(
    producer: Listening, engine: Engine, hand: Hand
) -> None:
    theirs = outside(engine)
    with Session(theirs) as session:
        session.execute(text("SELECT 1"))
        with session.begin_nested():
            producer.enqueue(mobiles(1), TEXT, session=session)
        assert producer.rung == []
        nested = session.begin_nested()
        producer.enqueue(mobiles(1, 5), TEXT, session=session)
        nested.rollback()
        session.commit()
    assert hand.number_of(message) == 1
    assert set(producer.rung) == {1}
    theirs.dispose()


def test_sessions_of_a_registry_ring_each_for_themselves(
    producer: Listening, engine: Engine
) -> None:
    """`scoped_session` is what Flask applications hand over."""
    theirs = outside(engine)
    registry = scoped_session(sessionmaker(theirs))
    producer.enqueue(mobiles(1), TEXT, session=registry)  # type: ignore[arg-type]
    if engine.dialect.name != "sqlite":
        with Session(theirs) as other:
            other.execute(text("SELECT 1"))
            other.commit()
        with sessionmaker(theirs)() as other:
            other.execute(text("SELECT 1"))
            other.rollback()
    assert producer.rung == []
    registry.commit()
    assert producer.rung == [1]
    registry.remove()
    theirs.dispose()


def test_a_key_conflict_in_a_session_leaves_its_transaction_usable(
    producer: Listening, engine: Engine, hand: Hand
) -> None:
    theirs = outside(engine)
    producer.enqueue(mobiles(1), TEXT, key="k")
    with Session(theirs) as session:
        with pytest.raises(KeyConflict):
            producer.enqueue(mobiles(2), TEXT, key="k", session=session)
        assert producer.enqueue(mobiles(1), TEXT, key="k", session=session).repeated
        producer.enqueue(mobiles(1), TEXT, key="other", session=session)
        session.commit()
    assert hand.number_of(request) == 2
    theirs.dispose()


@pytest.mark.parametrize(
    ("kind", "driver"),
    [
        ("sqlite", "sqlite+aiosqlite"),
        ("postgresql", "postgresql+psycopg"),
        ("postgresql", "postgresql+asyncpg"),
        ("mysql", "mysql+asyncmy"),
        ("mysql", "mysql+aiomysql"),
    ],
)
def test_an_async_session_s_transaction_is_the_callers(
    producer: Listening, engine: Engine, hand: Hand, driver: str
) -> None:
    pytest.importorskip(driver.partition("+")[2], reason=f"{driver} is not installed")

    async def work() -> None:
        theirs = create_async_engine(engine.url.set(drivername=driver))
        async with AsyncSession(theirs) as session:
            await producer.enqueue_async(mobiles(2), TEXT, session=session)
            await session.rollback()
        assert (hand.number_of(message), producer.rung) == (0, [])
        async with AsyncSession(theirs) as session, session.begin():
            await producer.enqueue_async(mobiles(2), TEXT, session=session)
            assert producer.rung == []
        await theirs.dispose()

    asyncio.run(work())
    assert (hand.number_of(message), producer.rung) == (2, [2])


@pytest.mark.parametrize("kind", ["sqlite"])
def test_enqueuing_from_a_loop_does_not_block_it(producer: Listening, hand: Hand) -> None:
    async def work() -> None:
        await asyncio.gather(
            *(producer.enqueue_async(mobiles(1, n), TEXT, key=str(n % 4)) for n in range(4))
        )

    asyncio.run(work())
    assert hand.number_of(request) == 4


Dial = Callable[..., Any]


def dial(url: str, **more: Any) -> Any:
    """Connect as an application would that has no SQLAlchemy."""
    where = make_url(url)
    if where.get_backend_name() == "sqlite":
        return sqlite3.connect(str(where.database), **more)
    if where.get_backend_name() == "postgresql":
        plain = where.set(drivername="postgresql").render_as_string(hide_password=False)
        return psycopg.connect(plain, **more)
    return pymysql.connect(
        host=where.host,
        port=where.port or 3306,
        user=where.username,
        password=where.password or "",
        database=where.database,
        **more,
    )


#: What applications set on their connections, by driver.
HABITS: dict[str, list[dict[str, Any]]] = {
    "sqlite": [{}, {"isolation_level": "IMMEDIATE"}],
    "postgresql": [{}, {"row_factory": dict_row}],
    "mysql": [{}, {"cursorclass": pymysql.cursors.DictCursor}],
}


@pytest.mark.parametrize("habit", [0, 1])
def test_a_plain_connection_s_transaction_is_the_callers(
    producer: Listening, database: str, hand: Hand, kind: str, habit: int
) -> None:
    with closing(dial(database, **HABITS[kind][habit])) as connection:
        if kind == "sqlite" and habit:
            connection.row_factory = sqlite3.Row
        producer.enqueue(mobiles(2), TEXT, connection=connection, key="a")
        connection.rollback()
        assert hand.number_of(message) == 0
        first = producer.enqueue(mobiles(2), TEXT, connection=connection, key="a")
        again = producer.enqueue(mobiles(2), TEXT, connection=connection, key="a")
        assert (again.ids, again.repeated) == (first.ids, True)
        with pytest.raises(KeyConflict):
            producer.enqueue(mobiles(3), TEXT, connection=connection, key="a")
        assert hand.number_of(message) == 0 or kind == "sqlite"
        connection.commit()
        assert hand.number_of(message) == 2
        assert producer.rung == [], "after a commit of their own they ring themselves"
        assert producer.get(first.ids[0]).state is MessageState.QUEUED


def test_a_connection_that_commits_each_statement_is_refused(
    producer: Listening, database: str, hand: Hand, kind: str
) -> None:
    how = {"isolation_level": None} if kind == "sqlite" else {"autocommit": True}
    with closing(dial(database, **how)) as connection:
        with pytest.raises(Refused, match="begin a transaction"):
            producer.enqueue(mobiles(2), TEXT, connection=connection)
        assert hand.number_of(request) == 0
        with closing(connection.cursor()) as cursor:
            cursor.execute("BEGIN")
            producer.enqueue(mobiles(2), TEXT, connection=connection)
            cursor.execute("ROLLBACK")
            assert hand.number_of(request) == 0
            cursor.execute("BEGIN")
            producer.enqueue(mobiles(2), TEXT, connection=connection)
            cursor.execute("COMMIT")
        assert hand.number_of(message) == 2


@pytest.mark.parametrize("kind", ["sqlite"])
def test_something_that_is_no_connection_is_refused(producer: Listening) -> None:
    with pytest.raises(Refused, match="is not known"):
        producer.enqueue(mobiles(1), TEXT, connection=object())
