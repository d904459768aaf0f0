"""Brokers, and a theatre: a stage whose workers are processes."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support import servers
from tests.support.stage import TOP, Stage, section
from tests.support.worker_processes import OwnRedis, configuration, own_redis
from worker.runtime import pending_doorbells

Write = Callable[..., Path]


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose name is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="xinshi") as folder:
        yield Path(folder)


@pytest.fixture
def redis_server(short_path: Path) -> Iterator[OwnRedis]:
    """A Redis of the test's own."""
    with own_redis(short_path) as server:
        yield server
    _forget_connections()


@pytest.fixture(params=["redis", "rabbitmq"])
def broker_urls(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The addresses of a broker that is this test's alone, and of the throttle's Redis."""
    with ExitStack() as stack:
        redis = stack.enter_context(servers.redis_database())
        if request.param == "redis":
            yield {"broker_url": redis}
        else:
            broker = stack.enter_context(servers.rabbitmq_alone())
            yield {"broker_url": broker, "redis_url": redis}
    _forget_connections()


def _forget_connections() -> None:
    """Close the process-wide connections that ringing made."""
    pending_doorbells.redis_client.cache_clear()


@pytest.fixture
def configured(stage: Stage, tmp_path: Path) -> Write:
    """Set a stage up, and write the same to a file for worker processes; returns the file."""

    def write(accounts: dict[str, dict[str, Any]], **top: Any) -> Path:
        sections = {name: section(stage.sandbox, name, **more) for name, more in accounts.items()}
        stage.configure(accounts=sections, **top)
        raw = {"database_url": stage.database, **TOP, **top, "accounts": sections}
        return configuration(tmp_path / "xinshi.toml", raw)

    return write
