"""Callbacks: each application is told in the end what became of its messages, and proven to be."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from sqlalchemy import select

from tests.support.stage import (
    Stage,
    eventually,
    mobiles,
    section,
)
from worker.domain.errors import Refused
from worker.domain.message_ranges import MessageRange
from worker.feedback import callback_retry, callback_signatures
from worker.feedback.callback_client import PostResult
from worker.runtime import callback_places, callback_sender
from worker.store import callback_outbox
from worker.store.db import database
from worker.store.feedback import callback_turns, callbacks
from worker.store.feedback.callback_turns import CallbackEvent
from worker.store.schema.tables import callback_event

MASTER = "a secret of the test's"
ALLOWED: dict[str, Any] = {"callback_secrets": [MASTER], "callback_networks": ["127.0.0.0/8"]}


@dataclass
class Application:
    """A receiver of callbacks; `answers` says how it answers, 204 when that is used up."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    taken: dict[str, Any] = field(default_factory=dict)
    delay: float = 0.0

    def states(self) -> Counter[str]:
        """Count the last state that each message was told with, by the events' own times."""
        last = {
            one["id"]: one["state"]
            for event in sorted(self.taken.values(), key=lambda event: event["timestamp"])
            if event["type"] == "messages.updated"
            for one in event["data"]["messages"]
        }
        return Counter(last.values())


@contextmanager
def application(*answers: int, delay: float = 0.0) -> Iterator[Application]:
    """Lend a receiver."""
    app = Application(answers=list(answers), delay=delay)

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            said = {name.lower(): value for name, value in self.headers.items()}
            app.got.append((said, body))
            status = app.answers.pop(0) if app.answers else 204
            if status < 300:
                app.taken[said["webhook-id"]] = json.loads(body)
            time.sleep(app.delay)
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.daemon_threads = True
    app.url = f"http://127.0.0.1:{server.server_port}/xinshi"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield app
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def waiting(stage: Stage) -> list[Any]:
    with database.reading(stage.engine) as connection:
        return list(connection.execute(select(callback_event)))


def test_whoever_is_named_is_told_signed_and_until_nothing_is_left(stage: Stage) -> None:
    stage.configure("v1", **ALLOWED)
    with application() as app, stage.working():
        sent = stage.enqueue(mobiles(3), callback_url=app.url)
        untold = stage.enqueue(mobiles(1, first=50))
        eventually(lambda: app.states() == {"delivered": 3})
        eventually(lambda: stage.states(untold) == {"delivered": 1})
        eventually(lambda: not waiting(stage))
    told = {one["id"] for event in app.taken.values() for one in event["data"]["messages"]}
    assert told == set(sent.ids)
    with database.reading(stage.engine) as connection:
        (mine,) = callbacks.list_callbacks(connection)
    secret = callback_signatures.derive_secret(MASTER, mine.id)
    for said, body in app.got:
        assert callback_signatures.is_signed(secret, said, body, time.time())


def test_what_is_told_last_is_what_is(stage: Stage) -> None:
    """Whatever becomes of messages, their application hears of it: no state is kept from it."""
    refusing = section(stage.sandbox, "bulk", password="wrong")
    stage.configure("v1", "codes", accounts={"refusing": refusing}, **ALLOWED)
    with application() as app:
        words: dict[str, Any] = {"callback_url": app.url}
        sent = [
            stage.enqueue(mobiles(3), account="v1", **words),
            stage.enqueue(mobiles(2, first=10), account="codes", **words),
            stage.enqueue(mobiles(2, first=20), account="refusing", **words, not_after=soon(1.5)),
            stage.enqueue(mobiles(2, first=30), account="v1", **words, not_before=soon(3600)),
        ]
        stage.producer.cancel(sent[3].ids[0])
        with stage.working():
            expected = {"delivered": 3, "submitted": 2, "expired": 2, "cancelled": 1}
            eventually(lambda: app.states() == expected)
            eventually(lambda: not waiting(stage))
        assert sum((stage.states(one) for one in sent), Counter()) == {**expected, "queued": 1}


