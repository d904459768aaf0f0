"""Which Redis is new enough, and what a user of its own there has to be allowed."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import Write
from tests.support.faults import servers
from tests.support.stage import Stage, eventually, mobiles
from tests.support.worker_processes import ROOT, Process, running
from worker.config import settings
from worker.domain.errors import ConfigurationError
from worker.runtime import redis_server


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[servers.Redis]:
    with servers.folder() as folder:
        started: servers.Redis = getattr(request, "param", servers.Redis)(folder)
        started.start()
        yield started
        started.kill()


@pytest.mark.parametrize("server", [servers.RedisBeforeHello], indirect=True)
@pytest.mark.parametrize("keys", [("broker_url",), ("redis_url",), ("broker_url", "redis_url")])
def test_a_redis_before_6_is_refused_in_words(server: servers.Redis, keys: tuple[str, ...]) -> None:
    address = f"redis://127.0.0.1:{server.port}/0"
    raw = {"broker_url": "amqp://nobody", **dict.fromkeys(keys, address)}
    with pytest.raises(ConfigurationError) as error:
        redis_server.check(settings.parse(raw, Path(), {}))
    assert {problem.where for problem in error.value.problems} == set(keys)
    assert all("Redis 6.0" in problem.what for problem in error.value.problems)


def test_a_redis_that_is_away_or_refuses_a_password_stops_nobody(server: servers.Redis) -> None:
    for address in (
        f"redis://:wrong@127.0.0.1:{server.port}/0",
        f"redis://127.0.0.1:{servers.free_port()}/0",
        f"redis://127.0.0.1:{server.port}/0",
    ):
        redis_server.check(settings.parse({"broker_url": address}, Path(), {}))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize("server", [servers.RedisBeforeHello], indirect=True)
@pytest.mark.parametrize(
    "arguments", [["-m", "worker", "notice"], ["-m", "celery", "-A", "worker", "worker"]]
)
def test_a_worker_of_an_old_redis_ends_and_says_why(
    configured: Write, server: servers.Redis, arguments: list[str]
) -> None:
    """Celery alone would go on trying, and say nothing."""
    config = configured({"bulk": {}}, broker_url=f"redis://127.0.0.1:{server.port}/0")
    process = Process(arguments, config, config.parent / "worker.log")
    try:
        assert process.wait(60) == 1
    finally:
        process.kill()
    log = process.log.read_text("utf-8")
    assert "error: configuration: broker_url: does not know HELLO" in log
    assert "worker.started" not in log


def documented_rights() -> list[str]:
    """Return the words of the ACL command that the documents show."""
    text = (ROOT / "docs/configuration.md").read_text("utf-8")
    match = re.search(r"^ACL SETUSER xinshi (.*)$", text, re.MULTILINE)
    assert match is not None
    return shlex.split(match[1].replace(">PASSWORD", ">hunter2"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite"])
def test_the_documented_user_may_do_all_that_is_needed(
    stage: Stage, configured: Write, server: servers.Redis
) -> None:
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "xinshi", *documented_rights())
    address = f"redis://xinshi:hunter2@127.0.0.1:{server.port}/1"
    config = configured({"bulk": {}}, broker_url=address)
    words = ["-m", "celery", "-A", "worker", "worker", "-B", "-Q", "notice,marketing,ticks"]
    with running([*words, "-l", "INFO"], config) as process:
        for nth, number in enumerate(mobiles(5)):
            stage.enqueue(number, f"【信使】{nth}")
        stage.producer.enqueue_campaign("all", mobiles(40, 100), "【信使】上新，回T退订")
        eventually(lambda: len(stage.taken()) == 45)
        log = process.log.read_text("utf-8")
    with server.client() as client:
        assert client.acl_log() == []
    assert "throttle.gone" not in log
    assert "Traceback" not in log
