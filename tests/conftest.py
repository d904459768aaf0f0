"""What all tests share: databases, a sandbox, settings with an account at each gateway.

Servers are named by environment variables; a test that needs one that is not named is skipped:

- `XINSHI_TEST_POSTGRESQL`, as `postgresql+psycopg://postgres@127.0.0.1/postgres`: a user who may
  create databases;
- `XINSHI_TEST_MYSQL`, as `mysql+pymysql://root@127.0.0.1/`: the same, for MySQL or MariaDB;
- `XINSHI_TEST_REDIS`, as `redis://127.0.0.1:6379/0`: databases 1 to 15 are used, one at a time;
- `XINSHI_TEST_RABBITMQ`, as `amqp://guest:guest@127.0.0.1:5672//`: its queues named as Xinshi's
  are removed;
- `XINSHI_TEST_REQUIRE`, as `postgresql,redis`: the want of one of these is a failure.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.support.servers import Databases
from tests.support.stage import Stage
from worker.config import credentials
from worker.delivery import account_choice
from worker.sandbox import Sandbox
from worker.settlement import sent_counter
from worker.store.db import database as connecting

KINDS = ("sqlite", "postgresql", "mysql")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches a test, nor does a proxy."""
    for name in ("XINSHI_CONFIG", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """What is slow on purpose is quick, but in tests with real time: hashes, and pauses."""
    if request.node.get_closest_marker("slow") is None:
        monkeypatch.setattr(credentials, "_COST", 2)
        monkeypatch.setattr(sent_counter, "SECONDS_BETWEEN_READINGS", 0.05)
        monkeypatch.setattr(account_choice, "NO_ACCOUNT_WAIT", 0.2)


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """Makes databases, and removes them when the session ends."""
    made = Databases(tmp_path_factory.mktemp("databases"))
    yield made
    made.close()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each of the three databases in turn; `kind` can be parametrised with fewer."""
    return str(request.param)


@pytest.fixture
def database(kind: str, databases: Databases) -> Iterator[str]:
    """The URL of a migrated database of the test's own."""
    with databases.migrated(kind) as url:
        yield url


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """Connections to the test's database, as the program makes them."""
    made = connecting.connect(database, pool_size=8)
    yield made
    made.dispose()


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """All five gateways; reports and replies come at once."""
    ledger = tmp_path / "ledger.jsonl"
    with Sandbox(ledger=ledger, fsync="none", report_delay=0, reply_delay=0, limits=False) as made:
        yield made


@pytest.fixture
def stage(database: str, engine: Engine, sandbox: Sandbox, tmp_path: Path) -> Iterator[Stage]:
    """A database, a sandbox, and settings with an account at each gateway; nothing runs yet."""
    made = Stage(database, engine, sandbox, tmp_path)
    yield made
    made.close()
