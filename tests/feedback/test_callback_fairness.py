"""Receivers that hang delay their own events, and nobody else's, by real sockets."""

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.feedback.test_callbacks import ALLOWED, application, waiting
from tests.support.stage import Stage, eventually, mobiles
from worker.domain.errors import Refused
from worker.domain.message_ranges import MessageRange
from worker.feedback import callback_attempt, callback_retry
from worker.runtime import callback_sender
from worker.runtime.callback_places import MAX_POSTS_PER_CALLBACK, MAX_POSTS_PER_KIND
from worker.runtime.callback_sender import CallbackSender
from worker.store import callback_outbox
from worker.store.db import database
from worker.store.feedback import callback_turns

URLS, EVENTS_EACH = 60, 30


class HangingReceiver:
    """A receiver that answers nobody until it is freed, and counts who is there."""

    def __init__(self) -> None:
        self.url = ""
        self.held: Counter[str] = Counter()
        self.most_held = 0
        self.answered = 0
        self._loop = asyncio.new_event_loop()
        self._free = asyncio.Event()
        self._tasks: set[asyncio.Task[None] | None] = set()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def start(self) -> None:
        """Listen, in a thread of its own."""
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._answer, "127.0.0.1", 0, backlog=500))
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def free(self) -> None:
        """Answer all who wait, and who comes from now on."""
        self._loop.call_soon_threadsafe(self._free.set)

    def stop(self) -> None:
        """End, once nobody is there."""
        self.free()
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1].decode()
                self.held[path] += 1
                self.most_held = max(self.most_held, self.held.total())
                await self._free.wait()
                self.held[path] -= 1
                self.answered += 1
                writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
                await writer.drain()
                break
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def _close(self) -> None:
        self._server.close()
        await asyncio.gather(*filter(None, self._tasks))

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)


@contextmanager
def hanging_receiver() -> Iterator[HangingReceiver]:
    """Lend such a receiver."""
    receiver = HangingReceiver()
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.stop()


@contextmanager
def telling(stage: Stage) -> Iterator[CallbackSender]:
    """Run the callback sender alone."""
    sender = CallbackSender(stage.settings, stage.engine)
    sender.start()
    try:
        yield sender
    finally:
        assert sender.stop(20)


def cancelled(stage: Stage, first: int, sender: str, url: str, events: int = 1) -> None:
    """Enqueue a message, cancel it, and note as many events of it."""
    accepted = stage.enqueue(mobiles(1, first=first), sender=sender, callback_url=url)
    stage.producer.cancel(accepted.ids[0])
    with database.writing(stage.engine) as connection:
        for _ in range(events - 1):
            callback_outbox.note_messages(connection, [MessageRange(accepted.request_id, 0, 1)])


@pytest.mark.parametrize("kind", ["sqlite"])
def test_receivers_that_hang_delay_only_their_own_events(stage: Stage) -> None:
    """60 URLs × 30 events that nobody answers: another sender is told, meanwhile and after."""
    stage.configure("bulk", **ALLOWED)
    with hanging_receiver() as receiver, application() as app:
        for nth in range(URLS):
            cancelled(stage, nth, "alice", f"{receiver.url}/{nth}", EVENTS_EACH)
        with telling(stage) as sender:
            eventually(lambda: receiver.held.total() >= MAX_POSTS_PER_CALLBACK)
            for nth in range(3):
                cancelled(stage, 100 + nth, "victim", app.url)
                sender.ring()
                eventually(lambda told=nth: app.states() == {"cancelled": told + 1})
            assert receiver.answered == 0
            assert max(receiver.held.values()) <= MAX_POSTS_PER_CALLBACK
            receiver.free()
            eventually(lambda: receiver.answered == URLS * EVENTS_EACH, within=120, every=0.1)
            eventually(lambda: not waiting(stage))
            assert receiver.most_held <= MAX_POSTS_PER_KIND // 4
            cancelled(stage, 200, "victim", app.url)
            sender.ring()
            eventually(lambda: app.states() == {"cancelled": 4})


