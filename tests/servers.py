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
from sqlalchemy import Engine, create_engine, make_url, text

from worker import database, migrations
from worker.tables import metadata

VARIABLES = {
    "postgresql": "XINSHI_TEST_POSTGRESQL",
    "mysql": "XINSHI_TEST_MYSQL",
    "redis": "XINSHI_TEST_REDIS",
    "rabbitmq": "XINSHI_TEST_RABBITMQ",
}
PREFIX = "xinshi_test_"


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
    """Databases for one test session: templates are migrated once, copies are cheap."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: list[tuple[str, str]] = []
        self._admins: dict[str, Engine] = {}
        self._template: str | None = None
        self._shared: str | None = None
        self._file: Path | None = None

    @contextmanager
    def migrated(self, kind: str) -> Iterator[str]:
        """Give the URL of a migrated database in which nothing is, and remove it afterwards."""
        match kind:
            case "sqlite":
                yield self._copied_file()
            case "postgresql":
                if self._template is None:
                    self._template = self._create(kind)
                    _migrate(self._url(kind, self._template))
                name = self._create(kind, self._template)
                yield self._url(kind, name)
                self._drop(kind, name)
            case _:
                if self._shared is None:
                    self._shared = self._create(kind)
                    _migrate(self._url(kind, self._shared))
                yield self._url(kind, self._shared)
                self._empty(self._shared)

    @contextmanager
    def bare(self, kind: str) -> Iterator[str]:
        """Give the URL of a database without any table, and remove it afterwards."""
        if kind == "sqlite":
            yield f"sqlite:///{self._folder}/{secrets.token_hex(8)}.db"
            return
        name = self._create(kind)
        yield self._url(kind, name)
        self._drop(kind, name)

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

    def _create(self, kind: str, template: str | None = None) -> str:
        name = PREFIX + secrets.token_hex(6)
        how = f" TEMPLATE {template} STRATEGY FILE_COPY" if template else ""
        with self.admin(kind).connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}{how}"))
        self._names.append((kind, name))
        return name

    def _drop(self, kind: str, name: str) -> None:
        force = " WITH (FORCE)" if kind == "postgresql" else ""
        with self.admin(kind).connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name}{force}"))
        self._names.remove((kind, name))

    def _empty(self, name: str) -> None:
        with self.admin("mysql").connect() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(text(f"DELETE FROM {name}.{table.name}"))

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

    from worker import broker
    from worker.terms import MessageClass

    with Connection(url) as connection:
        for queue in (*MessageClass, broker.TICKS):
            try:
                connection.channel().queue_delete(str(queue))
            except NotFound:
                continue
