"""Sends applications the events about their messages: signed, repeated for a day, then parked.

An event is sent until its application answers 2xx, under an id that stays the same; an application
may get it more than once. A slow or dead receiver delays only its own events.
"""

import asyncio
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import cast

import structlog
from sqlalchemy import Engine

from worker.config.settings import Settings
from worker.domain.errors import XinshiError
from worker.feedback import callback_events, callback_retry, callback_signatures
from worker.feedback.callback_client import CallbackClient, PostResult
from worker.runtime.background_service import BackgroundService
from worker.store.db import database
from worker.store.feedback import callbacks
from worker.store.feedback.callbacks import CallbackEvent

log = structlog.get_logger()

#: Events under way to one callback at the most, from one process.
MAX_EVENTS_UNDER_WAY = 8
#: Within so long a receiver has to answer.
ANSWER_SECONDS = 10.0
#: After so long another process may send an event that this one took.
LEASE_SECONDS = 60.0
#: How long the sender waits after the database failed.
RETRY_SECONDS = 1.0


class CallbackSender(BackgroundService):
    """Sends the events that are due until it is stopped."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        super().__init__("teller")
        self.settings = settings
        self.engine = engine
        self._under_way: Counter[int] = Counter()
        self._calls: set[asyncio.Task[None]] = set()

    async def _drive(self) -> None:
        client = CallbackClient(self.settings.top.callback_networks)
        with ThreadPoolExecutor(2, thread_name_prefix="teller-db") as threads:
            try:
                while not self._stopping:
                    self._bell.clear()
                    if not await self._look(threads, client):
                        await self._wait(self.settings.top.look_every)
                while self._calls:
                    await asyncio.wait(self._calls)
            finally:
                await client.close()

    async def _look(self, threads: ThreadPoolExecutor, client: CallbackClient) -> bool:
        """Begin to send what is due; False when there was nothing, or no room for it."""
        try:
            events = await self._in_thread(threads, self._take)
        except XinshiError as error:
            log.warning("callback.look_failed", why=str(error))
            await self._wait(RETRY_SECONDS)
            return True
        for event in events:
            self._under_way[event.callback_id] += 1
            self._calls.add(asyncio.create_task(self._send(threads, client, event)))
        return bool(events)

    def _take(self) -> list[CallbackEvent]:
        """Take the events that are due, for each callback as many as it has room for."""
        with database.reading(self.engine) as connection:
            due = callbacks.ids_with_due_events(connection)
        free_slots = {
            callback_id: MAX_EVENTS_UNDER_WAY - self._under_way[callback_id] for callback_id in due
        }
        with_room = {callback_id: slots for callback_id, slots in free_slots.items() if slots > 0}
        if not with_room:
            return []
        with database.writing(self.engine) as connection:
            return [
                event
                for callback_id, slots in with_room.items()
                for event in callbacks.take_due_events(
                    connection, callback_id, slots, LEASE_SECONDS
                )
            ]

    async def _send(
        self, threads: ThreadPoolExecutor, client: CallbackClient, event: CallbackEvent
    ) -> None:
        """Send one event, and write down how that ended."""
        try:
            body = await self._in_thread(threads, partial(self._body, event))
            # An event that has become void is forgotten like one that was taken.
            answer = PostResult(200)
            if body is not None:
                headers = self._headers(event, body)
                answer = await client.post(event.url, body, headers, ANSWER_SECONDS)
            await self._in_thread(threads, partial(self._note, event, answer))
        except XinshiError as error:
            log.warning("callback.failed", callback=event.callback_id, why=str(error))
        except Exception as error:
            # A fault of ours: the event comes back when its lease ends.
            log.exception("callback.failed", callback=event.callback_id, why=type(error).__name__)
        finally:
            self._under_way[event.callback_id] -= 1
            self._calls.discard(cast("asyncio.Task[None]", asyncio.current_task()))
            self._bell.set()

    def _body(self, event: CallbackEvent) -> bytes | None:
        with database.reading(self.engine) as connection:
            return callback_events.body(connection, event)

    def _headers(self, event: CallbackEvent, body: bytes) -> dict[str, str]:
        """Return the headers of an event that is sent now, signed with each current secret."""
        masters = (master.get_secret_value() for master in self.settings.top.callback_secrets)
        secrets = [
            callback_signatures.derive_secret(master, event.callback_id) for master in masters
        ]
        signed = callback_signatures.signature_headers(
            secrets, callback_events.event_id(event), int(time.time()), body
        )
        return {"content-type": "application/json", **signed}

    def _note(self, event: CallbackEvent, answer: PostResult) -> None:
        """Forget an event that was taken; plan the next try of one that was not, or park it."""
        wait = callback_retry.pause(answer, event, random.random)
        with database.writing(self.engine) as connection:
            if wait == 0:
                callbacks.delete_event(connection, event.id)
                return
            callbacks.postpone_event(
                connection, event.id, str(answer.status or answer.problem), wait
            )
        facts = {"callback": event.callback_id, "event_id": event.id, "status": answer.status}
        if wait is None:
            log.warning("callback.parked", **facts)
        else:
            log.warning("callback.refused", **facts, why=answer.problem or None)
