"""The servers that tests run against; `tests/conftest.py` lists the variables that name them.

Whatever is made here on a shared server has a name of its own and is removed again, so that test
runs at the same time do not meet.
"""

import fcntl
import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest
import redis
from sqlalchemy import Engine, NullPool, create_engine, delete, func, make_url, select, text

from worker.store import migrations
from worker.store.db import database
from worker.store.schema.tables import message, metadata

VARIABLES = {
    "postgresql": "XINSHI_TEST_POSTGRESQL",
    "mysql": "XINSHI_TEST_MYSQL",
    "redis": "XINSHI_TEST_REDIS",
    "rabbitmq": "XINSHI_TEST_RABBITMQ",
}
PREFIX = "xinshi_test_"
_ENTRIES = select(func.count()).select_from(message)
#: A database with more messages than this is thrown away rather than emptied.
LARGE = 20_000
_END_ALL = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")


def address(server: str) -> str:
    """Return a server's URL; skip the test when none is named, or fail when one is required."""
    variable = VARIABLES[server]
    url = os.environ.get(variable)
    if not url:
        missing(server, f"{server} is not named: set {variable}")
    return url


def missing(server: str, why: str) -> NoReturn:
    """Skip the test for want of something, or fail when `XINSHI_TEST_REQUIRE` wants it."""
    if server in os.environ.get("XINSHI_TEST_REQUIRE", "").split(","):
        pytest.fail(f"{why}; XINSHI_TEST_REQUIRE wants it")
    pytest.skip(why)


class Databases:
    """Databases for one test session: migrated once; a file is copied, a server's is emptied."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: list[tuple[str, str]] = []
        self._admins: dict[str, Engine] = {}
        self._shared: dict[str, str] = {}
        self._file: Path | None = None

    @contextmanager
    def migrated(self, kind: str) -> Iterator[str]:
        """Give the URL of a migrated database in which nothing is, one test at a time."""
        if kind == "sqlite":
            yield self._copied_file()
            return
        if kind not in self._shared:
            self._shared[kind] = self._create(kind)
            _migrate(self._url(kind, self._shared[kind]))
        name = self._shared[kind]
        yield self._url(kind, name)
        if not self._emptied(kind, name):
            self._drop(kind, self._shared.pop(kind))

    @contextmanager
    def bare(self, kind: str) -> Iterator[str]:
        """Give the URL of a database without any table, and remove it afterwards."""
        if kind == "sqlite":
            yield f"sqlite:///{self._folder}/{secrets.token_hex(8)}.db"
            return
        name = self._create(kind)
        yield self._url(kind, name)
        self._drop(kind, name)

    @contextmanager
    def fresh(self, kind: str) -> Iterator[str]:
        """Give the URL of a migrated database that nobody has used, and remove it afterwards."""
        with self.bare(kind) as url:
            _migrate(url)
            yield url

    def close(self) -> None:
        """Remove whatever is left."""
        for kind, name in list(self._names):
            self._drop(kind, name)
        for admin in self._admins.values():
            admin.dispose()

    def admin(self, kind: str) -> Engine:
        """Return connections to the server that commit each statement by itself."""
        if kind not in self._admins:
            self._admins[kind] = create_engine(address(kind), isolation_level="AUTOCOMMIT")
        return self._admins[kind]

    def _url(self, kind: str, name: str) -> str:
        url = make_url(address(kind)).set(database=name)
        return url.render_as_string(hide_password=False)

    def _create(self, kind: str) -> str:
        name = PREFIX + secrets.token_hex(6)
        with self.admin(kind).connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        self._names.append((kind, name))
        return name

    def _drop(self, kind: str, name: str) -> None:
        force = " WITH (FORCE)" if kind == "postgresql" else ""
        with self.admin(kind).connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name}{force}"))
        self._names.remove((kind, name))

    def _emptied(self, kind: str, name: str) -> bool:
        """Take out what a test left, also what it still holds locks on; False for large ones."""
        if kind == "postgresql":
            with self.admin(kind).connect() as connection:
                connection.execute(_END_ALL, {"name": name})
        engine = create_engine(self._url(kind, name), poolclass=NullPool)
        with engine.begin() as connection:
            if connection.execute(_ENTRIES).scalar_one() > LARGE:
                return False
            for table in reversed(metadata.sorted_tables):
                connection.execute(delete(table))
        return True

    def _copied_file(self) -> str:
        if self._file is None:
            self._file = self._folder / "template.db"
            _migrate(f"sqlite:///{self._file}")
        copy = self._folder / f"{secrets.token_hex(8)}.db"
        shutil.copyfile(self._file, copy)
        return f"sqlite:///{copy}"


def _migrate(url: str) -> None:
    engine = database.connect(url)
    migrations.migrate(engine)
    engine.dispose()


@contextmanager
def redis_database() -> Iterator[str]:
    """Give the URL of a database of the Redis server that is this test's alone for a while."""
    base = address("redis").rpartition("/")[0]
    with redis.Redis.from_url(f"{base}/0") as claims:
        for number in range(1, 16):
            claim = f"xinshi-test:{number}"
            if claims.set(claim, str(os.getpid()), nx=True, ex=300):
                break
        else:
            pytest.fail("all databases of the Redis server are in use by other test runs")
        try:
            with redis.Redis.from_url(f"{base}/{number}") as own:
                own.flushdb()
                yield f"{base}/{number}"
                own.flushdb()
        finally:
            claims.delete(claim)


@contextmanager
def rabbitmq_alone() -> Iterator[str]:
    """Give the URL of RabbitMQ to one test at a time, over all test runs of this machine."""
    url = address("rabbitmq")
    name = hashlib.sha256(url.encode()).hexdigest()[:16]
    with (Path(tempfile.gettempdir()) / f"xinshi-test-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _remove_queues(url)
        yield url
        _remove_queues(url)


def _remove_queues(url: str) -> None:
    from amqp.exceptions import NotFound
    from kombu import Connection

    from worker.runtime import broker

    with Connection(url) as connection:
        for queue in (*broker.KINDS, *map(broker.queue_name, broker.KINDS)):
            try:
                connection.channel().queue_delete(queue)
            except NotFound:
                continue
