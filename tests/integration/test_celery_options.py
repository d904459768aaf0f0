"""Celery's own options: each works to its end, or is refused at the start."""

import signal

import pytest

from tests.integration.conftest import Write
from tests.support.stage import Stage, eventually, mobiles
from tests.support.worker_processes import OwnRedis, running
from worker import celery

QUEUES = ["-m", "celery", "-A", "worker", "worker", "-Q", "notice,marketing", "-l", "INFO"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize(
    "options",
    [
        ["-P", "threads", "-c", "2"],
        ["-c", "2", "--max-tasks-per-child", "1"],
        ["--autoscale", "3,1"],
        ["-c", "2", "--time-limit", "30", "--soft-time-limit", "20"],
        ["-c", "1", "--time-limit", "5", "--soft-time-limit", "3"],
    ],
    ids=" ".join,
)
def test_everything_goes_once_and_term_ends_it_cleanly(
    stage: Stage, configured: Write, redis_server: OwnRedis, options: list[str]
) -> None:
    config = configured({"bulk": {}}, broker_url=redis_server.url)
    with running([*QUEUES, *options], config) as process:
        for nth, number in enumerate(mobiles(5)):
            stage.enqueue(number, f"【信使】{nth}")
        stage.producer.enqueue_campaign("all", mobiles(40, 100), "【信使】上新，回T退订")
        eventually(lambda: len(stage.taken()) == 45)
        process.signal(signal.SIGTERM)
        assert process.wait(40) == 0
        log = process.log.read_text("utf-8")
    assert set(stage.taken().values()) == {1}
    assert log.count("worker.started") == log.count('"clean": true')
    assert "Traceback" not in log


@pytest.mark.parametrize("pool", ["gevent", "eventlet"])
def test_green_threads_are_refused_in_words(pool: str) -> None:
    class Worker:
        pool_cls = type("TaskPool", (), {"__module__": f"celery.concurrency.{pool}"})

    with pytest.raises(SystemExit, match="solo, prefork or threads"):
        celery._refuse_green_pool(Worker())
