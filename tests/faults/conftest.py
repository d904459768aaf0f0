"""What the fault suite shares: houses to be shaken, and servers of its own to be killed."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.faults import servers
from tests.support.faults.house import House
from tests.support.faults.pooled_postgresql import PooledPostgreSQL, wants_pooler
from tests.support.faults.proxy import Proxy
from tests.support.faults.rabbitmq import RabbitMQ
from tests.support.faults.servers import MariaDB, PostgreSQL, Redis
from worker.sandbox import Sandbox

Build = Callable[..., House]
#: Where a run says what became of each test, for `tests.faults.report`.
KEEP = "XINSHI_TEST_FAULTS_REPORT"
#: What is added up of each fault.
COUNTS = ("enqueued", "taken", "unknown", "doubled", "lost")
_told: list[dict[str, Any]] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note how each test ended, and what its last check counted."""
    if report.when == "teardown" or report.outcome != "passed":
        counts = [value for name, value in report.user_properties if name == "counts"]
        _told.append(
            {"test": report.nodeid, "when": report.when, "said": report.outcome, "counts": counts}
        )


def pytest_sessionfinish() -> None:
    """Keep it, where that is wanted; processes of pytest-xdist leave it to the one above them."""
    wanted = os.environ.get(KEEP)
    if wanted and "PYTEST_XDIST_WORKER" not in os.environ:
        Path(wanted).write_text(json.dumps(_told), "utf-8")


@pytest.fixture(autouse=True)
def _quick() -> None:
    """Nothing is quicker here: workers, processes of their own, know logins by real hashes."""


@pytest.fixture
def gateways(tmp_path: Path) -> Iterator[Sandbox]:
    """All five gateways, with a ledger; reports come at once unless a rule says otherwise."""
    ledger = tmp_path / "ledger.jsonl"
    ledger.touch()
    with Sandbox(ledger=ledger, fsync="none", report_delay=0, reply_delay=0, limits=False) as made:
        yield made


@pytest.fixture
def build(tmp_path: Path, gateways: Sandbox, request: pytest.FixtureRequest) -> Iterator[Build]:
    """Builds houses; on SQLite unless a database's URL is given."""
    made: list[House] = []

    def one(database: str = "sqlite:///house.db", **words: Any) -> House:
        folder = tmp_path / f"house{len(made)}"
        folder.mkdir()
        if database.startswith("postgresql") and wants_pooler():
            words["top"] = {"database_pooler": True, **words.get("top", {})}
        if database.startswith("sqlite"):
            (folder / "house.db").write_bytes(_template())
        made.append(House(folder, database, gateways, **words))
        return made[-1]

    yield one
    for house in made:
        house.end()
        if house.counted is not None:
            counts = {name: getattr(house.counted, name) for name in COUNTS}
            request.node.user_properties.append(("counts", counts))


@pytest.fixture
def house(build: Build) -> House:
    """A house on SQLite, with two accounts; nothing runs yet."""
    return build()


@pytest.fixture(scope="session")
def _folders() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture(scope="session")
def own_postgresql(_folders: contextlib.ExitStack) -> Iterator[PostgreSQL]:
    """A PostgreSQL that may be killed; it lives on with the same data.

    With `XINSHI_TEST_THROUGH_POOLER=1` all but those who look after the server go through a pooler.
    """
    kind = PooledPostgreSQL if wants_pooler() else PostgreSQL
    server = kind(_folders.enter_context(servers.folder()))
    server.prepare()
    yield server
    server.end()


@pytest.fixture(scope="session")
def own_mariadb(_folders: contextlib.ExitStack) -> Iterator[MariaDB]:
    """A MariaDB that may be killed."""
    server = MariaDB(_folders.enter_context(servers.folder()))
    server.prepare()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def own_rabbitmq(_folders: contextlib.ExitStack) -> Iterator[RabbitMQ]:
    """A RabbitMQ that may be killed."""
    server = RabbitMQ(_folders.enter_context(servers.folder()))
    server.prepare()
    yield server
    server.end()


@pytest.fixture
def own_redis() -> Iterator[Redis]:
    """A Redis of the test's own, empty after each restart."""
    with servers.folder() as folder:
        server = Redis(folder)
        server.start()
        yield server
        server.kill()


@pytest.fixture
def postgresql(own_postgresql: PostgreSQL) -> str:
    """The name of a database with our tables in the suite's PostgreSQL."""
    return own_postgresql.copied()


@pytest.fixture
def proxied(own_postgresql: PostgreSQL) -> Iterator[Proxy]:
    """A proxy before the suite's PostgreSQL."""
    with Proxy(own_postgresql.port) as made:
        yield made


_made: list[bytes] = []


def _template() -> bytes:
    """An SQLite database with our tables; made once."""
    if not _made:
        from worker.store import migrations
        from worker.store.db import database

        with servers.folder() as folder:
            engine = database.connect(f"sqlite:///{folder / 'template.db'}")
            migrations.migrate(engine)
            with engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            engine.dispose()
            _made.append((folder / "template.db").read_bytes())
    return _made[0]
