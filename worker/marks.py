"""Marks in Redis that a doorbell is pending: many enqueues ring once.

Whoever enqueues sets the mark and rings only if it was not set; the worker takes it away before it
looks, so that nothing is enqueued unseen. With a broker that is no Redis there are no marks, and
its queues are short instead.
"""

from functools import cache

import redis

from worker import broker
from worker.settings import Settings

#: A mark is forgotten after this, in seconds: its doorbell may have been lost.
LIFE = 10


@cache
def client(address: str) -> redis.Redis:
    """Return a client that waits no longer than a doorbell may take, and repeats nothing."""
    return redis.Redis.from_url(
        address, socket_timeout=broker.PATIENCE, socket_connect_timeout=broker.PATIENCE
    )


def set_mark(settings: Settings, message_class: str) -> bool:
    """Say that a doorbell is about to ring; False when one is pending already.

    Raises `redis.RedisError` when Redis does not answer.
    """
    address = _address(settings)
    if address is None:
        return True
    return bool(client(address).set(_key(message_class), "1", nx=True, ex=LIFE))


def take_mark(settings: Settings, message_class: str) -> None:
    """Say that a doorbell was heard. Nothing happens when Redis does not answer."""
    address = _address(settings)
    if address is None:
        return
    try:
        client(address).delete(_key(message_class))
    except redis.RedisError:
        return


def _address(settings: Settings) -> str | None:
    """Only the broker's own Redis: a mark elsewhere could outlive its doorbell."""
    own = settings.top.broker_url
    if not own.startswith(("embedded", "redis://", "rediss://", "redis+socket://")):
        return None
    if own == "embedded":
        return f"unix://{broker.socket(settings)}"
    return own.replace("redis+socket", "unix", 1)


def _key(message_class: str) -> str:
    return f"xinshi:doorbell:{message_class}"
