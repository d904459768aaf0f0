"""Loading: each recipient becomes one message, however long the list is and wherever it breaks."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from tests.support.by_hand import MARKETING, NOTICE, Hand, settings_of
from tests.support.stage import mobiles
from worker.domain.enums import CampaignState, MessageClass
from worker.domain.errors import KeyConflict, TooLate
from worker.intake import campaigns, recipient_rows
from worker.intake.recipient_rows import Row
from worker.store.db import database
from worker.store.db.clock import now
from worker.store.db.database import reading, writing
from worker.store.intake import campaign_rows
from worker.store.schema.tables import (
    campaign,
    message,
    opt_out,
    request,
)


@pytest.fixture
def hand(engine: Any, database: str) -> Hand:
    return Hand(engine, settings_of(database, bulk={"max_batch": 5}))


def transactions_of(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a transaction insert `count` messages, whatever the database."""
    for name in ("TRANSACTION_MESSAGES", "FILE_TRANSACTION_MESSAGES", "COPY_TRANSACTION_MESSAGES"):
        monkeypatch.setattr(campaign_rows, name, count)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 10 rows, and pieces of 4: what is rare happens."""
    monkeypatch.setattr(recipient_rows, "BLOCK_SIZE", 10)
    transactions_of(4, monkeypatch)


def stored(hand: Hand, of: int) -> list[str]:
    """Return a campaign's numbers in order; they are as many as it counts, without gaps."""
    with reading(hand.engine) as connection:
        rows = connection.execute(
            select(message.c.n, message.c.msisdn)
            .where(message.c.request_id == of)
            .order_by(message.c.n)
        ).all()
        total = connection.execute(select(request.c.total).where(request.c.id == of)).scalar()
    assert [row.n for row in rows] == list(range(total or 0))
    return [row.msisdn for row in rows]


def breaks(to: list[str], at: int) -> Iterator[str]:
    """Yield numbers, and break off as a loader does that is killed."""
    yield from to[:at]
    raise InterruptedError


