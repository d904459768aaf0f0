"""Telling applications what became of their messages: signed, repeated for a day, then parked.

An event is told at least once, under an id that stays the same; whoever takes it answers 2xx. A
slow or dead receiver delays only its own events.
"""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Any, TypeVar, cast

import structlog
from sqlalchemy import Connection, Engine

from worker.config.settings import Settings
from worker.domain.enums import MessageState
from worker.domain.errors import XinshiError
from worker.feedback import callback_signatures
from worker.feedback.callback_client import CallbackClient, PostResult
from worker.runtime.background_service import BackgroundService
from worker.store import callbacks
from worker.store.callbacks import Event
from worker.store.db import database

log = structlog.get_logger()
Out = TypeVar("Out")

#: Events under way to one callback, from one process.
PLACES = 8
#: A receiver has to answer within so many seconds; somebody else may try after `LEASE`.
PATIENCE = 10.0
LEASE = 60.0
#: For so long an event is told again, in seconds.
DAY = 24 * 3600.0
#: The pauses double from the first to the longest, in seconds.
FIRST = 5.0
LONGEST = 3600.0
AFTER_A_FAILURE = 1.0
#: What nobody is told of: another state follows.
_ON_THE_WAY = frozenset({MessageState.QUEUED.value, MessageState.SUBMITTING.value})


class CallbackSender(BackgroundService):
    """Tells what is due until it is stopped."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        super().__init__("teller")
        self.settings = settings
        self.engine = engine
        self._under_way: Counter[int] = Counter()
        self._calls: set[asyncio.Task[None]] = set()

    async def _drive(self) -> None:
        outward = CallbackClient(self.settings.top.callback_networks)
        with ThreadPoolExecutor(2, thread_name_prefix="teller-db") as threads:
            try:
                while not self._stopping:
                    self._bell.clear()
                    if not await self._look(threads, outward):
                        await self._wait(self.settings.top.look_every)
                while self._calls:
                    await asyncio.wait(self._calls)
            finally:
                await outward.close()

    async def _look(self, threads: ThreadPoolExecutor, outward: CallbackClient) -> bool:
        """Begin to tell what is due; False when there was nothing, or no room for it."""
        try:
            events = await self._in(threads, self._take)
        except XinshiError as error:
            log.warning("callback.look_failed", why=str(error))
            await self._wait(AFTER_A_FAILURE)
            return True
        for event in events:
            self._under_way[event.callback_id] += 1
            self._calls.add(asyncio.create_task(self._tell(threads, outward, event)))
        return bool(events)

    def _take(self) -> list[Event]:
        with database.reading(self.engine) as connection:
            due = callbacks.with_due(connection)
        free = {one: PLACES - self._under_way[one] for one in due}
        if not any(places > 0 for places in free.values()):
            return []
        with database.writing(self.engine) as connection:
            return [
                event
                for one, places in free.items()
                if places > 0
                for event in callbacks.take(connection, one, places, LEASE)
            ]

    async def _tell(
        self, threads: ThreadPoolExecutor, outward: CallbackClient, event: Event
    ) -> None:
        try:
            body = await self._in(threads, partial(self._body, event))
            said = PostResult(200)
            if body is not None:
                headers = self._headers(event, body)
                said = await outward.post(event.url, body, headers, PATIENCE)
            await self._in(threads, partial(self._note, event, said))
        except XinshiError as error:
            log.warning("callback.failed", callback=event.callback_id, why=str(error))
        except Exception as error:
            # A fault of ours: the event comes back when its lease ends.
            log.exception("callback.failed", callback=event.callback_id, why=type(error).__name__)
        finally:
            self._under_way[event.callback_id] -= 1
            self._calls.discard(cast("asyncio.Task[None]", asyncio.current_task()))
            self._bell.set()

    def _body(self, event: Event) -> bytes | None:
        """Return what is said; None when what it was about is gone."""
        with database.reading(self.engine) as connection:
            said = _said(connection, event)
        if said is None:
            return None
        return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()

    def _headers(self, event: Event, body: bytes) -> dict[str, str]:
        masters = (one.get_secret_value() for one in self.settings.top.callback_secrets)
        secrets = [callback_signatures.secret(one, event.callback_id) for one in masters]
        signed = callback_signatures.headers(secrets, event_id(event), int(time.time()), body)
        return {"content-type": "application/json", **signed}

    def _note(self, event: Event, said: PostResult) -> None:
        """Forget an event that was taken; plan the next try of one that was not."""
        wait = pause(said, event, random.random)
        with database.writing(self.engine) as connection:
            if wait == 0:
                callbacks.told(connection, event.id)
                return
            callbacks.failed(connection, event.id, str(said.status or said.words), wait)
        facts = {"callback": event.callback_id, "event_id": event.id, "status": said.status}
        if wait is None:
            log.warning("callback.parked", **facts)
        else:
            log.warning("callback.refused", **facts, why=said.words or None)

    async def _in(self, threads: ThreadPoolExecutor, work: Callable[[], Out]) -> Out:
        return await asyncio.get_running_loop().run_in_executor(threads, work)


def event_id(event: Event) -> str:
    """Return the id that an event keeps however often it is told."""
    return f"evt_{event.id}"


def pause(said: PostResult, event: Event, draw: Callable[[], float]) -> float | None:
    """Return the seconds until an event is told again: 0 when it was taken, None to park it.

    5xx, 408, 425, 429 and whatever is no answer are tried again for a day; any other answer than
    2xx is parked at once, because the same would be said again.
    """
    if said.status is not None and 200 <= said.status < 300:
        return 0.0
    again = said.status is None or said.status >= 500 or said.status in {408, 425, 429}
    if not again or event.age >= DAY:
        return None
    wait = min(LONGEST, FIRST * 2.0 ** min(event.attempts - 1, 20)) * (0.75 + 0.5 * draw())
    return max(wait, min(said.retry_after or 0.0, LONGEST))


def _said(connection: Connection, event: Event) -> dict[str, Any] | None:
    if event.span is not None:
        rows = callbacks.messages_of(connection, event.span)
        told = [_message(row) for row in rows if row["state"] not in _ON_THE_WAY]
        if not told:
            return None
        at = _time(rows[0]["looked_at"])
        return {"type": "messages.updated", "timestamp": at, "data": {"messages": told}}
    row = callbacks.inbound(connection, event.inbound_id or 0)
    if row is None:
        return None
    return {
        "type": "inbound.received",
        "timestamp": _time(row.looked_at),
        "data": {
            "id": row.id,
            "account": row.account,
            "from": row.msisdn,
            "text": row.text,
            "extension": row.extension,
            "received_at": _time(row.received_at),
        },
    }


def _message(row: Mapping[Any, Any]) -> dict[str, Any]:
    """What an application is told of a message: as it is now."""
    same = ("id", "class", "state", "account", "code", "segments")
    return {
        **{name: row[name] for name in same},
        "to": row["msisdn"],
        "submitted_at": _time(row["submitted_at"]),
        "finished_at": _time(row["finished_at"]),
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
