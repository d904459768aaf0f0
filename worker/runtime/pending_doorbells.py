"""Marks in Redis that a doorbell is pending: many enqueues ring once.

Whoever enqueues sets the mark and rings only if it was not set; the worker takes it away before it
looks, so that nothing is enqueued unseen. Both are one step of Redis: no mark without its doorbell.
With a broker that is no Redis there are no marks, and its queues are short instead.
"""

from functools import cache

import redis

from worker.config.settings import Settings
from worker.runtime import broker

#: A mark is forgotten after this, in seconds: its doorbell may have been lost.
LIFE = 10


@cache
def client(address: str) -> redis.Redis:
    """Return a client that waits no longer than a doorbell may take, and repeats nothing."""
    return redis.Redis.from_url(
        address, socket_timeout=broker.PATIENCE, socket_connect_timeout=broker.PATIENCE
    )


_RING = """
if redis.call('SET', KEYS[1], '1', 'NX', 'EX', ARGV[1]) then
    redis.call('LPUSH', KEYS[2], ARGV[2])
end
"""


def serve(settings: Settings) -> bool:
    """Say whether doorbells are rung here: the broker is a Redis, named without further words."""
    address = _address(settings)
    # What kombu reads in a query, redis-py may read otherwise: another database, say.
    return address is not None and "?" not in address


def ring(settings: Settings, queue: str, doorbell: str) -> None:
    """Lay a doorbell into a queue, unless one is pending there.

    Raises `redis.RedisError` when Redis does not answer: then nobody knows whether it rang.
    """
    address = str(_address(settings))
    client(address).eval(_RING, 2, _key(queue), queue, str(LIFE), doorbell)


def set_mark(settings: Settings, message_class: str) -> bool:
    """Say that a doorbell is about to ring in another way; False when one is pending already.

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