def test_a_number_becomes_one_message_however_far_apart_it_is_repeated(hand: Hand) -> None:
    to = [*mobiles(25), *mobiles(12, first=20), *mobiles(3)]
    loaded = hand.campaign(to)
    assert sorted(stored(hand, loaded.id)) == mobiles(32)
    assert (loaded.total, loaded.repeated) == (32, 8)
    with reading(hand.engine) as connection:
        assert campaign_rows.left_out_counts(connection, loaded.id)["repeated"] == 8


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_behind_a_block_that_was_not_stored_nothing_is(
    hand: Hand, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    """Whatever is stored at the same time; and the same call goes on from there."""
    reach, calls = campaign_rows.set_total, iter(range(1, 100))

    def failing(*words: Any) -> None:
        if next(calls) == nth:
            raise InterruptedError
        reach(*words)

    transactions_of(10, monkeypatch)
    monkeypatch.setattr(campaign_rows, "set_total", failing)
    # Those in the middle are known by then: a block that has nothing to store.
    to = [*mobiles(20), *mobiles(10), *mobiles(20, first=20)]
    with pytest.raises(InterruptedError):
        hand.campaign(to, key="once")
    (one,) = hand.campaigns_in(CampaignState.LOADING)
    assert stored(hand, one) == mobiles(10 * (nth - 1))
    monkeypatch.setattr(campaign_rows, "set_total", reach)
    assert hand.campaign(to, key="once").id == one
    assert stored(hand, one) == mobiles(40)


@pytest.mark.parametrize(
    ("message_class", "left"), [(MARKETING, 2), (NOTICE, 0)], ids=["marketing", "notice"]
)
def test_who_opted_out_is_left_out_where_the_class_heeds_it(
    hand: Hand, message_class: MessageClass, left: int
) -> None:
    with writing(hand.engine) as connection:
        connection.execute(
            insert(opt_out).values(since=now(), why="a test"),
            [{"msisdn": one} for one in [*mobiles(1, first=3), *mobiles(1, first=11)]],
        )
    loaded = hand.campaign(mobiles(15), message_class=message_class, start=False)
    assert loaded.suppressed == left
    assert len(stored(hand, loaded.id)) == 15 - left
    with reading(hand.engine) as connection:
        assert campaign_rows.left_out_counts(connection, loaded.id)["suppressed"] == left


@pytest.mark.parametrize("at", [1, 13, 25, 31])
def test_a_loader_that_was_cut_off_is_gone_on_with(hand: Hand, at: int) -> None:
    """Nothing is stored twice, and what was stored before is not stored again."""
    to = [*mobiles(28), *mobiles(4, first=2)]
    with pytest.raises(InterruptedError):
        hand.campaign(breaks(to, at), key="autumn")
    with reading(hand.engine) as connection:
        (of,) = connection.execute(select(request.c.id)).scalars()
        kept = campaign_rows.stored_messages(connection, of, 0, 100)
    assert stored(hand, of) == list(kept.msisdns)
    added: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        add = campaign_rows.add
        patch.setattr(
            campaign_rows, "add", lambda *words: (added.extend(words[3].msisdns), add(*words))[1]
        )
        loaded = hand.campaign(to, key="autumn")
    assert (loaded.id, loaded.total, loaded.repeated) == (of, 28, 4)
    assert sorted(stored(hand, of)) == mobiles(28)
    assert sorted([*kept.msisdns, *added]) == mobiles(28)
    assert campaigns.show(hand.engine, of).state is CampaignState.RUNNING


def test_another_list_under_the_key_of_a_loader_that_was_cut_off_takes_its_place(
    hand: Hand,
) -> None:
    """Nothing of the first one was sent, and nothing of it stays."""
    with pytest.raises(InterruptedError):
        hand.campaign(breaks(mobiles(40), 30), key="autumn")
    loaded = hand.campaign([*mobiles(12), *mobiles(6, first=100)], key="autumn")
    assert sorted(stored(hand, loaded.id)) == [*mobiles(12), *mobiles(6, first=100)]


def test_a_repeated_call_finds_the_campaign_as_it_was_loaded(hand: Hand) -> None:
    """Even when somebody opted out since."""
    to = [*mobiles(23), *mobiles(3)]
    first = hand.campaign(to, key="may")
    with writing(hand.engine) as connection:
        connection.execute(insert(opt_out).values(msisdn=to[0], since=now(), why="a test"))
    again = hand.campaign(to, key="may")
    assert (again.id, again.total, again.repeated) == (first.id, 23, 3)
    with pytest.raises(KeyConflict):
        hand.campaign(to[:-1], key="may")


def test_of_two_loaders_at_one_campaign_one_gives_way(hand: Hand) -> None:
    gave_way = []

    def load(to: Iterable[str]) -> None:
        try:
            hand.campaign(to, key="two", start=False)
        except KeyConflict as conflict:
            gave_way.append(str(conflict))

    def rival() -> Iterator[str]:
        yield from mobiles(15)
        load(mobiles(30))
        yield from mobiles(15, first=15)

    load(rival())
    assert len(gave_way) == 1
    assert "another call" in gave_way[0]
    with reading(hand.engine) as connection:
        (of,) = connection.execute(select(request.c.id)).scalars()
    assert stored(hand, of) == mobiles(30)


def test_a_campaign_that_is_cancelled_while_it_is_loaded_stays_so(hand: Hand) -> None:
    def cancelled() -> Iterator[str]:
        yield from mobiles(15)
        with reading(hand.engine) as connection:
            (of,) = connection.execute(select(campaign.c.request_id)).scalars()
        campaigns.cancel(hand.engine, of)
        yield from mobiles(15, first=15)

    with pytest.raises(TooLate, match="cancelled"):
        hand.campaign(cancelled())
    assert hand.take(MARKETING) == []


def test_what_a_text_does_not_name_is_not_kept(hand: Hand) -> None:
    hand.campaign([Row(1, "13800000001", {"name": "张三", "city": "上海"})], "您好{name}")
    with reading(hand.engine) as connection:
        assert connection.execute(select(message.c.variables)).scalar() == [["name", "张三"]]


def test_values_come_through_every_way_in(hand: Hand) -> None:
    """Whatever a format makes of quotes, backslashes, tabs and line breaks."""
    said = ['"', "\\", "\\N", "a\tb", "a\nb", "{x}", "张三", "\\\\.", "'"]
    rows = [Row(nth, one, {"x": said[nth]}) for nth, one in enumerate(mobiles(len(said)))]
    loaded = hand.campaign(rows, "您好{x}。", allowed=None)
    assert not loaded.invalid
    with reading(hand.engine) as connection:
        found = connection.execute(select(message.c.msisdn, message.c.variables)).all()
    assert {row.msisdn: row.variables for row in found} == {
        row.number: [["x", said[nth]]] for nth, row in enumerate(rows)
    }


def test_equal_texts_share_a_submission(hand: Hand) -> None:
    """And nobody gets another one's."""
    rows = [Row(nth, one, {"x": "abc"[nth % 3]}) for nth, one in enumerate(mobiles(9))]
    loaded = hand.campaign(rows, "您好{x}。")
    ready = hand.take(MARKETING)
    found = {one.outgoing.content.text: set(one.outgoing.msisdns) for one in ready}
    assert found == {
        f"您好{letter}。": {row.number for row in rows if (row.variables or {})["x"] == letter}
        for letter in "abc"
    }
    assert len(ready) == 3
    assert hand.count(loaded.id) == {"submitting": 9}


def test_loading_moves_the_total_with_the_messages(hand: Hand) -> None:
    """At any instant a request counts exactly the messages that are there."""
    seen: list[tuple[Any, ...]] = []

    def watched() -> Iterator[str]:
        for one in mobiles(60):
            with reading(hand.engine) as connection:
                there = select(func.count()).select_from(message).scalar_subquery()
                # In one statement: what is stored meanwhile is seen as a whole, or not at all.
                row = connection.execute(select(request.c.total, there)).first()
            # The first recipient is read before anything is stored.
            seen.extend([] if row is None else [tuple(row)])
            yield one

    hand.campaign(watched())
    assert all(total == there for total, there in seen)
    assert len(set(seen)) > 2


def test_messages_of_an_unfinished_loader_are_never_handed_out(hand: Hand) -> None:
    with pytest.raises(InterruptedError):
        hand.campaign(breaks(mobiles(30), 25))
    assert hand.take(MARKETING) == []
    with database.writing(hand.engine) as connection:
        connection.execute(update(request).values(next_at=None))
    hand.sweep()
    assert hand.take(MARKETING) == []
