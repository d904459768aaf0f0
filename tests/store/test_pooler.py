"""Behind a transaction pooler nothing of ours is left in its connections, and nothing missed."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, make_url, text

from tests.support import pgbouncer
from tests.support.servers import Databases
from tests.support.stage import Stage, eventually, mobiles
from worker.domain.errors import Unavailable
from worker.sandbox import Sandbox
from worker.store.db import pooler_probe
from worker.store.db.database import connect, reading, writing

#: What our sessions set where no pooler is named.
SETTINGS = ("enable_seqscan", "enable_hashjoin", "jit", "idle_in_transaction_session_timeout")


@pytest.fixture
def direct(databases: Databases) -> Iterator[str]:
    with databases.fresh("postgresql") as url:
        yield url


@pytest.fixture
def pooled(direct: str) -> Iterator[str]:
    with pgbouncer.before(direct) as url:
        yield url


def settings_of(url: str) -> set[tuple[str, ...]]:
    """Return what each connection of the pool has set, as another application sees it."""
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    clients = [psycopg.connect(address, prepare_threshold=None) for _ in range(pgbouncer.POOL_SIZE)]
    seen = set()
    # Each in a transaction that stays open: so each has a connection of its own.
    for client in clients:
        seen.add(tuple(client.execute(f"SHOW {name}").fetchone()[0] for name in SETTINGS))  # type: ignore[index]
    for client in clients:
        client.close()
    return seen


def use(engine: Engine) -> None:
    """Ask the same often enough for a driver to prepare it, on several connections."""
    query = text("SELECT count(*) FROM xinshi_message WHERE n = :n")
    for _ in range(20):
        with writing(engine) as one, writing(engine) as other:
            for connection in (one, other):
                connection.execute(query, {"n": 1})


def test_no_setting_is_left_in_the_pool(pooled: str) -> None:
    usual = settings_of(pooled)
    engine = connect(pooled, by_index=True, pooler=True)
    use(engine)
    engine.dispose()
    assert settings_of(pooled) == usual
    assert len(usual) == 1


def test_a_transaction_has_its_settings_all_the_same(pooled: str) -> None:
    engine = connect(pooled, by_index=True, pooler=True)
    with reading(engine) as connection:
        values = [connection.execute(text(f"SHOW {name}")).scalar() for name in SETTINGS]
    engine.dispose()
    assert values == ["off", "off", "off", "30s"]


def test_a_statement_meets_no_other_client_s(pooled: str) -> None:
    """Named or not: no statement is prepared in a connection that others get."""
    for named in (True, False):
        engines = [connect(pooled, pooler=named) for _ in range(3)]
        for engine in engines:
            use(engine)
        for engine in engines:
            engine.dispose()


def test_a_pooler_is_told_from_a_server(direct: str, pooled: str) -> None:
    with pgbouncer.before(direct, "session", pool_size=8) as kept:
        told = []
        for url in (direct, pooled, kept):
            engine = connect(url)
            told.append(pooler_probe.stands_before(engine))
            engine.dispose()
    assert told == [False, True, False]


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (psycopg.errors.InvalidSqlStatementName, "database_pooler = true"),
        (psycopg.errors.DuplicatePreparedStatement, "database_pooler = true"),
        (psycopg.errors.UndefinedTable, "xinshi migrate"),
        (psycopg.errors.UndefinedColumn, "xinshi migrate"),
        (psycopg.errors.UndefinedFunction, "does not answer as it should"),
    ],
)
def test_what_is_missing_is_told_apart(
    direct: str, error: type[psycopg.Error], advice: str
) -> None:
    engine = connect(direct)
    with pytest.raises(Unavailable, match=advice), reading(engine) as connection:
        connection.execute(text(f"DO $$ BEGIN RAISE SQLSTATE '{error.sqlstate}'; END $$"))
    engine.dispose()


@pytest.mark.slow
def test_a_campaign_of_20_000_goes_through_it(
    pooled: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    engine = connect(pooled, pooler=True)
    stage = Stage(pooled, engine, sandbox, tmp_path)
    stage.configure("bulk", database_pooler=True)
    stage.prove()
    usual = settings_of(pooled)
    stage.producer.enqueue_campaign("all", mobiles(20_000), "【信使】春装上新，回T退订")
    with stage.working():
        eventually(lambda: len(stage.taken()) == 20_000, 90)
    assert set(stage.taken().values()) == {1}
    assert settings_of(pooled) == usual
    stage.close()
    engine.dispose()
