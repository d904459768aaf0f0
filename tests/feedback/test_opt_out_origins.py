"""Opt-outs are heeded at once; those of numbers never written to are marked, and can be undone."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select

from tests.support.by_hand import MARKETING, Hand, answer, by_person, hurry, settings_of
from tests.support.stage import mobiles
from worker.domain.enums import Outcome
from worker.feedback import inbound, opt_out_origins, opt_out_removal
from worker.gateways.results import InboundMessage
from worker.store import ticks
from worker.store.db.database import reading, writing
from worker.store.feedback import inbox as inbox_store
from worker.store.feedback import opt_outs
from worker.store.schema.tables import event, opt_out

STRANGERS = mobiles(25, 9000)


@pytest.fixture
def hand(engine: Engine, database: str) -> Hand:
    hurry(engine)
    return Hand(engine, settings_of(database, v1={}, jzy={}))


def reply(hand: Hand, *senders: str, account: str = "v1", text: str = "TD") -> None:
    """Let a push of replies come in."""
    with writing(hand.engine) as connection:
        inbox_id = inbox_store.add_page(connection, account, "push", b"")
        page = [(inbox_id, InboundMessage(sender, text)) for sender in senders]
        inbound.take_pages(connection, hand.settings, account, page)


def known(hand: Hand) -> dict[str, bool | None]:
    with reading(hand.engine) as connection:
        rows = connection.execute(select(opt_out.c.msisdn, opt_out.c.known))
        return {row.msisdn: row.known for row in rows}


def heeded(hand: Hand, *msisdns: str) -> set[str]:
    with reading(hand.engine) as connection:
        return opt_outs.find(connection, msisdns)


def look_up(hand: Hand) -> None:
    opt_out_origins.look_up(hand.engine, hand.settings)


def events(hand: Hand, name: str) -> list[object]:
    with reading(hand.engine) as connection:
        rows = connection.execute(
            select(event.c.account, event.c.detail).where(event.c.name == name)
        )
        return [tuple(row) for row in rows]


def test_whom_the_account_wrote_to_is_known_and_no_other(hand: Hand) -> None:
    """By a single message, by a list, and by a campaign that two submissions carry."""
    single, *others = mobiles(5)
    hand.enqueue([single], account="v1")
    hand.enqueue([mobiles(1, 77)[0]], account="jzy")
    hand.campaign(others, account="v1")
    for prepared in [*hand.take(), *hand.take(MARKETING)]:
        hand.record(answer(prepared, Outcome.ACCEPTED, gateway_id=str(prepared.lease.id)))
    stranger, of_another_account = mobiles(1, 66)[0], mobiles(1, 77)[0]
    reply(hand, single, others[3], stranger, of_another_account)
    assert set(known(hand).values()) == {None}
    assert heeded(hand, stranger, single) == {stranger, single}, "at once"
    look_up(hand)
    expected = {single: True, others[3]: True, stranger: False, of_another_account: False}
    assert known(hand) == expected
    assert not opt_out_origins.has_unchecked(hand.engine)


@pytest.mark.parametrize("kind", ["sqlite"])
def test_only_so_many_messages_are_searched(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opt_out_origins, "MAX_SEARCHED_MESSAGES", 3)
    monkeypatch.setattr(opt_out_origins, "SUBMISSIONS_TOGETHER", 1)
    lists = [mobiles(3, first) for first in (0, 100)]
    for to in lists:
        hand.campaign(to, account="v1")
        for prepared in hand.take(MARKETING):
            hand.record(answer(prepared, Outcome.ACCEPTED, gateway_id=str(prepared.lease.id)))
    reply(hand, lists[0][0], lists[1][0])
    look_up(hand)
    assert known(hand) == {lists[0][0]: False, lists[1][0]: True}


def test_many_opt_outs_of_strangers_are_one_event(hand: Hand) -> None:
    reply(hand, *STRANGERS[:10])
    look_up(hand)
    assert events(hand, "opt_outs.strange") == []
    reply(hand, *STRANGERS[10:22])
    look_up(hand)
    assert events(hand, "opt_outs.strange") == [("v1", {"numbers": 22})]
    reply(hand, *STRANGERS[22:])
    look_up(hand)
    assert len(events(hand, "opt_outs.strange")) == 1


def test_a_warning_that_a_clock_wrote_which_was_ahead_keeps_no_other_back(hand: Hand) -> None:
    with writing(hand.engine) as connection:
        ticks.ensure(connection, {opt_out_origins.TICK_NAME})
        ahead = (datetime.now(UTC) + timedelta(days=2)).isoformat()
        ticks.write_cursor(connection, opt_out_origins.TICK_NAME, {"v1": ahead})
    reply(hand, *STRANGERS[:22])
    look_up(hand)
    assert events(hand, "opt_outs.strange") == [("v1", {"numbers": 22})]


def test_what_strangers_opted_out_is_taken_back_together(hand: Hand) -> None:
    written_to = mobiles(1)[0]
    hand.enqueue([written_to], account="v1")
    hand.take()
    reply(hand, written_to, *STRANGERS)
    reply(hand, mobiles(1, 55)[0], account="jzy")
    look_up(hand)
    common = {"who": "ops", "strange": True}
    assert opt_out_removal.remove(hand.engine, hand.settings, "v1", act=False, **common) == 25  # type: ignore[arg-type]
    assert heeded(hand, *STRANGERS) == set(STRANGERS), "nothing was done"
    assert opt_out_removal.remove(hand.engine, hand.settings, "v1", **common) == 25  # type: ignore[arg-type]
    assert set(known(hand)) == {written_to, mobiles(1, 55)[0]}
    assert events(hand, "opt_outs.removed") == [("v1", {"numbers": 25})]


def test_all_of_an_account_can_be_taken_back_before_anything_is_looked_up(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opt_out_removal, "REMOVED_TOGETHER", 4)
    reply(hand, *STRANGERS)
    with writing(hand.engine) as connection:
        opt_outs.add_new(connection, mobiles(1), by_person("a person asked by telephone"))
    assert opt_out_removal.remove(hand.engine, hand.settings, "v1", who="ops") == 25
    assert set(known(hand)) == set(mobiles(1))


def test_who_asked_another_account_too_stays_opted_out(hand: Hand) -> None:
    """The first reply is the forged one; the second counts from then on."""
    number, chatty = STRANGERS[:2]
    reply(hand, number, chatty)
    reply(hand, number, account="jzy")
    reply(hand, chatty, account="jzy", text="hello")
    assert opt_out_removal.remove(hand.engine, hand.settings, "v1", who="ops") == 1
    assert heeded(hand, number, chatty) == {number}
    with reading(hand.engine) as connection:
        assert connection.execute(select(opt_out.c.account)).scalars().all() == ["jzy"]
