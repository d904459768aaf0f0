"""Hear the queues under the names that they had at first, until another application's are there.

They were called `otp` and `notice`, as those of a shop on the same broker may be. What an earlier
version, or an application through the Celery door, has put there is still taken. A task that is
none of ours proves that the name is somebody else's: it is put back, and the queue is left.
"""

from collections.abc import Collection
from typing import Any

import structlog
from celery import Celery
from kombu.connection import Connection

from worker.runtime import broker

log = structlog.get_logger()

#: How long RabbitMQ may take to answer a worker that starts.
CONNECT_SECONDS = 5.0


def hear(app: Celery) -> None:
    """Let a worker that serves some queues hear them under both names."""
    queues = app.amqp.queues
    served = {broker.kind_of(name) for name in queues.consume_from}
    for kind in served:
        queues.select_add(queues[broker.queue_name(kind)])
    present = _existing(app, served)
    for kind in served - present:
        queues.deselect(kind)
    for kind in present:
        queues.select_add(queues[kind])


def leave(consumer: Any, message: Any) -> bool:
    """Put a task that is none of ours back and hear its queue no more; False if it was sent to us.

    Where its queue cannot be told, no queue is heard under its old name any more.
    """
    key = (message.delivery_info or {}).get("routing_key")
    if key in set(map(broker.queue_name, broker.KINDS)):
        return False
    heard = [name for name in broker.KINDS if name in consumer.app.amqp.queues.consume_from]
    for name in [key] if key in heard else heard:
        consumer.cancel_task_queue(name)
        log.error("broker.queue_left", queue=name)
    # A task may have been on its way when its queue was left.
    is_theirs = bool(heard) or key in broker.KINDS
    if is_theirs:
        message.requeue()
    return is_theirs


def _existing(app: Celery, kinds: Collection[str]) -> set[str]:
    """Return which queues there are under their old names; with AMQP none is made for it."""
    if not app.conf.broker_url.startswith("amqp"):
        return set(kinds)
    return {kind for kind in kinds if _exists(app.conf.broker_url, kind)}


def _exists(broker_url: str, name: str) -> bool:
    """Tell whether RabbitMQ has a queue; False when it does not answer."""
    # A connection for each: the server ends a channel that asks for what is not there.
    connection: Any = Connection(broker_url, connect_timeout=CONNECT_SECONDS)  # type: ignore[no-untyped-call]
    try:
        connection.default_channel.queue_declare(name, passive=True)
    except (*connection.connection_errors, *connection.channel_errors):
        return False
    else:
        return True
    finally:
        connection.release()
