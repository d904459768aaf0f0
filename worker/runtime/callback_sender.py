"""Sends applications the events about their messages: signed, repeated for a day, then parked.

An event is sent until its application answers 2xx, under an id that stays the same; an application
may get it more than once. A slow or dead receiver delays only its own events.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from typing import cast

import structlog
from sqlalchemy import Engine

from worker import outages
from worker.config.settings import Settings
from worker.domain.errors import Unavailable, XinshiError
from worker.feedback import callback_attempt
from worker.feedback.callback_client import CallbackClient, PostResult
from worker.runtime.background_service import BackgroundService
from worker.runtime.callback_places import MAX_POSTS, CallbackPlaces, Place
from worker.runtime.callback_rounds import MAX_TURNS_PER_LOOK, CallbackRounds
from worker.store.db import database
from worker.store.feedback import callback_turns
from worker.store.feedback.callback_turns import CallbackEvent, CallbackTurn

log = structlog.get_logger()

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
        self._places = CallbackPlaces()
        self._rounds = CallbackRounds()
        self._calls: set[asyncio.Task[None]] = set()

    async def _drive(self) -> None:
        client = CallbackClient(self.settings.top.callback_networks, MAX_POSTS)
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
        """Begin to send what is due and has a place; False when it is time to wait."""
        if self._places.is_full():
            return False
        try:
            turns = await self._in_thread(threads, self._read_turns)
            taken = await self._take(threads, self._reserve(turns))
        except XinshiError as error:
            if not outages.DATABASE.is_away:
                log.warning("callback.look_failed", why=str(error))
            await self._wait(RETRY_SECONDS)
            return True
        for event, place in taken:
            self._calls.add(asyncio.create_task(self._send(threads, client, event, place)))
        return self._rounds.move_on(turns, fruitful=bool(taken))

    def _read_turns(self) -> list[CallbackTurn]:
        with database.reading(self.engine) as connection:
            return callback_turns.turns_after(connection, self._rounds.position, MAX_TURNS_PER_LOOK)

    def _reserve(self, turns: Sequence[CallbackTurn]) -> dict[int, list[Place]]:
        """Take places for the callbacks whose turn it is; none for one that is removed."""
        places: dict[int, list[Place]] = {}
        for turn in self._rounds.in_order(turns):
            room = self._places.room(turn.callback_id, turn.sender or "")
            if turn.sender is None:
                places[turn.callback_id] = []
            elif turn.is_due and room:
                places[turn.callback_id] = [
                    self._places.take(turn.callback_id, turn.sender) for _ in range(room)
                ]
                self._rounds.note_served(turn.callback_id)
        return places

    async def _take(
        self, threads: ThreadPoolExecutor, places: Mapping[int, list[Place]]
    ) -> list[tuple[CallbackEvent, Place]]:
        """Take due events, one for each place, and give back the places that are left over."""
        wanted = {callback_id: len(reserved) for callback_id, reserved in places.items()}
        try:
            events = await self._in_thread(threads, partial(self._take_events, wanted))
            return [(event, places[event.callback_id].pop()) for event in events]
        finally:
            for place in chain.from_iterable(places.values()):
                self._places.release(place)

    def _take_events(self, wanted: Mapping[int, int]) -> list[CallbackEvent]:
        """Take up to so many due events of each callback; delete those that nobody is told."""
        if not wanted:
            return []
        events = []
        with database.writing(self.engine) as connection:
            for callback_id, limit in wanted.items():
                if limit:
                    events += callback_turns.take_due_events(
                        connection, callback_id, limit, LEASE_SECONDS
                    )
                else:
                    callback_turns.drop_events(connection, callback_id)
        return events

    async def _send(
        self,
        threads: ThreadPoolExecutor,
        client: CallbackClient,
        event: CallbackEvent,
        place: Place,
    ) -> None:
        """Send one event, and write down how that ended; a fault of ours is how it ended too."""
        try:
            answer = await self._post(threads, client, event, place)
            await self._in_thread(
                threads, partial(callback_attempt.note, self.engine, event, answer)
            )
        except Exception as error:  # noqa: BLE001 - one event stops no other
            # It could not be written down: the event comes back when its lease ends.
            log.warning("callback.failed", callback=event.callback_id, why=type(error).__name__)
        finally:
            self._places.release(place)
            self._calls.discard(cast("asyncio.Task[None]", asyncio.current_task()))
            self._bell.set()

    async def _post(
        self,
        threads: ThreadPoolExecutor,
        client: CallbackClient,
        event: CallbackEvent,
        place: Place,
    ) -> PostResult:
        """Post one event as it is now, and return how that ended; `Unavailable` is raised alone."""
        try:
            body = await self._in_thread(
                threads,
                partial(callback_attempt.read_body, self.engine, self.settings, event),
            )
            if body is None:
                # An event that has become void is forgotten like one that was taken.
                return PostResult(200)
            headers = callback_attempt.headers(self.settings.top.callback_secrets, event, body)
            started_at = time.monotonic()
            answer = await client.post(event.url, body, headers, ANSWER_SECONDS)
            self._places.note_pace(place, time.monotonic() - started_at)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the day holds for it
            return PostResult(None, type(error).__name__)
        return answer
