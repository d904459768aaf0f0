"""The walk over callbacks with events: each is found, and no backlog makes it dearer."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from sqlalchemy import Connection, Engine, insert, select

from worker.domain.message_ranges import MessageRange
from worker.store import callback_outbox
from worker.store.db import database as databases
from worker.store.feedback import callback_turns, callbacks
from worker.store.schema.tables import callback, callback_event, request

if TYPE_CHECKING:
    import sqlite3

NOW = datetime.now(UTC)


def add_callbacks(connection: Connection, count: int, first: int = 1, sender: str = "shop") -> None:
    """Insert so many callbacks, with ids from `first` on."""
    common = {"sender": sender, "url": "https://a.example/", "standing": False, "inbound": False}
    rows = [{**common, "id": first + nth, "created_at": NOW} for nth in range(count)]
    connection.execute(insert(callback), rows)


def add_events(connection: Connection, *callback_ids: int, due: bool | None = True) -> None:
    """Insert an event for each id, due or not; None parks it."""
    next_at = None if due is None else NOW + timedelta(days=-1 if due else 1)
    common = {"request_id": 1, "lo": 0, "hi": 1, "created_at": NOW, "next_at": next_at}
    connection.execute(
        insert(callback_event),
        [{**common, "callback_id": callback_id} for callback_id in callback_ids],
    )


def walk(connection: Connection, limit: int) -> list[callback_turns.CallbackTurn]:
    """Return all turns, read in parts."""
    turns = callback_turns.turns_after(connection, 0, limit)
    while part := callback_turns.turns_after(connection, turns[-1].callback_id, limit):
        turns += part
    return turns


def test_the_callback_behind_two_hundred_others_has_its_turn(engine: Engine) -> None:
    with databases.writing(engine) as connection:
        add_callbacks(connection, 201)
        add_events(connection, *[nth for nth in range(1, 202) for _ in range(9)])
    with databases.reading(engine) as connection:
        for limit in (200, 7):
            turns = walk(connection, limit)
            assert [turn.callback_id for turn in turns] == list(range(1, 202))
            assert all(turn.is_due and turn.sender == "shop" for turn in turns)


def test_a_turn_says_whether_an_event_is_due(engine: Engine) -> None:
    with databases.writing(engine) as connection:
        add_callbacks(connection, 4)
        add_events(connection, 1, 2, due=False)
        add_events(connection, 2)
        add_events(connection, 3, due=None)
    with databases.reading(engine) as connection:
        turns = callback_turns.turns_after(connection, 0, 200)
    assert [(turn.callback_id, turn.is_due) for turn in turns] == [
        (1, False),
        (2, True),
        (3, False),
    ]


def test_a_removed_callback_has_no_sender_and_its_events_can_be_dropped(engine: Engine) -> None:
    with databases.writing(engine) as connection:
        add_callbacks(connection, 2)
        callbacks.remove(connection, 1)
        add_events(connection, 1, 2, 3)
        turns = callback_turns.turns_after(connection, 0, 200)
        assert [turn.sender for turn in turns] == [None, "shop", None]
        callback_turns.drop_events(connection, 1)
        assert [turn.callback_id for turn in walk(connection, 1)] == [2, 3]


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_turn_costs_the_same_whatever_waits(engine: Engine) -> None:
    def steps(connection: Connection) -> int:
        driver = cast("sqlite3.Connection", connection.connection.dbapi_connection)
        count = 0

        def note_step() -> None:
            nonlocal count
            count += 1

        driver.set_progress_handler(note_step, 10)
        assert len(callback_turns.turns_after(connection, 0, 200)) == 50
        driver.set_progress_handler(None, 0)
        return count

    with databases.writing(engine) as connection:
        add_callbacks(connection, 50)
        add_events(connection, *range(1, 51))
    with databases.reading(engine) as connection:
        before = steps(connection)
    with databases.writing(engine) as connection:
        add_events(connection, *[7] * 20_000)
        add_events(connection, *[8] * 20_000, due=False)
        add_events(connection, *[9] * 20_000, due=None)
    with databases.reading(engine) as connection:
        assert steps(connection) < 1.2 * before


def told(engine: Engine, *request_ids: int) -> set[tuple[int, int]]:
    """Note that requests changed, and return which callbacks are told of which."""
    with databases.writing(engine) as connection:
        callback_outbox.note_messages(
            connection, [MessageRange(request_id, 0, 1) for request_id in request_ids]
        )
        rows = connection.execute(select(callback_event.c.callback_id, callback_event.c.request_id))
        return {(row[0], row[1]) for row in rows}


def add_request(connection: Connection, request_id: int, callback_id: int) -> None:
    """Insert a request that names a callback."""
    values: dict[str, Any] = {
        "id": request_id,
        "sender": "shop",
        "message_class": "notice",
        "total": 1,
        "text": "x",
        "kinds": "mobile",
        "not_after": NOW,
        "created_at": NOW,
        "next_n": 0,
        "callback_id": callback_id,
    }
    connection.execute(insert(request).values(values))


def test_all_standing_callbacks_of_a_sender_are_told_as_long_as_there_are_several(
    engine: Engine,
) -> None:
    """They could be added before; whoever was told first is silenced by none of the others."""
    with databases.writing(engine) as connection:
        first = callbacks.add(connection, "shop", "https://a.example/")
        second = callbacks.add(connection, "shop", "https://b.example/")
        callbacks.add(connection, "other", "https://c.example/")
        add_request(connection, 1, second)
    assert told(engine, 1) == {(first, 1), (second, 1)}


def test_what_a_removed_standing_callback_was_told_of_is_told_to_the_one_that_follows(
    engine: Engine,
) -> None:
    with databases.writing(engine) as connection:
        removed = callbacks.add(connection, "shop", "https://a.example/")
        add_request(connection, 1, removed)
        callbacks.remove(connection, removed)
    assert told(engine, 1) == set()
    with databases.writing(engine) as connection:
        following = callbacks.add(connection, "shop", "https://b.example/")
    assert told(engine, 1) == {(following, 1)}


def test_a_callback_that_calls_named_is_told_nothing_after_it_was_removed(engine: Engine) -> None:
    with databases.writing(engine) as connection:
        add_callbacks(connection, 1)
        callbacks.add(connection, "shop", "https://b.example/")
        add_request(connection, 1, 1)
        callbacks.remove(connection, 1)
    assert told(engine, 1) == set()
