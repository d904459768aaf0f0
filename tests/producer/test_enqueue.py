"""Enqueuing: all or nothing, once for each key, and every problem named."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from producer import KeyConflict, Refused, TooLate
from tests.support.by_hand import Hand, settings_of
from tests.support.doorbell_listener import Listening
from tests.support.stage import TEXT, mobiles
from worker.domain.enums import MessageState
from worker.domain.errors import NotFound, Problem
from worker.intake.enqueue import Enqueued
from worker.store.db.database import reading
from worker.store.schema.tables import message, request


@pytest.fixture
def producer(database: str) -> Iterator[Listening]:
    made = Listening(settings_of(database, bulk={}, v1={"classes": ["notice"]}))
    yield made
    made.close()


@pytest.fixture
def hand(engine: Engine, producer: Listening) -> Hand:
    return Hand(engine, producer.settings)


def test_what_was_accepted_can_be_seen_and_was_rung_for(producer: Listening, hand: Hand) -> None:
    accepted = producer.enqueue(["13800000001", "+86 138 0000 0002", "13800000001"], TEXT)
    assert accepted.ids[0] == accepted.ids[2] != accepted.ids[1]
    assert not accepted.repeated
    assert producer.get(accepted.ids[1]).to == "13800000002"
    assert producer.get(accepted.ids[1]).state is MessageState.QUEUED
    assert producer.rung == [2]
    assert hand.count(accepted.request_id) == {"queued": 2}


def test_fifty_threads_with_one_key_make_one_request(producer: Listening, hand: Hand) -> None:
    """Fault 27: those with another body are refused, all others get the same ids."""
    gate = threading.Barrier(50)

    def enqueue(nth: int) -> Enqueued | KeyConflict:
        body = TEXT if nth % 5 else f"{TEXT}!"
        gate.wait()
        try:
            return producer.enqueue(mobiles(3), body, key="order-1")
        except KeyConflict as refused:
            return refused

    with ThreadPoolExecutor(50) as threads:
        found = list(threads.map(enqueue, range(50)))
    accepted = [one for one in found if isinstance(one, Enqueued)]
    assert len({one.ids for one in accepted}) == 1
    assert [one.repeated for one in accepted].count(False) == 1
    assert len(accepted) in {10, 40}, "whichever body came first"
    assert hand.number_of(request) == 1
    assert hand.number_of(message) == 3


def test_keys_of_one_sender_are_apart_from_anothers(producer: Listening, hand: Hand) -> None:
    for sender in ("", "shop", "Shop"):
        producer.enqueue("13800000001", TEXT, key="k", sender=sender)
    producer.enqueue("13800000001", TEXT, key="K")
    assert hand.number_of(request) == 4


def test_the_same_key_after_everything_ended_still_makes_nothing(
    producer: Listening, hand: Hand
) -> None:
    first = producer.enqueue("13800000001", TEXT, key="k")
    producer.cancel(first.ids[0])
    again = producer.enqueue("138 0000 0001", TEXT, key="k")
    assert (again.ids, again.repeated) == (first.ids, True)
    assert hand.number_of(message) == 1


# --- refusals ------------------------------------------------------------------------------------

NAIVE = datetime(2030, 1, 1)  # noqa: DTZ001 - to be refused
AWARE = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize(
    ("to", "body", "words", "said"),
    [
        ([], TEXT, {}, "to: is empty"),
        ("123", TEXT, {}, "to: ***"),
        (["13800000001", "12", "x" * 20], TEXT, {}, "to, row 2"),
        ("13800000001", " ", {}, "text: is empty"),
        ("13800000001", f"{TEXT}\0", {}, "text: holds U+0000"),
        ("13800000001", "您好{name}", {"variables": {"nom": "x"}}, "variables.name"),
        ("13800000001", TEXT, {"message_class": "spam"}, "message_class"),
        ("13800000001", TEXT, {"account": "bluk"}, "bulk"),
        ("13800000001", TEXT, {"not_before": NAIVE}, "not_before: has no time zone"),
        ("13800000001", TEXT, {"not_before": AWARE, "not_after": AWARE}, "not_after"),
        ("13800000001", TEXT, {"key": ""}, "key"),
        ("13800000001", TEXT, {"key": "k" * 201}, "key"),
        ("13800000001", TEXT, {"key": " k"}, "key"),
        ("13800000001", TEXT, {"sender": "s" * 65}, "sender"),
        ("13800000001", f"{TEXT}😀", {"account": "bulk"}, "“😀” (U+1F600)"),
        ("13800000001", f"{TEXT}㐀", {"account": "bulk"}, "“㐀” (U+3400)"),
        ("02185418874", TEXT, {"account": "v1"}, "landline"),
        ("13800000001", TEXT, {"account": "v1", "extension": "01"}, "extension"),
        ("13800000001", TEXT, {"account": "bulk", "options": {"tiem": "x"}}, "options.tiem"),
        ("13800000001", TEXT, {"account": "bulk", "template": "1"}, "template"),
    ],
)
def test_what_is_refused_says_why_and_stores_nothing(
    producer: Listening, hand: Hand, to: Any, body: str, words: dict[str, Any], said: str
) -> None:
    with pytest.raises(Refused) as refused:
        producer.enqueue(to, body, **words)
    assert said in str(refused.value)
    assert hand.number_of(request) == hand.number_of(message) == 0
    assert producer.rung == []


@pytest.mark.parametrize("kind", ["sqlite"])
def test_all_problems_are_named_at_once_and_no_number_is_repeated(producer: Listening) -> None:
    rows = ["13800000001", "1380000000x", "+1 202 555 0100"]
    with pytest.raises(Refused) as refused:
        producer.enqueue(rows, " ", key="", not_before=NAIVE)
    assert [problem.where for problem in refused.value.problems] == [
        "text",
        "to, row 2",
        "to, row 3",
        "not_before",
        "key",
    ]
    assert not any(row.replace(" ", "") in str(refused.value) for row in rows)


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_class_that_no_account_serves_is_refused(database: str) -> None:
    with closing(Listening(settings_of(database, v1={"classes": ["notice"]}))) as other:
        with pytest.raises(Refused, match="no account serves otp"):
            other.enqueue("13800000001", TEXT, message_class="otp")
        other.enqueue("13800000001", TEXT, message_class="otp", account="v1")


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_text_goes_where_it_can_be_said(producer: Listening) -> None:
    """One account that can is enough: GBK cannot say the emoji, UTF-8 can."""
    producer.enqueue("13800000001", f"{TEXT}😀")
    producer.enqueue("02185418874", TEXT)
    with pytest.raises(Refused):
        producer.enqueue("02185418874", f"{TEXT}😀")


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_text_too_long_for_every_account_is_refused(database: str) -> None:
    made = settings_of(database, codes={}, v1={"longest": 500})
    with closing(Listening(made)) as other:
        other.enqueue("13800000001", "长" * 400)
        with pytest.raises(Refused, match="takes 500 characters and this is 501"):
            other.enqueue("13800000001", "长" * 501)


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize(
    ("message_class", "seconds"), [("otp", 300), ("notice", 86400), ("marketing", 86400)]
)
def test_validity_follows_from_the_class_and_the_start(
    producer: Listening, hand: Hand, message_class: str, seconds: float
) -> None:
    start = datetime.now(UTC) + timedelta(hours=3)
    producer.enqueue("13800000001", TEXT, message_class=message_class, not_before=start)
    until = start + timedelta(hours=9)
    producer.enqueue("13800000001", TEXT, message_class=message_class, not_after=until)
    with reading(hand.engine) as connection:
        query = select(request.c.not_after).order_by(request.c.id)
        first, second = connection.execute(query).scalars()
    assert first == start + timedelta(seconds=seconds)
    assert second == until


def test_a_message_is_cancelled_until_it_is_handed_over(producer: Listening, hand: Hand) -> None:
    early = producer.enqueue("13800000001", TEXT)
    assert producer.cancel(early.ids[0]).state is MessageState.CANCELLED
    assert producer.cancel(early.ids[0]).state is MessageState.CANCELLED
    late = producer.enqueue("13800000002", TEXT)
    assert [one.outgoing.msisdns for one in hand.take()] == [("13800000002",)]
    with pytest.raises(TooLate, match="submitting"):
        producer.cancel(late.ids[0])
    for wrong in (
        "",
        "17",
        "9999-0",
        f"{late.request_id}-1",
        "1-1-1",
        "²-0",
        f"{10**20}-0",
        f"0-{10**9}",
    ):
        with pytest.raises(NotFound):
            producer.cancel(wrong)


@settings(max_examples=60, deadline=None, database=None)
@given(st.text(max_size=30), st.text(max_size=60))
def test_whatever_is_handed_in_is_accepted_or_refused(
    plain: "tuple[Listening, Hand]", number: str, body: str
) -> None:
    producer, _ = plain
    problems: Sequence[Problem] = ()
    accepted = None
    try:
        accepted = producer.enqueue([number, "13800000001"], body)
    except Refused as refused:
        problems = refused.problems
    assert problems or accepted
    if accepted is not None:
        assert producer.get(accepted.ids[0]).state is MessageState.QUEUED


@pytest.fixture(scope="module")
def plain(databases: Any) -> Iterator[tuple[Listening, None]]:
    with databases.migrated("sqlite") as url, closing(Listening(settings_of(url, v1={}))) as made:
        yield made, None
