"""Rings doorbells in Redis, and marks each as pending there, so that many enqueues ring once.

An enqueue sets the mark and rings only if it was not set; the worker clears the mark before it
looks, so that nothing is enqueued unseen. To set the mark and to ring are one step in Redis: there
is no mark without its doorbell. They are kept in the broker's own Redis and no other: there a mark
could outlive its doorbell. With a broker that is not Redis there are no marks, and its queues are
short instead.
"""

from functools import cache

import redis

from worker.config.settings import Settings
from worker.runtime import broker

#: How long a mark lasts: its doorbell may have been lost.
MARK_SECONDS = 10


@cache
def redis_client(address: str) -> redis.Redis:
    """Return a client that waits no longer than a doorbell may take, and repeats nothing."""
    return redis.Redis.from_url(
        address,
        socket_timeout=broker.DOORBELL_TIMEOUT,
        socket_connect_timeout=broker.DOORBELL_TIMEOUT,
    )


#: KEYS: the mark, the queue. ARGV: the seconds that the mark lasts, the doorbell.
_RING_SCRIPT = """
if redis.call('SET', KEYS[1], '1', 'NX', 'EX', ARGV[1]) then
    redis.call('LPUSH', KEYS[2], ARGV[2])
end
"""


def can_ring(settings: Settings) -> bool:
    """Tell whether `ring` can be used: the broker is a Redis."""
    return broker.client_url(settings) is not None


def ring(settings: Settings, kind: str, doorbell: str) -> None:
    """Put a doorbell into the queue of a class or of the ticks, unless one is pending there.

    Raises `redis.RedisError` when Redis does not answer: then nobody knows whether it rang.
    """
    client = redis_client(str(broker.client_url(settings)))
    keys = _key(kind), broker.queue_name(kind)
    client.eval(_RING_SCRIPT, 2, *keys, str(MARK_SECONDS), doorbell)


def set_mark(settings: Settings, message_class: str) -> bool:
    """Mark that a doorbell is about to be rung by Celery; False when one is pending already.

    Raises `redis.RedisError` when Redis does not answer.
    """
    address = broker.client_url(settings)
    if address is None:
        return True
    return bool(redis_client(address).set(_key(message_class), "1", nx=True, ex=MARK_SECONDS))


def clear_mark(settings: Settings, message_class: str) -> None:
    """Note that a doorbell was heard. Does nothing when Redis does not answer."""
    address = broker.client_url(settings)
    if address is None:
        return
    try:
        redis_client(address).delete(_key(message_class))
    except redis.RedisError:
        return


def _key(message_class: str) -> str:
    return f"xinshi:doorbell:{message_class}"
