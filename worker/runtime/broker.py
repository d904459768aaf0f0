"""Names the broker's queues and tasks, gives its address and settings, and encodes doorbells.

The broker is a doorbell. A doorbell says "there may be work" and carries a class at most: one that
is lost, doubled or an hour late changes nothing but latency.
"""

import base64
import hashlib
import json
import tempfile
import uuid
from functools import cache
from pathlib import Path
from typing import Any

from worker.config import server_urls
from worker.config.settings import Settings
from worker.domain.enums import MessageClass
from worker.domain.errors import ConfigurationError, Problem

RING_TASK = "xinshi.ring"
TICK_TASK = "xinshi.tick"
ENQUEUE_TASK = "xinshi.enqueue"
#: What the queue of the ticks is for; the others are for a class each.
TICKS_QUEUE = "ticks"
KINDS = (*(message_class.value for message_class in MessageClass), TICKS_QUEUE)
_QUEUE_PREFIX = "xinshi."
#: The longest path that a Unix socket may have.
MAX_SOCKET_PATH_BYTES = 107
#: How long a doorbell may take, in seconds.
DOORBELL_TIMEOUT = 1.0


def queue_name(kind: str) -> str:
    """Return the name of the queue of a class or of the ticks: no other application has it."""
    return f"{_QUEUE_PREFIX}{kind}"


def kind_of(queue: str) -> str:
    """Return what a queue is for, by its name or by the one that it had at first."""
    return queue.removeprefix(_QUEUE_PREFIX)


def url(settings: Settings) -> str:
    """Return the broker's address; `embedded` is the socket of this configuration's own server."""
    if settings.top.broker_url != "embedded":
        return settings.top.broker_url
    return f"redis+socket://{socket_path(settings)}"


def redis_url(settings: Settings) -> str | None:
    """Return the address of the Redis that serves the throttle; None when there is none."""
    return settings.top.redis_url or client_url(settings)


def client_url(settings: Settings) -> str | None:
    """Return the address of the broker's own Redis for redis-py; None when it is no Redis."""
    if settings.top.broker_url == "embedded":
        return f"unix://{socket_path(settings)}"
    if not settings.top.broker_url.startswith(("redis://", "rediss://", "redis+socket://")):
        return None
    return server_urls.client_url(settings.top.broker_url)


def socket_path(settings: Settings) -> Path:
    """Return the path of the embedded server's socket: the same for one configuration always."""
    path = settings.state_folder / "valkey.sock"
    if len(str(path).encode()) <= MAX_SOCKET_PATH_BYTES:
        return path
    name = hashlib.sha256(str(path).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"xinshi-{name}" / "valkey.sock"


def celery_options(settings: Settings) -> dict[str, Any]:
    """Return the Celery settings that both ends of a doorbell share."""
    address = url(settings)
    amqp = address.startswith("amqp")
    master = server_urls.sentinel_master(address)
    transport_options: dict[str, Any] = {
        "socket_timeout": 5.0,
        "socket_connect_timeout": DOORBELL_TIMEOUT,
        "socket_keepalive": True,
        "health_check_interval": 10,
        # What is delivered again only rings again: there is no hurry.
        "visibility_timeout": 3600,
    }
    if amqp:
        # Without confirmation a publish into a dying connection is lost, and nobody is told.
        transport_options = {"confirm_publish": True}
    if master is not None:
        address = address.partition("?")[0]
        transport_options["master_name"] = master
    return {
        "broker_url": address,
        "broker_transport_options": transport_options,
        "broker_connection_timeout": DOORBELL_TIMEOUT,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # A Redis that is full refuses the queues: the worker goes on without, and tries again.
        "broker_channel_error_retry": True,
        "broker_pool_acquire_timeout": DOORBELL_TIMEOUT,
        "task_queues": [
            *(_queue(queue_name(kind), amqp=amqp) for kind in KINDS),
            *(_queue(kind, amqp=amqp, no_declare=True) for kind in KINDS),
        ],
        "task_default_queue": queue_name(MessageClass.NOTICE),
        "task_create_missing_queues": False,
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "task_store_errors_even_if_ignored": False,
        "timezone": "UTC",
    }


#: What stands in a template for a doorbell's own id and delivery tag.
_ID, _TAG = "{id}", "{tag}"
#: The headers that Celery leaves empty for a plain task.
_EMPTY_HEADERS = (
    "parent_id",
    "group",
    "group_index",
    "shadow",
    "eta",
    "expires",
    "stamped_headers",
)
#: The part of a task's body that links it to other tasks: to none.
_EMPTY_LINKS = dict.fromkeys(("callbacks", "errbacks", "chain", "chord"))


def encode_doorbell(task: str, queue: str, args: tuple[str, ...]) -> str:
    """Return a doorbell as Celery puts it into a queue that is a list of Redis.

    Version 2 of Celery's message protocol (its documents, "Message Protocol"), in the envelope of
    kombu's virtual transports. Celery itself takes many times as long, and one more round trip to
    the server; the first time, 200 ms.
    """
    template = _template(task, queue, args)
    return template.replace(_ID, str(uuid.uuid4())).replace(_TAG, str(uuid.uuid4()))


@cache
def _template(task: str, queue: str, args: tuple[str, ...]) -> str:
    """Return all of a doorbell but its own id and delivery tag."""
    headers = dict.fromkeys(_EMPTY_HEADERS) | {
        "lang": "py",
        "task": task,
        "id": _ID,
        "root_id": _ID,
        "retries": 0,
        "timelimit": [None, None],
        "argsrepr": "()",
        "kwargsrepr": "{}",
        "ignore_result": True,
        "replaced_task_nesting": 0,
        "stamps": {},
    }
    properties = {
        "correlation_id": _ID,
        "argsrepr": "()",
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": queue},
        "priority": 0,
        "body_encoding": "base64",
        "delivery_tag": _TAG,
    }
    body = json.dumps([args, {}, _EMPTY_LINKS]).encode("ascii")
    envelope = {
        "body": base64.b64encode(body).decode("ascii"),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": headers,
        "properties": properties,
    }
    return json.dumps(envelope)


def _queue(name: str, *, amqp: bool, no_declare: bool = False) -> Any:
    """Return a queue of the broker; with AMQP a short quorum queue."""
    # Imported here, because a process that never rings need not pay for it.
    from kombu.entity import Queue

    # A queue of doorbells need not be long: the database knows what there is to do.
    arguments = {"x-queue-type": "quorum", "x-max-length": 100} if amqp else None
    return Queue(  # type: ignore[no-untyped-call]
        name, routing_key=name, queue_arguments=arguments, no_declare=no_declare
    )


def check(settings: Settings) -> None:
    """Raise `ConfigurationError` when accounts have to be paced and there is no Redis to do it."""
    if settings.accounts and redis_url(settings) is None:
        problem = (
            "is missing: the pace of accounts is kept in a Redis, and broker_url names none"
            f" ({settings.top.broker_url.partition(':')[0]}); write its address beside it, as"
            ' redis_url = "redis://127.0.0.1:6379/0"'
        )
        raise ConfigurationError([Problem("redis_url", problem)])
