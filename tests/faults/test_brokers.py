"""Faults 9 to 14: the broker is a doorbell; what becomes of it costs latency and nothing else."""

import bisect
import random
import time
from typing import Any

import pytest
from celery import Celery

from tests.faults.conftest import Build
from tests.faults.test_matrix import mute
from tests.support.faults.house import (
    CODE,
    TEXT,
    House,
    eventually,
    mobiles,
)
from tests.support.faults.proxy import Proxy
from tests.support.faults.rabbitmq import RabbitMQ
from tests.support.faults.servers import Redis
from worker.domain.enums import MessageClass
from worker.runtime import broker

#: What an enqueue may take with a broker that does not answer, and what a busy machine may add.
#: One that waited without a bound would wait for minutes.
PATIENCE = 1.2 + 5.0
REAL = ("-m", "worker", "otp", "notice", "marketing", "ticks")


def house_at(build: Build, url: str, **top: Any) -> House:
    """A house whose doorbells ring at this address."""
    return build(accounts=mute(), top={"broker_url": url, "look_every": "0.3s", **top})


def load(house: House, nth: int) -> None:
    """A code, some notices and a campaign; none of the calls may take long."""
    first = 1000 * nth
    for number, text, message_class in (
        (mobiles(1, first), CODE, "otp"),
        (mobiles(10, first + 10), TEXT, "notice"),
    ):
        began = time.monotonic()
        house.producer.enqueue(number, text, message_class=message_class)
        assert time.monotonic() - began < PATIENCE
    house.producer.enqueue_campaign(f"load {nth}", mobiles(100, first + 100), TEXT)


def all_submitted(house: House, loads: int) -> None:
    """Everything went out once."""
    house.quiet()
    counts = house.check()
    assert counts.states == {"submitted": 111 * loads}
    assert set(house.taken().values()) == {1}


def doorbells(house: House) -> Celery:
    """Something that rings whenever it likes."""
    app = Celery("faults", set_as_current=False)
    app.conf.update(broker.celery_options(house.settings))
    return app


def ring(app: Celery, name: str) -> None:
    """Ring for a class, or for the ticks."""
    if name == broker.TICKS_QUEUE:
        app.send_task(broker.TICK_TASK, queue=broker.queue_name(name))
    else:
        app.send_task(broker.RING_TASK, args=(name,), queue=broker.queue_name(name))


def test_fault_09_redis_killed_and_emptied(build: Build, own_redis: Redis) -> None:
    """Everything drains by looking while it is away, and goes on when it is back, empty."""
    house = house_at(build, f"redis://127.0.0.1:{own_redis.port}/0")
    house.command(*REAL)
    load(house, 0)
    own_redis.kill()
    load(house, 1)
    all_submitted(house, 2)
    own_redis.start()
    load(house, 2)
    all_submitted(house, 3)


def test_fault_10_redis_comes_back_as_a_stale_replica(build: Build, own_redis: Redis) -> None:
    """Doorbells that were heard ring again, and find nothing."""
    house = house_at(build, f"redis://127.0.0.1:{own_redis.port}/0")
    load(house, 0)
    with own_redis.client() as client:
        kept = {key: client.dump(key) for key in client.scan_iter()}
        assert kept
        house.command(*REAL)
        all_submitted(house, 1)
        eventually(lambda: not client.llen("xinshi.notice"))
        client.flushall()
        for key, value in kept.items():
            client.restore(key, 0, value)
        load(house, 1)
        all_submitted(house, 2)
        eventually(lambda: not client.llen("xinshi.notice"))


def test_fault_11_redis_half_open(build: Build, own_redis: Redis) -> None:
    """An enqueue waits a moment at the most; workers go on by looking, and hear again later."""
    with Proxy(own_redis.port) as proxy:
        house = house_at(build, f"redis://127.0.0.1:{proxy.port}/0")
        house.command(*REAL)
        load(house, 0)
        all_submitted(house, 1)
        proxy.silence()
        load(house, 1)
        all_submitted(house, 2)
        proxy.heal()
        load(house, 2)
        all_submitted(house, 3)


def test_fault_12_redis_full(build: Build, own_redis: Redis) -> None:
    """Doorbells fail, the log says so, the rest is as if it were gone."""
    house = house_at(build, f"redis://127.0.0.1:{own_redis.port}/0")
    house.command(*REAL)
    with own_redis.client() as client:
        assert house.producer.ring("notice")
        # Heard: it has begun.
        eventually(lambda: not client.exists("xinshi:doorbell:notice"))
        client.config_set("maxmemory", "1mb")
        assert not house.producer.ring("notice")
    load(house, 0)
    all_submitted(house, 1)


def test_fault_12_redis_full_when_a_worker_starts(build: Build, own_redis: Redis) -> None:
    """It goes on by looking, and does not end."""
    house = house_at(build, f"redis://127.0.0.1:{own_redis.port}/0")
    with own_redis.client() as client:
        client.config_set("maxmemory", "1mb")
        load(house, 0)
        worker = house.command(*REAL)
        all_submitted(house, 1)
        assert worker.poll() is None
        client.config_set("maxmemory", "0")
        # It hears again.
        eventually(lambda: house.producer.ring("notice"))
        eventually(lambda: not client.exists("xinshi:doorbell:notice"), 20)


