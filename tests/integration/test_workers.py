"""Worker processes under Celery: the doorbell wakes them, a dead broker does not stop them."""

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from celery import Celery

from producer.doorbell import Doorbell
from tests.support.metrics_ports import free_ports, scrape, value
from tests.support.stage import (
    TEXT,
    Stage,
    eventually,
    mobiles,
)
from tests.support.worker_processes import OwnRedis, running
from worker.domain.enums import CampaignState, MessageClass, MessageState
from worker.intake import campaigns
from worker.runtime.broker import queue_name

Write = Callable[..., Path]
M = MessageState
WORKER = ["-m", "worker", "otp", "notice", "marketing", "ticks"]
PREFORK = ["-m", "celery", "-A", "worker", "worker", "-Q", "otp", "-c", "2", "-l", "WARNING"]

pytestmark = pytest.mark.slow
on_sqlite = pytest.mark.parametrize("kind", ["sqlite"])


def wakes(stage: Stage, within: float = 8.0) -> None:
    """Check that messages go out long before a worker would look by itself.

    Three one after the other: the worker may happen to look just when the first one is enqueued.
    """
    for nth in range(3):
        accepted = stage.enqueue(f"1380000000{nth}", f"{TEXT}{nth}", message_class="otp")
        eventually(
            lambda accepted=accepted: stage.message(accepted).state is M.SUBMITTED, within=within
        )
    assert set(stage.taken().values()) == {1}


@on_sqlite
@pytest.mark.parametrize("arguments", [WORKER, PREFORK], ids=["solo", "prefork"])
def test_the_doorbell_wakes_a_worker_and_terminating_it_ends_it_well(
    stage: Stage, configured: Write, broker_urls: dict[str, str], arguments: list[str]
) -> None:
    config = configured({"bulk": {}}, look_every="30s", **broker_urls)
    lanes = 2 if arguments is PREFORK else 1
    with running(arguments, config) as process:
        wakes(stage)
        process.signal(signal.SIGTERM)
        assert process.wait() == 0
        log = process.log.read_text("utf-8")
        assert log.count("worker.started") == log.count('"clean": true') == lanes


@on_sqlite
@pytest.mark.parametrize("arguments", [WORKER, PREFORK], ids=["solo", "prefork"])
def test_each_process_that_sends_shows_what_it_sent(
    stage: Stage, configured: Write, broker_urls: dict[str, str], arguments: list[str]
) -> None:
    processes = 2 if arguments is PREFORK else 1
    port = free_ports(processes)
    config = configured({"bulk": {}}, metrics_port=port, **broker_urls)
    sent = {"account": "bulk", "class": "otp", "outcome": "accepted"}
    with running(arguments, config) as process:
        wakes(stage)
        ports = range(port, port + processes)
        eventually(
            lambda: sum(value(scrape(one), "xinshi_messages_total", **sent) for one in ports) == 3
        )
        assert "metrics.not_served" not in process.log.read_text("utf-8")


@on_sqlite
def test_terminating_a_worker_finishes_what_is_under_way(
    stage: Stage, configured: Write, redis_server: OwnRedis
) -> None:
    config = configured({"bulk": {}}, broker_url=redis_server.url)
    stage.sandbox.control.rule("latency", gateway="c123", args={"seconds": 1.5})
    accepted = stage.enqueue("13800000001")
    with running(WORKER, config) as process:
        eventually(lambda: stage.message(accepted).state is M.SUBMITTING)
        process.signal(signal.SIGTERM)
        assert process.wait() == 0
    assert stage.message(accepted).state is M.SUBMITTED
    assert stage.taken() == {"13800000001": 1}


@on_sqlite
def test_everything_drains_without_a_broker(
    stage: Stage, configured: Write, short_path: Path
) -> None:
    config = configured({"bulk": {}}, broker_url=f"redis+socket://{short_path}/none.sock")
    accepted = stage.enqueue(mobiles(5))
    with running(WORKER, config, ready=False):
        eventually(lambda: stage.states(accepted) == {"submitted": 5}, within=30)


