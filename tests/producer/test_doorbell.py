"""Ringing: one ring for many enqueues, a bounded wait, and never an error."""

import base64
import json
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis

from producer.doorbell import Doorbell
from tests.support import servers
from tests.support.by_hand import NOWHERE
from tests.support.stage import LOGINS
from worker.config import settings
from worker.domain.enums import MessageClass
from worker.domain.errors import ConfigurationError
from worker.runtime import broker, pending_doorbells


def made(**top: Any) -> settings.Settings:
    accounts = {"v1": {"base_url": NOWHERE, **LOGINS["v1"]}}
    return settings.parse({"accounts": accounts, **top}, Path("/srv"), {})


def test_many_enqueues_ring_once_until_somebody_hears_it() -> None:
    with servers.redis_database() as url, redis.Redis.from_url(url) as look:
        configured = made(broker_url=url)
        doorbell = Doorbell(configured)
        for _ in range(5):
            assert doorbell.ring(MessageClass.OTP)
        assert look.llen("xinshi.otp") == 1
        assert doorbell.ring(MessageClass.NOTICE)
        assert look.llen("xinshi.notice") == 1
        pending_doorbells.clear_mark(configured, "otp")
        assert doorbell.ring(MessageClass.OTP)
        assert look.llen("xinshi.otp") == 2
        pending_doorbells.redis_client(url).close()
        pending_doorbells.redis_client.cache_clear()


def test_a_doorbell_is_what_celery_itself_would_write() -> None:
    """But for where it comes from, which nobody asks."""
    with servers.redis_database() as url, redis.Redis.from_url(url) as look:
        configured = made(broker_url=url)
        doorbell = Doorbell(configured)
        assert doorbell.ring(MessageClass.OTP)
        doorbell._publish("xinshi.otp", broker.RING_TASK, ("otp",))
        theirs, ours = (_opened(one) for one in look.lrange("xinshi.otp", 0, -1))
        doorbell._celery_app().close()
        pending_doorbells.redis_client(url).close()
        pending_doorbells.redis_client.cache_clear()
    assert theirs["headers"].pop("origin")
    assert theirs["properties"].pop("reply_to")
    for one in (ours, theirs):
        headers, properties = one["headers"], one["properties"]
        assert headers["id"] == headers["root_id"] == properties["correlation_id"]
        assert properties["delivery_tag"] != headers["id"]
    _forget_ids(ours)
    _forget_ids(theirs)
    assert ours == theirs


def _opened(envelope: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(envelope)
    return found | {"body": json.loads(base64.b64decode(found["body"]))}


def _forget_ids(envelope: dict[str, Any]) -> None:
    for name in ("id", "root_id"):
        assert envelope["headers"].pop(name)
    for name in ("correlation_id", "delivery_tag"):
        assert envelope["properties"].pop(name)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("redis://h/1", True),
        ("redis+socket:///a/b", True),
        ("embedded", True),
        ("redis+socket:///a/b?virtual_host=1", True),
        ("rediss://h/1?ssl_cert_reqs=none", True),
        ("sentinel://h?master_name=m", False),
        ("amqp://h//", False),
    ],
)
def test_what_is_no_redis_is_rung_by_celery(url: str, *, here: bool) -> None:
    assert pending_doorbells.can_ring(made(broker_url=url, redis_url="redis://t")) is here


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_does_not_answer_costs_a_second_once(scheme: str) -> None:
    """It takes connections and says nothing: the worst that a broker can do."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"{scheme}://127.0.0.1:{mute.getsockname()[1]}/"
        with closing(_Closing(made(broker_url=url, redis_url="redis://x"))) as door:
            began = time.monotonic()
            assert not door.bell.ring(MessageClass.OTP)
            assert time.monotonic() - began < 2.5
            began = time.monotonic()
            threads = [
                threading.Thread(target=door.bell.ring, args=(MessageClass.OTP,)) for _ in range(9)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert time.monotonic() - began < 0.5, "nobody rings for ten seconds"


class _Closing:
    """A doorbell whose connections are closed with the test."""

    def __init__(self, configured: settings.Settings) -> None:
        self.bell = Doorbell(configured)

    def close(self) -> None:
        """Close what ringing opened."""
        if self.bell._app is not None:
            self.bell._app.close()
        pending_doorbells.redis_client.cache_clear()


def test_both_ends_share_queues_and_nothing_waits_for_ever() -> None:
    options = broker.celery_options(made(broker_url="redis://127.0.0.1:6379/9"))
    names = [queue.name for queue in options["task_queues"]]
    assert names == [*map(broker.queue_name, broker.KINDS), *broker.KINDS]
    assert not options["task_create_missing_queues"]
    assert 0 < options["broker_pool_acquire_timeout"] <= 1
    assert 0 < options["broker_transport_options"]["socket_timeout"] <= 5
    amqp = broker.celery_options(made(broker_url="amqp://h//", redis_url="redis://h"))
    assert amqp["broker_transport_options"] == {"confirm_publish": True}
    assert all(q.queue_arguments["x-queue-type"] == "quorum" for q in amqp["task_queues"])


def test_rabbitmq_alone_cannot_pace_accounts() -> None:
    with pytest.raises(ConfigurationError, match="redis_url: is missing"):
        broker.check(made(broker_url="amqp://h//"))
    broker.check(made(broker_url="amqp://h//", redis_url="redis://h"))
    broker.check(made())


@pytest.mark.parametrize(
    ("own", "throttle"),
    [
        ("redis://h/1", "redis://h/1"),
        ("redis+socket:///a/b", "unix:///a/b"),
        ("sentinel://h?master_name=m", None),
    ],
)
def test_the_throttle_s_redis_is_the_broker_s_where_that_is_one(
    own: str, throttle: str | None
) -> None:
    assert broker.redis_url(made(broker_url=own)) == throttle
    assert broker.redis_url(made(broker_url=own, redis_url="redis://t")) == "redis://t"