RATE = 20


def within_the_limit(house: House) -> None:
    """No second at the gateway saw more submissions than the rate and its burst of a fifth."""
    at = sorted(entry.at for entry in house.sandbox.entries() if entry.taken)
    most = max(bisect.bisect_left(at, one + 1.0) - nth for nth, one in enumerate(at))
    assert most <= RATE * 1.2 + 1


def paced(build: Build, redis_url: str) -> House:
    """A house with one account of so many submissions a second, and a campaign that takes long."""
    account = {**mute()["first"], "submissions_per_second": RATE, "max_batch": 2, "burst": "0.2s"}
    house = build(accounts={"first": account}, top={"broker_url": redis_url})
    house.producer.enqueue_campaign("paced", mobiles(240), TEXT)
    for _ in range(2):
        house.worker()
    eventually(lambda: house.taken().total() >= 40)
    return house


@pytest.mark.parametrize("how", ["killed", "half_open", "full"])
def test_fault_09_limits_hold_while_redis_is_gone(build: Build, own_redis: Redis, how: str) -> None:
    """Codes and notices go on, paced by the database; marketing waits, and goes on afterwards.

    A full Redis still takes what the throttle writes: it is small, and soon forgotten.
    """
    with Proxy(own_redis.port) as proxy:
        house = paced(build, f"redis://127.0.0.1:{proxy.port}/0")
        full = own_redis.client()
        {
            "killed": own_redis.kill,
            "half_open": proxy.silence,
            "full": lambda: full.config_set("maxmemory", "1"),
        }[how]()
        house.producer.enqueue(mobiles(20, 1000), TEXT)
        house.producer.enqueue(mobiles(1, 2000), CODE, message_class="otp")
        eventually(lambda: house.taken()[mobiles(1, 2000)[0]] == 1)
        eventually(lambda: {*mobiles(20, 1000)} <= {*house.taken()})
        waits = house.states()["queued"]
        if how != "full":
            assert waits > 0
            time.sleep(1.5)
            assert house.states()["queued"] == waits
        {
            "killed": own_redis.start,
            "half_open": proxy.heal,
            "full": lambda: full.config_set("maxmemory", "0"),
        }[how]()
        full.close()
        house.quiet()
        assert house.check().states == {"submitted": 261}
        assert set(house.taken().values()) == {1}
        within_the_limit(house)


def test_fault_10_limits_hold_at_a_redis_without_its_memory(build: Build, own_redis: Redis) -> None:
    """Emptied under load, it starts without a burst."""
    house = paced(build, f"redis://127.0.0.1:{own_redis.port}/0")
    for _ in range(2):
        with own_redis.client() as client:
            client.flushall()
        before = house.taken().total()
        eventually(lambda before=before: house.taken().total() >= before + 20)
    house.quiet()
    house.check()
    within_the_limit(house)


@pytest.mark.parametrize("pool", ["solo", "prefork"])
def test_fault_09_redis_gone_when_a_worker_starts(
    build: Build, own_redis: Redis, pool: str
) -> None:
    """Lanes and ticks do not wait for a broker."""
    house = house_at(build, f"redis://127.0.0.1:{own_redis.port}/0")
    own_redis.kill()
    load(house, 0)
    queues = ",".join(REAL[2:])
    words = ("-m", "celery", "-A", "worker", "worker", "-c", "1", "-P", pool, "-Q", queues)
    worker = house.command(*words)
    all_submitted(house, 1)
    assert worker.poll() is None


def test_fault_13_doorbells_five_times_reordered_and_late(build: Build, own_redis: Redis) -> None:
    """Nothing but empty claims."""
    house = house_at(build, f"redis://127.0.0.1:{own_redis.port}/0")
    app = doorbells(house)
    rings = [*MessageClass, broker.TICKS_QUEUE] * 5
    random.Random(13).shuffle(rings)
    for name in rings:
        ring(app, name)
    load(house, 0)
    house.command(*REAL)
    house.worker()
    for name in rings:
        ring(app, name)
    all_submitted(house, 1)
    before = len(house.submissions())
    for name in rings:
        ring(app, name)
    with own_redis.client() as client:
        eventually(lambda: not any(client.llen(broker.queue_name(name)) for name in {*rings}))
    all_submitted(house, 1)
    assert len(house.submissions()) == before
    app.close()


@pytest.mark.slow
def test_fault_14_rabbitmq_killed_under_load(
    build: Build, own_redis: Redis, own_rabbitmq: RabbitMQ
) -> None:
    """Doorbells are lost; messages are not."""
    with Proxy(own_rabbitmq.port) as proxy:
        redis_url = f"redis://127.0.0.1:{own_redis.port}/0"
        house = house_at(build, own_rabbitmq.url(proxy.port), redis_url=redis_url)
        house.command(*REAL)
        load(house, 0)
        own_rabbitmq.kill()
        load(house, 1)
        all_submitted(house, 2)
        own_rabbitmq.start()
        load(house, 2)
        all_submitted(house, 3)
        proxy.silence()
        house.producer._doorbell._quiet_until = 0.0
        load(house, 3)
        all_submitted(house, 4)
