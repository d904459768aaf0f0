"""Do once what workers and applications do with the broker and Redis, and say why it fails.

A server that answers may still refuse a part of it: a user without scripts, a Redis Cluster, a disk
that is full. Each deed raises what its client raises, and leaves nothing behind but a doorbell.
"""

import secrets
from collections.abc import Callable
from contextlib import closing

import redis
from redis.exceptions import ClusterCrossSlotError, ClusterDownError, MovedError

from worker.config.settings import Settings
from worker.delivery.throttle import Throttle
from worker.runtime import broker, pending_doorbells, redis_server

#: What a Redis Cluster says to a client that takes it for one server.
_CLUSTER_ERRORS = (MovedError, ClusterDownError, ClusterCrossSlotError)
Deed = Callable[[Settings], None]


def use_queue(settings: Settings) -> None:
    """Connect to the broker as a worker does; in a Redis, put a message and take it as well."""
    from kombu.connection import Connection

    options = broker.celery_options(settings)
    with Connection(  # type: ignore[no-untyped-call]
        options["broker_url"],
        connect_timeout=broker.DOORBELL_TIMEOUT,
        transport_options=options["broker_transport_options"],
    ) as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, interval_max=0)
        channel = connection.default_channel
        if broker.client_url(settings) is None:
            channel.close()
            return
        name = f"xinshi.doctor.{secrets.token_hex(4)}"
        with closing(connection.SimpleQueue(name)) as queue:
            queue.put({})
            queue.get(timeout=broker.DOORBELL_TIMEOUT).ack()
            queue.queue.delete()


def ring(settings: Settings) -> None:
    """Ring for the ticks: one doorbell more does no harm."""
    queue = broker.queue_name(broker.TICKS_QUEUE)
    doorbell = broker.encode_doorbell(broker.TICK_TASK, queue, ())
    pending_doorbells.ring(settings, broker.TICKS_QUEUE, doorbell)


def ask_throttle(settings: Settings) -> None:
    """Ask the throttle about an account that cannot be configured."""
    with closing(Throttle(broker.redis_url(settings))) as throttle:
        throttle.rehearse()


def explain(error: BaseException) -> str:
    """Return what went wrong, without the address, which may hold a password."""
    for cause in _causes(error):
        if isinstance(cause, _CLUSTER_ERRORS):
            return "is a Redis Cluster, which takes none of this: name a server that is none"
        if redis_server.refuses_hello(cause):
            return redis_server.TOO_OLD
        if isinstance(cause, redis.AuthenticationError | redis.ResponseError):
            return f"refuses: {' '.join(str(cause).split())[:200]}"
        if isinstance(cause, OSError) and cause.strerror:
            return f"cannot be reached: {cause.strerror}"
    return f"cannot be reached: {type(error).__name__}"


def _causes(error: BaseException) -> list[BaseException]:
    """Return an error and those that it came from, the last one first."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    return causes
