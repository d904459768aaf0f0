"""Enqueue text messages from an application.

    from producer import enqueue

    enqueue("13812345678", "【Shop】Your code is 1234", message_class="otp")

The configuration is `XINSHI_CONFIG`, else `./xinshi.toml`, read at the first call; `configure`
names another. Once a call returns, the messages are in the database; a broker that does not answer
costs latency, never an error and never a message.
"""

import importlib
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from producer import namesakes  # noqa: F401 - before `worker`: says what hides it
from producer.options import MessageOptions
from worker.domain.enums import MessageClass, MessageState
from worker.domain.errors import (
    ConfigurationError,
    KeyConflict,
    NotFound,
    Problem,
    Refused,
    TooLate,
    Unavailable,
    XinshiError,
)

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession
    from sqlalchemy.orm import Session

    from producer.client import Producer
    from producer.recipients import Recipients
    from worker.intake.campaign_loader import Loaded
    from worker.intake.enqueue import Enqueued
    from worker.intake.lists.options import ListOptions
    from worker.intake.lookup import Message
    from worker.intake.recipient_rows import Row

__all__ = [
    "ConfigurationError",
    "Enqueued",
    "KeyConflict",
    "ListOptions",
    "Loaded",
    "Message",
    "MessageClass",
    "MessageState",
    "NotFound",
    "Problem",
    "Producer",
    "Refused",
    "Row",
    "TooLate",
    "Unavailable",
    "XinshiError",
    "cancel",
    "configure",
    "enqueue",
    "enqueue_async",
    "enqueue_campaign",
    "get",
    "ring",
]

#: The modules of names whose import loads SQLAlchemy: they are imported when they are first used.
_LAZY_NAMES = {
    "Enqueued": "worker.intake.enqueue",
    "ListOptions": "worker.intake.lists.options",
    "Loaded": "worker.intake.campaign_loader",
    "Message": "worker.intake.lookup",
    "Producer": "producer.client",
    "Row": "worker.intake.recipient_rows",
}
_lock = threading.Lock()
_default: "Producer | None" = None


def __getattr__(name: str) -> Any:
    """Import a name of `_LAZY_NAMES` when it is first used."""
    if name not in _LAZY_NAMES:
        raise AttributeError(name)
    return getattr(importlib.import_module(_LAZY_NAMES[name]), name)


def configure(path: str | Path | None = None) -> "Producer":
    """Read a configuration for the functions of this module; raises `ConfigurationError`."""
    global _default  # noqa: PLW0603 - one configuration a process is the promise of this module
    from producer.client import Producer

    producer = Producer.from_file(path)
    with _lock:
        _default = producer
    return producer


@contextmanager
def replaced_default(producer: "Producer") -> Iterator[None]:
    """Have the functions of this module use another producer while the block runs."""
    global _default  # noqa: PLW0603 - it is put back
    with _lock:
        previous, _default = _default, producer
    try:
        yield
    finally:
        with _lock:
            _default = previous


def _producer() -> "Producer":
    return _default or configure()


def enqueue(
    to: str | Sequence[str],
    text: str = "",
    *,
    session: "Session | None" = None,
    connection: Any = None,
    **message_options: Unpack[MessageOptions],
) -> "Enqueued":
    """Accept one text for one or more numbers: once this returns, the messages are stored.

    A list is all or nothing. With `session` (SQLAlchemy) or `connection` (DB-API) the messages are
    part of the caller's transaction: they exist when it commits, and not when it rolls back; a
    session rings by itself after the commit, after a commit of your own connection call `ring`.
    The result's `warnings` say what is doubtful about the text; they hold nothing up.

    Raises `Refused` with every problem (nothing is stored then), `KeyConflict` when `key` stands
    for another request, and `Unavailable` when the database does not answer: then repeat the call
    with its key. `producer.options.MessageOptions` lists the other arguments.
    """
    return _producer().enqueue(to, text, session=session, connection=connection, **message_options)


async def enqueue_async(
    to: str | Sequence[str],
    text: str = "",
    *,
    session: "AsyncSession | None" = None,
    **message_options: Unpack[MessageOptions],
) -> "Enqueued":
    """Do as `enqueue` does, without blocking the event loop; `session` is an `AsyncSession`."""
    return await _producer().enqueue_async(to, text, session=session, **message_options)


def enqueue_campaign(
    name: str,
    recipients: "Recipients",
    text: str = "",
    *,
    start: bool = True,
    skip_bad: bool = False,
    allow: Collection[str] = (),
    reading: "ListOptions | None" = None,
    **message_options: Unpack[MessageOptions],
) -> "Loaded":
    """Load a campaign from a file or a stream of recipients, and start it once it is loaded.

    A file is a path, or a binary file that can be wound back: CSV or .xlsx, which is read as
    `reading` says where it does not tell by itself; the result's `file` says how. In a stream a
    recipient is a number, or a mapping with `to`, or a key of that meaning, and the values
    for `{name}` in the text. A number that was there before is left out. With a bad row nothing is
    sent and the campaign stays `ready`, unless `skip_bad`; the result lists the rows. `allow`
    names odd values that make no row bad: `line-breaks`, `missing-values`. Raises as `enqueue`
    does, and `OSError` for a path that cannot be read.
    """
    return _producer().enqueue_campaign(
        name,
        recipients,
        text,
        start=start,
        skip_bad=skip_bad,
        allow=allow,
        reading=reading,
        **message_options,
    )


def get(message_id: str) -> "Message":
    """Return a message as it stands, or raise `NotFound`."""
    return _producer().get(message_id)


def cancel(message_id: str) -> "Message":
    """Take a message back. Raises `TooLate` when it was handed over already, or `NotFound`."""
    return _producer().cancel(message_id)


def ring(message_class: MessageClass | str = MessageClass.NOTICE) -> bool:
    """Tell the workers of a class to look now, after a commit of your own; False if not heard."""
    return _producer().ring(message_class)
