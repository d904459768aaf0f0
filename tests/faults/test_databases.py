"""Faults 15 to 18 and 21: the database is killed, cut, full, read-only, or older than the truth."""

import contextlib
import os
import resource
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from producer import Producer
from tests.faults.conftest import Build
from tests.faults.test_matrix import mute
from tests.support.faults import forked_processes
from tests.support.faults.failpoint_listener import Told
from tests.support.faults.house import (
    TEXT,
    House,
    died,
    eventually,
    mobiles,
)
from tests.support.faults.proxy import Proxy
from tests.support.faults.servers import MariaDB, PostgreSQL
from worker.domain.errors import CommitUnknown, TooLate, Unavailable
from worker.settlement import restored_backup
from worker.store.db.database import connect

Own = PostgreSQL | MariaDB


@pytest.fixture(params=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest) -> Own:
    """Each of the suite's own servers in turn."""
    found: Own = request.getfixturevalue(f"own_{request.param}")
    return found


def small(concurrency: int = 4) -> dict[str, dict[str, object]]:
    """Many submissions instead of one."""
    return mute(max_batch=5, concurrency=concurrency)


def test_fault_15_killed_and_restarted_under_load(build: Build, server: Own) -> None:
    """Outcomes wait on the disk and are drained; no number is in the ledger twice."""
    house = build(server.url(server.copied()), accounts=small())
    house.sandbox.control.rule("latency", args={"seconds": 0.05})
    house.producer.enqueue_campaign("load", mobiles(400), TEXT)
    for _ in range(2):
        house.worker("marketing")
    eventually(lambda: house.taken().total() >= 60)
    server.restart()
    eventually(lambda: house.taken().total() >= 200)
    server.restart()
    house.quiet()
    counts = house.check()
    assert max(house.taken().values()) == 1
    # A claim that was committed when its answer was lost is never called.
    assert counts.states["unknown"] <= 2 * 2 * 2 * 4 * 5


def test_fault_15_a_dead_worker_s_spool_is_drained(
    build: Build, own_postgresql: PostgreSQL, postgresql: str
) -> None:
    """What the database would not take is on the disk, and outlives its process."""
    with Proxy(own_postgresql.port) as proxy:
        house = build(own_postgresql.url(postgresql, proxy.port), accounts=mute())
        house.producer.enqueue_campaign("spool", mobiles(20), TEXT)
        with Told(proxy.refuse) as told:
            worker = house.worker("marketing", points=f"record.before=tell:{told.port}@1")
            told.wait()
        eventually(lambda: list((house.settings.state_folder / "spool").glob("*.jsonl")))
        assert worker.pid
        os.kill(worker.pid, signal.SIGKILL)
        proxy.heal()
        house.worker("marketing")
        house.quiet()
        assert house.check().states == {"submitted": 20}


@pytest.mark.parametrize(
    "words", [b"INSERT INTO xinshi_submission", b"words="], ids=["write_ahead", "record"]
)
def test_fault_16_committed_and_nobody_told_the_worker(
    build: Build, server: Own, words: bytes
) -> None:
    """It reads back what stands before it acts: submitted once."""
    with Proxy(server.port) as proxy:
        house = build(server.url(server.copied(), proxy.port), accounts=mute())
        proxy.eat_commit(words)
        house.producer.enqueue_campaign("cut", mobiles(20), TEXT)
        house.worker("marketing")
        house.quiet()
        assert proxy.eaten >= 1
        assert house.check().states == {"submitted": 20}


@pytest.mark.parametrize("key", ["order-1", None], ids=["key", "no_key"])
def test_fault_16_committed_and_nobody_told_the_caller(
    build: Build, server: Own, key: str | None
) -> None:
    """What stands is read back, by the key or by the id: one message for one call."""
    with Proxy(server.port) as proxy:
        house = build(server.url(server.copied(), proxy.port), accounts=mute())
        proxy.eat_commit(b"INSERT INTO xinshi_request")
        accepted = house.producer.enqueue(mobiles(3), TEXT, key=key)
        assert proxy.eaten == 1
        assert not accepted.repeated
        house.worker("notice")
        house.quiet()
        assert house.check().states == {"submitted": 3}


@pytest.mark.parametrize("key", ["order-1", None], ids=["key", "no_key"])
def test_fault_16_cut_before_the_commit_arrives(
    build: Build, own_postgresql: PostgreSQL, postgresql: str, key: str | None
) -> None:
    """Nothing stands: it is written again, and once."""
    with Proxy(own_postgresql.port) as proxy:
        house = build(own_postgresql.url(postgresql, proxy.port), accounts=mute())
        proxy.drop_commit(b"INSERT INTO xinshi_request")
        house.producer.enqueue(mobiles(3), TEXT, key=key)
        assert proxy.eaten == 1
        house.worker("notice")
        house.quiet()
        assert house.check().states == {"submitted": 3}


