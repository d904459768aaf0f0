"""Tell whether a Redis is new enough for the clients that we and Celery use.

They begin each connection with HELLO, which Redis knows since 6.0. An older one, or a proxy that
stands in for one, refuses it every time; Celery would try again for ever, and say nothing.
"""

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from worker.config.settings import Settings
from worker.domain.errors import ConfigurationError, Problem
from worker.runtime import broker

#: What is said of a server that refuses HELLO.
TOO_OLD = "does not know HELLO, as Redis 6.0 and newer and Valkey do: name a server that is newer"


def check(settings: Settings) -> None:
    """Raise `ConfigurationError` when the broker or the throttle is a Redis that is too old.

    One that does not answer within a second or refuses something else is no error: a worker begins
    without it.
    """
    addresses = {"redis_url": settings.top.redis_url}
    if settings.top.broker_url != "embedded":
        addresses["broker_url"] = broker.client_url(settings)
    problems = [
        Problem(key, TOO_OLD)
        for key, address in addresses.items()
        if address is not None and _is_too_old(address)
    ]
    if problems:
        raise ConfigurationError(problems)


def refuses_hello(error: BaseException) -> bool:
    """Tell whether an error is a server's that does not know HELLO."""
    words = str(error).lower()
    return (
        isinstance(error, redis.ResponseError) and "unknown command" in words and "hello" in words
    )


def _is_too_old(address: str) -> bool:
    client = redis.Redis.from_url(
        address,
        socket_timeout=broker.DOORBELL_TIMEOUT,
        socket_connect_timeout=broker.DOORBELL_TIMEOUT,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        client.ping()
    except redis.RedisError as error:
        return refuses_hello(error)
    finally:
        client.close()
    return False
