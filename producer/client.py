"""The producer of one configuration: enqueue, look up, cancel.

`Producer` is what the functions of `producer` are made of; use it when an application has more than
one configuration, or wants to hand one over instead of having the file read.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from sqlalchemy import Engine, event

from producer.dbapi import borrowed
from producer.doorbell import Doorbell
from producer.options import MessageOptions
from worker.config.settings import Settings, load
from worker.domain.enums import MessageClass
from worker.domain.errors import Problem, Refused
from worker.intake import campaigns, lookup
from worker.intake import enqueue as enqueue_module
from worker.intake.campaign_loader import Loaded, Row
from worker.intake.enqueue import CheckedRequest, Enqueued, EnqueueRequest
from worker.intake.lookup import Message
from worker.store.db import database

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession
    from sqlalchemy.orm import Session


class Producer:
    """Enqueues for one configuration. Threads may share it; make one after a fork, not before."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._doorbell = Doorbell(settings)
        self._engine: Engine | None = None
        self._lock = threading.Lock()

    @classmethod
    def from_file(cls, path: str | Path | None = None) -> "Producer":
        """Read the configuration as `worker.config.settings.load` does."""
        return cls(load(path))

    @property
    def engine(self) -> Engine:
        """The database; connected when it is first needed."""
        with self._lock:
            if self._engine is None:
                self._engine = database.connect(self.settings.database_url)
            return self._engine

    def close(self) -> None:
        """Let go of the database."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def enqueue(
        self,
        to: str | Sequence[str],
        text: str = "",
        *,
        session: "Session | None" = None,
        connection: Any = None,
        **words: Unpack[MessageOptions],
    ) -> Enqueued:
        """Accept messages; `producer.enqueue` says what is promised."""
        order = _order(to, text, words)
        checked = enqueue_module.check(self.settings, order)
        if session is not None:
            return self._with_session(session, checked, self.ring)
        if connection is not None:
            with borrowed(connection) as lent:
                return enqueue_module.store(lent, checked)
        done = enqueue_module.commit(
            self.engine, lambda own, again: enqueue_module.store(own, checked, again)
        )
        self.ring(order.message_class)
        return done

    async def enqueue_async(
        self,
        to: str | Sequence[str],
        text: str = "",
        *,
        session: "AsyncSession | None" = None,
        **words: Unpack[MessageOptions],
    ) -> Enqueued:
        """Do as `enqueue` does, without blocking the event loop."""
        if session is None:
            return await asyncio.to_thread(self.enqueue, to, text, **words)
        checked = enqueue_module.check(self.settings, _order(to, text, words))
        loop = asyncio.get_running_loop()

        def ring(message_class: MessageClass) -> None:
            # Not in the loop: a broker that does not answer would stop it for a second.
            loop.run_in_executor(None, self.ring, message_class)

        return await session.run_sync(lambda sync: self._with_session(sync, checked, ring))

    def enqueue_campaign(
        self,
        name: str,
        recipients: Iterable[str | Mapping[str, str] | Row],
        text: str = "",
        *,
        start: bool = True,
        skip_bad: bool = False,
        **words: Unpack[MessageOptions],
    ) -> Loaded:
        """Load a campaign and start it; `producer.enqueue_campaign` says what is promised."""
        order = _order((), text, {"message_class": MessageClass.MARKETING, **words})
        loaded = campaigns.create(
            self.engine,
            self.settings,
            name,
            order,
            (_row(nth, one) for nth, one in enumerate(recipients, 1)),
            start=start,
            skip_bad=skip_bad,
        )
        self.ring(order.message_class)
        return loaded

    def get(self, message_id: str) -> Message:
        """Return a message as it stands, or raise `NotFound`."""
        return lookup.get(self.engine, message_id)

    def cancel(self, message_id: str) -> Message:
        """Take a message back, or raise `TooLate` (it was handed over) or `NotFound`."""
        return lookup.cancel(self.engine, message_id)

    def ring(self, message_class: MessageClass | str = MessageClass.NOTICE) -> bool:
        """Tell the workers of a class to look now: after a commit of the caller's own."""
        return self._doorbell.ring(MessageClass(message_class))

    def tick(self) -> bool:
        """Tell some worker to look at what came in, now."""
        return self._doorbell.tick()

    def _with_session(
        self, session: "Session", checked: CheckedRequest, ring: Callable[[MessageClass], object]
    ) -> Enqueued:
        from sqlalchemy.orm import scoped_session

        own = session() if isinstance(session, scoped_session) else session
        done = enqueue_module.store(own.connection(), checked)
        self._ring_after_commit(own, checked.request.message_class)
        return done

    def _ring_after_commit(self, session: "Session", message_class: MessageClass) -> None:
        """Ring once the outermost transaction of a session is committed."""
        waiting: set[MessageClass] | None = session.info.get(self)
        if waiting is None:
            waiting = session.info[self] = set()

            def committed(_session: object) -> None:
                # A savepoint's release is a commit too, to SQLAlchemy, but nobody can see it yet.
                if not session.in_nested_transaction():
                    classes = list(waiting)
                    waiting.clear()
                    for one in classes:
                        self.ring(one)

            def rolled_back(_session: object) -> None:
                if not session.in_nested_transaction():
                    waiting.clear()

            event.listen(session, "after_commit", committed)
            event.listen(session, "after_rollback", rolled_back)
        waiting.add(message_class)


def _order(to: str | Sequence[str], text: str, words: MessageOptions) -> EnqueueRequest:
    given: dict[str, Any] = dict(words)
    try:
        given["message_class"] = MessageClass(given.get("message_class", MessageClass.NOTICE))
    except ValueError:
        what = f"is none; choose one of {', '.join(MessageClass)}"
        raise Refused([Problem("message_class", what)]) from None
    return EnqueueRequest([to] if isinstance(to, str) else list(to), text, **given)


def _row(nth: int, one: str | Mapping[str, str] | Row) -> Row:
    if isinstance(one, Row):
        return one
    if isinstance(one, str):
        return Row(nth, one)
    variables = dict(one)
    return Row(nth, variables.pop("msisdn", ""), variables or None)