def test_fault_16_it_cannot_be_known(
    build: Build, own_postgresql: PostgreSQL, postgresql: str
) -> None:
    """The database stays away: the caller is told so, and repeats with its key: one message."""
    with Proxy(own_postgresql.port) as proxy:
        house = build(own_postgresql.url(postgresql, proxy.port), accounts=mute())
        proxy.eat_commit(b"INSERT INTO xinshi_request", then_refuse=True)
        with pytest.raises(CommitUnknown, match="nobody knows"):
            house.producer.enqueue(mobiles(3), TEXT, key="order-1")
        proxy.heal()
        assert house.producer.enqueue(mobiles(3), TEXT, key="order-1").repeated
        house.worker("notice")
        house.quiet()
        assert house.check().states == {"submitted": 3}


@contextlib.contextmanager
def _altered(server: PostgreSQL, name: str, setting: str, value: str) -> Iterator[None]:
    """Give every new session of a database a setting, and end those that there are."""
    quit_all = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    server.execute(f"ALTER DATABASE {name} SET {setting} = '{value}'", quit_all)
    try:
        yield
    finally:
        server.execute(f"ALTER DATABASE {name} RESET {setting}", quit_all)


def test_fault_17_read_only(build: Build, own_postgresql: PostgreSQL, postgresql: str) -> None:
    """Enqueue refuses clearly, nothing is sent, and it goes on by itself."""
    house = build(own_postgresql.url(postgresql), accounts=mute())
    house.producer.enqueue_campaign("before", mobiles(20), TEXT)
    with _altered(own_postgresql, postgresql, "default_transaction_read_only", "on"):
        worker = house.worker("marketing")
        with pytest.raises(Unavailable):
            house.producer.enqueue(mobiles(1, 50), TEXT)
        eventually(lambda: house.log.exists() and "database.away" in house.log.read_text())
        assert worker.is_alive()
        assert not house.taken()
    house.quiet()
    assert house.check().states == {"submitted": 20}


def test_fault_17_read_only_when_the_outcome_comes(
    build: Build, own_postgresql: PostgreSQL, postgresql: str
) -> None:
    """The outcome waits on the disk."""
    house = build(own_postgresql.url(postgresql), accounts=mute())
    house.producer.enqueue_campaign("before", mobiles(20), TEXT)
    with contextlib.ExitStack() as stack:
        read_only = _altered(own_postgresql, postgresql, "default_transaction_read_only", "on")
        with Told(lambda: stack.enter_context(read_only)) as told:
            house.worker("marketing", points=f"record.before=tell:{told.port}@1")
            told.wait()
        eventually(lambda: list((house.settings.state_folder / "spool").glob("*.jsonl")))
    house.quiet()
    assert house.check().states == {"submitted": 20}


def test_fault_17_lock_timeout(build: Build, own_postgresql: PostgreSQL, postgresql: str) -> None:
    """Whoever does not get a lock in time tries again; the outcome is kept."""
    house = build(own_postgresql.url(postgresql), accounts=mute())
    house.producer.enqueue_campaign("locked", mobiles(20), TEXT)
    engine = connect(own_postgresql.direct_url(postgresql))
    with _altered(own_postgresql, postgresql, "lock_timeout", "200ms"), engine.connect() as holder:
        with Told(lambda: holder.execute(text("LOCK TABLE xinshi_submission"))) as told:
            house.worker("marketing", points=f"record.before=tell:{told.port}@1")
            told.wait()
        eventually(lambda: list((house.settings.state_folder / "spool").glob("*.jsonl")))
        holder.rollback()
        house.quiet()
    engine.dispose()
    assert house.check().states == {"submitted": 20}


def test_fault_17_deadlock_victim(
    build: Build, own_postgresql: PostgreSQL, postgresql: str
) -> None:
    """The victim tries again: its outcome is written once."""
    house = build(own_postgresql.url(postgresql), accounts=mute())
    house.sandbox.control.rule("throttled", call="submit", count=1, args={"status": 429})
    loaded = house.producer.enqueue_campaign("deadlock", mobiles(20), TEXT)
    engine = connect(own_postgresql.direct_url(postgresql))
    with engine.connect() as other:
        rows = text("SELECT id FROM xinshi_submission FOR UPDATE")
        with Told(lambda: other.execute(rows)) as told:
            house.worker("marketing", points=f"record.before=tell:{told.port}@1")
            told.wait()
        # It holds the campaign and waits for the submission; now the other way round.
        with contextlib.suppress(Exception):
            mine = text("UPDATE xinshi_campaign SET name = 'mine' WHERE request_id = :id")
            other.execute(mine, {"id": loaded.id})
        other.rollback()
    house.quiet()
    engine.dispose()
    house.check()
    assert set(house.taken().values()) <= {1}
    assert house.states()["submitted"] + house.states()["unknown"] == 20


