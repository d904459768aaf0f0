"""Enqueue, look up and cancel messages, for one configuration.

The functions of the package `producer` call a `Producer`. Use the class directly in an application
that has more than one configuration, or settings that are not read from a file.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack
from weakref import WeakSet

from sqlalchemy import Engine, event

from producer.dbapi import borrow
from producer.doorbell import Doorbell
from producer.options import MessageOptions
from producer.recipients import Recipients, open_recipients
from worker.config.settings import Settings, load
from worker.domain.enums import MessageClass
from worker.domain.errors import Problem, Refused
from worker.intake import campaigns, enqueue, lookup, template_choice
from worker.intake.campaign_loader import Loaded
from worker.intake.enqueue import CheckedRequest, Enqueued
from worker.intake.enqueue_request import EnqueueRequest
from worker.intake.lists.options import ListOptions, parse_allowed
from worker.intake.lookup import Message
from worker.intake.recipient_rows import PlainRows, Row
from worker.intake.value_rules import OddValue
from worker.runtime import logs
from worker.store.db import database

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession
    from sqlalchemy.orm import Session


_producers: "WeakSet[Producer]" = WeakSet()


class Producer:
    """Enqueues for one configuration. Threads may share it; after a fork it connects anew."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._engine: Engine | None = None
        #: Connections of the process that this one was forked from: they are never used nor closed.
        self._inherited: list[Engine] = []
        self._connect_anew()
        _producers.add(self)

    def _connect_anew(self) -> None:
        """Leave connections and locks to the process that made them."""
        if self._engine is not None:
            self._inherited.append(self._engine)
        self._engine = None
        self._doorbell = Doorbell(self.settings)
        self._lock = threading.Lock()

    @classmethod
    def from_file(cls, path: str | Path | None = None) -> "Producer":
        """Read the configuration as `worker.config.settings.load` does; log what is odd."""
        settings = load(path)
        logs.warn_of_variables(settings.warnings)
        return cls(settings)

    @property
    def engine(self) -> Engine:
        """The engine of the database, made when it is first used."""
        with self._lock:
            if self._engine is None:
                self._engine = database.connect(
                    self.settings.database_url, pooler=self.settings.top.database_pooler
                )
            return self._engine

    def close(self) -> None:
        """Close the connections to the database."""
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
        **message_options: Unpack[MessageOptions],
    ) -> Enqueued:
        """Accept messages; `producer.enqueue` describes the details."""
        request = build_request(to, text, message_options)
        checked = self._check(request)
        if session is not None:
            return self._store_in_session(session, checked, self.ring)
        if connection is not None:
            with borrow(connection) as lent_connection:
                return enqueue.store(lent_connection, checked)
        enqueued = enqueue.commit(
            self.engine,
            lambda own_connection, again: enqueue.store(own_connection, checked, again),
        )
        self.ring(request.message_class)
        return enqueued

    async def enqueue_async(
        self,
        to: str | Sequence[str],
        text: str = "",
        *,
        session: "AsyncSession | None" = None,
        **message_options: Unpack[MessageOptions],
    ) -> Enqueued:
        """Do as `enqueue` does, without blocking the event loop."""
        if session is None:
            return await asyncio.to_thread(self.enqueue, to, text, **message_options)
        request = build_request(to, text, message_options)
        checked = await asyncio.to_thread(self._check, request)
        loop = asyncio.get_running_loop()

        def ring(message_class: MessageClass) -> None:
            # Not in the loop: a broker that does not answer would stop it for a second.
            loop.run_in_executor(None, self.ring, message_class)

        return await session.run_sync(
            lambda sync_session: self._store_in_session(sync_session, checked, ring)
        )

    def _check(self, request: EnqueueRequest) -> CheckedRequest:
        """Check a request; only one that names a template asks the database."""
        registered = None
        if request.template is not None:
            registered = template_choice.look_up(self.engine, self.settings, request)
        return enqueue.check(self.settings, request, registered)

    def enqueue_campaign(
        self,
        name: str,
        recipients: Recipients,
        text: str = "",
        *,
        start: bool = True,
        skip_bad: bool = False,
        allow: Collection[str] = (),
        reading: ListOptions | None = None,
        **message_options: Unpack[MessageOptions],
    ) -> Loaded:
        """Load a campaign and start it; `producer.enqueue_campaign` describes the details."""
        request = build_request(
            (), text, {"message_class": MessageClass.MARKETING, **message_options}
        )
        allowed = parse_allowed(allow)
        with open_recipients(recipients, text, reading, allowed) as (rows, facts):
            given_names = facts.columns if facts else ()
            loaded = self._load_campaign(
                name, request, rows, given_names, allowed, start=start, skip_bad=skip_bad
            )
            loaded.file = facts
        self.ring(request.message_class)
        return loaded

    def get(self, message_id: str) -> Message:
        """Return a message as it stands, or raise `NotFound`."""
        return lookup.get(self.engine, message_id)

    def cancel(self, message_id: str) -> Message:
        """Take a message back, or raise `TooLate` (it was handed over) or `NotFound`."""
        return lookup.cancel(self.engine, message_id)

    def ring(self, message_class: MessageClass | str = MessageClass.NOTICE) -> bool:
        """Ring for a class, so that its workers look at once: for after a commit of your own."""
        return self._doorbell.ring(MessageClass(message_class))

    def tick(self) -> bool:
        """Ring for the ticks, so that a worker reads at once what came in."""
        return self._doorbell.tick()

    def _load_campaign(
        self,
        name: str,
        request: EnqueueRequest,
        rows: Iterable[PlainRows | Row],
        given_names: Collection[str],
        allowed: Collection[OddValue],
        *,
        start: bool,
        skip_bad: bool,
    ) -> Loaded:
        """Load a campaign from the rows of opened recipients, and start it."""
        return campaigns.create(
            self.engine,
            self.settings,
            name,
            request,
            rows,
            given_names=given_names,
            allowed=allowed,
            start=start,
            skip_bad=skip_bad,
        )

    def _store_in_session(
        self, session: "Session", checked: CheckedRequest, ring: Callable[[MessageClass], object]
    ) -> Enqueued:
        """Store messages in the session's transaction; `ring` is called after its commit."""
        from sqlalchemy.orm import scoped_session

        plain_session = session() if isinstance(session, scoped_session) else session
        enqueued = enqueue.store(plain_session.connection(), checked)
        self._ring_after_commit(plain_session, checked.new_request.message_class)
        return enqueued

    def _ring_after_commit(self, session: "Session", message_class: MessageClass) -> None:
        """Ring once the outermost transaction of a session is committed."""
        classes_to_ring: set[MessageClass] | None = session.info.get(self)
        if classes_to_ring is None:
            classes_to_ring = session.info[self] = set()

            def ring_classes(_session: object) -> None:
                # SQLAlchemy reports a savepoint's release as a commit, but nobody sees it yet.
                if not session.in_nested_transaction():
                    committed_classes = list(classes_to_ring)
                    classes_to_ring.clear()
                    for committed_class in committed_classes:
                        self.ring(committed_class)

            def forget_classes(_session: object) -> None:
                if not session.in_nested_transaction():
                    classes_to_ring.clear()

            event.listen(session, "after_commit", ring_classes)
            event.listen(session, "after_rollback", forget_classes)
        classes_to_ring.add(message_class)


def _renew_after_fork() -> None:
    """Let every producer connect anew in a child: its parent uses the connections that are open."""
    for producer in _producers:
        producer._connect_anew()  # noqa: SLF001 - of this module


os.register_at_fork(after_in_child=_renew_after_fork)


def build_request(
    to: str | Sequence[str], text: str, message_options: MessageOptions
) -> EnqueueRequest:
    """Build the request for `to`, one number or several. Raises `Refused` for an unknown class."""
    fields: dict[str, Any] = dict(message_options)
    try:
        fields["message_class"] = MessageClass(fields.get("message_class", MessageClass.NOTICE))
    except ValueError:
        problem = f"is none; choose one of {', '.join(MessageClass)}"
        raise Refused([Problem("message_class", problem)]) from None
    return EnqueueRequest([to] if isinstance(to, str) else list(to), text, **fields)