def soon(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def test_a_standing_callback_is_told_of_all_that_its_sender_enqueues(stage: Stage) -> None:
    stage.configure("bulk", **ALLOWED)
    with application() as app, stage.working():
        with database.writing(stage.engine) as connection:
            callbacks.add(connection, "shop", app.url)
        stage.enqueue(mobiles(2), sender="shop")
        stage.enqueue(mobiles(2, first=10), sender="other")
        eventually(lambda: app.states() == {"submitted": 2})
        eventually(lambda: not waiting(stage))


def test_what_is_refused_for_now_is_told_again_under_the_same_id(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callback_retry, "FIRST_PAUSE_SECONDS", 0.05)
    stage.configure("bulk", **ALLOWED)
    with application(500, 429, 503) as app, stage.working():
        stage.enqueue(mobiles(1), callback_url=app.url)
        eventually(lambda: app.states() == {"submitted": 1})
    assert len({said["webhook-id"] for said, _ in app.got}) == len(app.taken)
    assert len(app.got) == 3 + len(app.taken)


def test_what_is_refused_for_good_is_parked_until_it_is_replayed(stage: Stage) -> None:
    stage.configure("bulk", **ALLOWED)
    with application(404) as app, stage.working():
        stage.enqueue(mobiles(1), callback_url=app.url)
        parked = eventually(lambda: [row for row in waiting(stage) if row.next_at is None])
        assert [row.problem for row in parked] == ["404"]
        assert not app.taken
        with database.writing(stage.engine) as connection:
            assert callbacks.replay_parked(connection) == 1
        eventually(lambda: app.states() == {"submitted": 1})
        eventually(lambda: not waiting(stage))


def test_a_slow_receiver_delays_only_its_own(stage: Stage) -> None:
    stage.configure("bulk", **ALLOWED)
    with application(delay=1.5) as slow, application() as quick, stage.working():
        for nth in range(2 * callback_places.MAX_POSTS_PER_CALLBACK):
            stage.enqueue(mobiles(1, first=nth), callback_url=slow.url)
        eventually(lambda: len(slow.got) >= callback_places.MAX_POSTS_PER_CALLBACK)
        stage.enqueue(mobiles(1, first=99), callback_url=quick.url)
        eventually(lambda: quick.states() == {"submitted": 1})
        assert len(slow.got) < 2 * callback_places.MAX_POSTS_PER_CALLBACK


def test_a_reply_is_told_to_those_who_asked_for_it(stage: Stage) -> None:
    stage.configure("v1", **ALLOWED)
    with application() as app, application() as deaf, stage.working():
        with database.writing(stage.engine) as connection:
            callbacks.add(connection, "", app.url, inbound=True)
            callbacks.add(connection, "other", deaf.url)
        sent = stage.enqueue(["13800138000"])
        eventually(lambda: stage.states(sent) == {"delivered": 1})
        stage.sandbox.control.reply("apiv1", "13800138000", "谢谢")
        told = eventually(
            lambda: [e["data"] for e in app.taken.values() if e["type"] == "inbound.received"]
        )
        assert [(one["from"], one["text"]) for one in told] == [("13800138000", "谢谢")]
        assert [reply["answers"] for reply in told] == list(sent.ids)
        assert not deaf.got


def test_an_event_of_a_killed_process_is_told_by_another(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever took an event and died leaves it due when its lease ends."""
    monkeypatch.setattr(callback_sender, "LEASE_SECONDS", 0.5)
    stage.configure("bulk", **ALLOWED)
    with application() as app:
        sent = stage.enqueue(mobiles(1), callback_url=app.url)
        with database.writing(stage.engine) as connection:
            callback_outbox.note_messages(connection, [MessageRange(sent.request_id, 0, 1)])
        with database.writing(stage.engine) as connection:
            (turn,) = callback_turns.turns_after(connection, 0, 10)
            mine = turn.callback_id
            assert len(callback_turns.take_due_events(connection, mine, 10, 0.5)) == 1
            assert not callback_turns.take_due_events(connection, mine, 10, 0.5)
        with stage.working():
            eventually(lambda: app.states() == {"submitted": 1})
            eventually(lambda: not waiting(stage))


def test_spans_that_touch_are_one_event_and_long_ones_are_cut(stage: Stage) -> None:
    stage.configure("bulk", **ALLOWED)
    sent = stage.enqueue(mobiles(1), callback_url="http://127.0.0.1:9/")
    spans = [
        MessageRange(sent.request_id, 0, 3),
        MessageRange(sent.request_id, 3, callback_outbox.MAX_MESSAGES_PER_EVENT + 10),
    ]
    with database.writing(stage.engine) as connection:
        callback_outbox.note_messages(
            connection, [*spans, MessageRange(sent.request_id, 2000, 2001)]
        )
    bounds = sorted((row.lo, row.hi) for row in waiting(stage))
    assert bounds == [
        (0, callback_outbox.MAX_MESSAGES_PER_EVENT),
        (callback_outbox.MAX_MESSAGES_PER_EVENT, callback_outbox.MAX_MESSAGES_PER_EVENT + 10),
        (2000, 2001),
    ]


def test_a_url_that_could_not_be_signed_or_told_is_refused_when_it_is_named(stage: Stage) -> None:
    stage.configure("bulk")
    with pytest.raises(Refused, match="callback_secrets"):
        stage.enqueue(mobiles(1), callback_url="https://app.example.com/")
    stage.configure("bulk", **ALLOWED)
    with pytest.raises(Refused, match="scheme and host"):
        stage.enqueue(mobiles(1), callback_url="app.example.com")


def test_the_pauses_grow_for_a_day_and_then_it_is_parked() -> None:
    def wait(
        status: int | None, attempts: int, age: float = 0.0, after: float | None = None
    ) -> Any:
        event = CallbackEvent(1, 1, "", attempts, age, None, None)
        return callback_retry.pause(PostResult(status, retry_after=after), event, lambda: 0.5)

    assert wait(204, 1) == 0
    assert wait(500, 1) == callback_retry.FIRST_PAUSE_SECONDS
    assert wait(None, 3) == 4 * callback_retry.FIRST_PAUSE_SECONDS
    assert wait(503, 50) == callback_retry.LONGEST_PAUSE_SECONDS
    assert wait(429, 1, after=30.0) == 30.0
    assert wait(429, 1, after=1e9) == callback_retry.LONGEST_PAUSE_SECONDS
    assert wait(500, 9, age=callback_retry.RETRY_FOR_SECONDS) is None
    assert wait(404, 1) is None
    assert wait(302, 1) is None
    spread = {
        callback_retry.pause(
            PostResult(500), CallbackEvent(1, 1, "", 1, 0, None, None), random.random
        )
    }
    assert all(
        0.7 * callback_retry.FIRST_PAUSE_SECONDS < one < 1.3 * callback_retry.FIRST_PAUSE_SECONDS
        for one in spread
        if one
    )