def limited(config: Path, size: int, what: Callable[..., None], *words: Any) -> None:
    """Do something with no room on the disk beyond `size` bytes a file."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    what(config, *words)


def refused(config: Path, to: list[str]) -> None:
    """Enqueue on a full disk: the exit code says how it was refused."""
    from worker.config.settings import load

    try:
        Producer(load(config, {})).enqueue(to, TEXT)
    except Unavailable:
        raise SystemExit(7) from None


def test_fault_17_no_room_for_sqlite(house: House) -> None:
    """Enqueue refuses clearly, and nothing is sent without its write-ahead."""
    house.producer.enqueue(mobiles(1), TEXT, message_class="marketing", key="first")
    house.engine.dispose()
    apart = forked_processes.fork(
        limited, house.log, "", house.config, 8192, refused, mobiles(500, 9)
    )
    assert died(apart) == 7
    full = forked_processes.fork(
        limited, house.log, "", house.config, 8192, forked_processes.work, ["marketing"]
    )
    house.forks.append(full)
    eventually(lambda: "database.away" in house.log.read_text())
    time.sleep(0.5)
    assert not house.taken()
    os.kill(full.pid or 0, signal.SIGKILL)
    house.worker("marketing")
    house.quiet()
    assert house.states()["delivered"] + house.states()["submitted"] == 1


def shifted(config: Path, classes: list[str], seconds: float) -> None:
    """Work with a clock that is wrong."""
    from worker.delivery import record, submit
    from worker.feedback import collector
    from worker.runtime import lane

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Wrong":
            right = datetime.now(tz) + timedelta(seconds=seconds)
            return cls.fromtimestamp(right.timestamp(), tz)

    for module in (collector, lane, record, submit):
        module.datetime = Wrong  # type: ignore[attr-defined]
    wall = time.time
    time.time = lambda: wall() + seconds  # type: ignore[assignment]
    forked_processes.work(config, classes)


@pytest.mark.parametrize("seconds", [600, -600])
def test_fault_18_a_worker_s_clock_is_wrong(
    build: Build, own_postgresql: PostgreSQL, postgresql: str, seconds: float
) -> None:
    """Leases are on the database's clock: nobody takes what is another's."""
    # The wrong clock is the point: the answers may take their time on a busy machine.
    patient = mute(timeout="5s")
    house = build(own_postgresql.url(postgresql), accounts=patient)
    house.sandbox.control.rule("latency", args={"seconds": 0.5})
    wrong = (house.config, ["marketing", "notice"], seconds)
    house.forks.append(forked_processes.fork(shifted, house.log, "", *wrong))
    house.worker("marketing", "notice")
    for nth in range(4):
        house.producer.enqueue_campaign(f"{nth}", mobiles(20, 100 * nth), TEXT)
        house.producer.enqueue(mobiles(1, 1000 + nth), TEXT)
    house.quiet()
    counts = house.check()
    assert counts.states == {"submitted": 84}
    assert counts.taken == 84


def impatient(config: Path, classes: list[str]) -> None:
    """Work with a server that soon takes back the locks of those who fall silent."""
    from worker.store.db import pg_session

    pg_session.SILENT_TRANSACTION_SECONDS = 1
    forked_processes.work(config, classes)


def test_fault_16_half_open_to_the_database(
    build: Build, own_postgresql: PostgreSQL, postgresql: str
) -> None:
    """A worker behind a half-open connection holds nothing that others wait for for long."""
    with Proxy(own_postgresql.port) as proxy:
        house = build(own_postgresql.url(postgresql), accounts=mute())
        house.producer.enqueue_campaign("half", mobiles(20), TEXT)
        cut_off = house.configure(
            "cut_off.toml", database_url=own_postgresql.url(postgresql, proxy.port)
        )
        with Told(proxy.silence) as told:
            cut = (cut_off, ["marketing"])
            points = f"claim.after=tell:{told.port}@1"
            house.forks.append(forked_processes.fork(impatient, house.log, points, *cut))
            told.wait()
        house.worker("marketing")
        house.quiet()
    assert house.check().states == {"submitted": 20}


def test_fault_21_restored_from_a_backup_older_than_the_truth(build: Build) -> None:
    """What may have been sent meanwhile does not go out by itself."""
    house = build(accounts=mute())
    house.producer.enqueue(mobiles(3), TEXT)
    house.producer.enqueue_campaign("since", mobiles(50, 10), TEXT)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    house.producer.enqueue(mobiles(1, 90), TEXT, not_before=tomorrow)
    backup = house.folder / "backup.db"
    since = datetime.now(UTC)
    with contextlib.closing(sqlite3.connect(house.folder / "house.db")) as live:
        with contextlib.closing(sqlite3.connect(backup)) as copy:
            live.backup(copy)
        worker = house.worker("notice", "marketing")
        eventually(lambda: house.taken().total() == 53)
        house.await_outcome(worker)
        with contextlib.closing(sqlite3.connect(backup)) as copy:
            copy.backup(live)
    house.engine.dispose()
    eventually(lambda: put_aside(house, since) is not None)
    house.worker("notice", "marketing")
    house.producer.enqueue(mobiles(1, 95), TEXT)
    eventually(lambda: house.states()["submitted"] == 1)
    counts = house.check()
    assert counts.states == {"unknown": 53, "queued": 1, "submitted": 1}
    assert set(house.taken().values()) == {1}


def put_aside(house: House, since: datetime) -> object:
    """Put aside what may have been sent; None as long as a worker has just looked."""
    with contextlib.suppress(TooLate):
        return restored_backup.put_aside(
            house.engine, house.settings, since, who="me", reason="a test"
        )
    return None