def test_a_killed_worker_doubles_nothing_and_loses_nothing(
    stage: Stage, configured: Write, redis_server: OwnRedis
) -> None:
    """Fault 1: SIGKILL in the middle of 10,000 messages; who is missing is shown as unknown."""
    quick = {"max_batch": 50, "timeout": "1s", "concurrency": 2, "reports": "none"}
    config = configured({"v1": quick}, broker_url=redis_server.url, lease="1s")
    stage.sandbox.control.rule("latency", gateway="apiv1", args={"seconds": 0.02})
    loaded = stage.producer.enqueue_campaign("sale", mobiles(10_000), "促销 回T退订")

    def over() -> bool:
        return campaigns.show(stage.engine, loaded.id).state is CampaignState.DONE

    with running(WORKER, config, name="first") as process:
        eventually(lambda: len(stage.lines()) >= 40)
        process.kill()
    assert not over()
    with running(WORKER, config, name="second"):
        eventually(over, within=60)
    found = campaigns.show(stage.engine, loaded.id)
    taken = stage.taken()
    assert sum(found.states.values()) == 10_000
    assert set(taken.values()) == {1}, "no number twice"
    missing = set(mobiles(10_000)) - set(taken)
    assert len(missing) <= found.states.get("unknown", 0) <= 2 * 50
    assert found.states["submitted"] <= len(taken)


@on_sqlite
def test_a_broker_that_is_away_for_a_while_delays_at_most(
    stage: Stage, configured: Write, redis_server: OwnRedis
) -> None:
    """Fault 9: messages still go out while it is away; none is lost or doubled."""
    config = configured({"bulk": {}}, broker_url=redis_server.url, look_every="0.3s")
    accepted = []
    stop = threading.Event()

    def enqueue() -> None:
        for number in mobiles(600):
            if stop.wait(0.03):
                break
            accepted.append(stage.enqueue(number, f"{TEXT}{number}"))

    with running(WORKER, config):
        load = threading.Thread(target=enqueue)
        load.start()
        eventually(lambda: len(stage.taken()) >= 10)
        redis_server.stop()
        before = len(stage.taken())
        gone = time.monotonic()
        eventually(lambda: len(stage.taken()) >= before + 50)
        eventually(lambda: time.monotonic() > gone + 10)
        redis_server.start()
        stop.set()
        load.join()
        eventually(lambda: len(stage.taken()) == len(accepted), within=30)
    assert len(accepted) > 60
    assert set(stage.taken().values()) == {1}


@on_sqlite
def test_the_celery_door_makes_one_message_of_a_task_that_is_delivered_twice(
    stage: Stage, configured: Write, broker_urls: dict[str, str]
) -> None:
    config = configured({"bulk": {}}, celery_door=True, look_every="30s", **broker_urls)
    payload = {"version": 1, "key": "order-1", "to": ["13800000001"], "text": TEXT}
    last = payload | {"key": "order-2", "to": ["13800000002"]}
    bad = payload | {"key": "order-3", "to": ["1"], "text": "【信使】不可"}
    with running(WORKER, config) as process, Celery("app", set_as_current=False) as app:
        # As an application would that knows the broker alone; the queues are there already.
        app.conf.update(broker_url=broker_urls["broker_url"], task_create_missing_queues=False)
        app.conf.task_queues = Doorbell(stage.settings)._celery_app().conf.task_queues
        for one in (payload, payload, bad, last):
            app.send_task("xinshi.enqueue", args=[one], queue=queue_name(MessageClass.NOTICE))
        eventually(lambda: len(stage.taken()) == 2, within=15)
        eventually(lambda: process.said("door.refused"))
        log = process.log.read_text("utf-8")
    assert stage.taken() == {"13800000001": 1, "13800000002": 1}
    assert "13800000001" not in log
    assert "信使" not in log