@pytest.mark.parametrize("kind", ["sqlite"])
def test_events_that_are_given_up_leave_room_for_others(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More of them than there are places time out, and are told again later."""
    monkeypatch.setattr(callback_sender, "ANSWER_SECONDS", 0.2)
    stage.configure("bulk", **ALLOWED)
    with hanging_receiver() as receiver, application() as app:
        for nth in range(20):
            cancelled(stage, nth, f"sender {nth}", f"{receiver.url}/{nth}", 2 * EVENTS_EACH // 3)
        with telling(stage) as sender:
            eventually(lambda: all(row.attempts for row in waiting(stage)), within=120, every=0.1)
            cancelled(stage, 100, "victim", app.url)
            sender.ring()
            eventually(lambda: app.states() == {"cancelled": 1})


@pytest.mark.parametrize("kind", ["sqlite"])
def test_whatever_raises_in_one_event_delays_no_other_and_is_parked_after_a_day(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callback_retry, "FIRST_PAUSE_SECONDS", 0.05)
    real_headers = callback_attempt.headers

    def faulty_headers(masters: Any, event: callback_turns.CallbackEvent, body: bytes) -> Any:
        if event.url.endswith("/faulty"):
            raise KeyError(body)
        return real_headers(masters, event, body)

    monkeypatch.setattr(callback_attempt, "headers", faulty_headers)
    stage.configure("bulk", **ALLOWED)
    with application() as app:
        cancelled(stage, 1, "alice", f"{app.url}/faulty")
        cancelled(stage, 2, "victim", app.url)
        with telling(stage):
            eventually(lambda: app.states() == {"cancelled": 1})
            (row,) = eventually(lambda: [row for row in waiting(stage) if row.attempts > 1])
            assert row.problem == "KeyError"
            monkeypatch.setattr(callback_retry, "RETRY_FOR_SECONDS", 0.0)
            (row,) = eventually(lambda: [row for row in waiting(stage) if row.next_at is None])
            assert row.problem == "KeyError"


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_callback_whose_host_is_no_name_is_parked_after_a_day(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a URL was taken before; it is a failure like that of a host that is away."""
    monkeypatch.setattr(callback_retry, "RETRY_FOR_SECONDS", 0.0)
    monkeypatch.setattr("worker.domain.urls.problem", lambda *_: None)
    stage.configure("bulk", **ALLOWED)
    for nth, host in enumerate(("a..b", "a" * 64, "xn--")):
        cancelled(stage, nth, "alice", f"http://{host}/")
    with telling(stage):
        parked = eventually(
            lambda: (rows := waiting(stage)) and all(row.next_at is None for row in rows) and rows
        )
    assert all(row.problem and row.attempts == 1 for row in parked)


@pytest.mark.parametrize("kind", ["sqlite"])
def test_events_of_a_callback_that_is_gone_are_dropped(stage: Stage) -> None:
    stage.configure("bulk", **ALLOWED)
    with database.writing(stage.engine) as connection:
        connection.execute(
            callback_outbox.callback_event.insert().values(
                callback_id=99,
                request_id=1,
                lo=0,
                hi=1,
                created_at=callback_outbox.now(),
                next_at=callback_outbox.now(),
            )
        )
    with telling(stage):
        eventually(lambda: not waiting(stage))


def test_a_sender_has_so_many_callbacks_and_no_more(stage: Stage) -> None:
    stage.configure("bulk", max_callbacks=3, **ALLOWED)
    named = [f"https://app.example.com/{nth}" for nth in range(4)]
    for url in named[:3]:
        stage.enqueue(mobiles(1), sender="shop", callback_url=url)
    with pytest.raises(Refused, match="shop has 3 callbacks in use"):
        stage.enqueue(mobiles(1), sender="shop", callback_url=named[3])
    stage.enqueue(mobiles(1), sender="shop", callback_url=named[0])
    stage.enqueue(mobiles(1), sender="other", callback_url=named[3])
    stage.enqueue(mobiles(1), sender="shop")
