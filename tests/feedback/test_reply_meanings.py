"""Replies: who asks for no more gets none, whoever it may be that a masked number hides."""

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select, update

from tests.support.by_hand import MARKETING, Hand, answer, by_person, settings_of
from tests.support.stage import mobiles
from worker.domain.enums import Outcome
from worker.domain.errors import NotFound, Refused
from worker.feedback import inbound, reply_rereading, reply_senders
from worker.gateways.results import InboundMessage
from worker.store.db.clock import later
from worker.store.db.database import reading, writing
from worker.store.feedback import opt_outs
from worker.store.feedback.inbound import newest_replies, unclear_replies
from worker.store.feedback.recent_recipients import fitting
from worker.store.schema.tables import event as event_table
from worker.store.schema.tables import inbound_message, opt_out, submission

AD = "【信使】周年庆全场八折 回T退订"
#: They have the same beginning and the same end.
ALIKE = ["13800018000", "13800028000", "13800038000"]
MASK = "138****8000"


@pytest.fixture
def hand(engine: Engine, database: str) -> Hand:
    return Hand(engine, settings_of(database, bulk={}, v1={}))


def say(hand: Hand, *replies: InboundMessage, account: str = "bulk") -> None:
    """Let a page with these replies come in."""
    with writing(hand.engine) as connection:
        pages = [(1, reply) for reply in replies]
        inbound.take_pages(connection, hand.settings, account, pages)


def out(hand: Hand) -> list[str]:
    """Return the numbers that have opted out."""
    with reading(hand.engine) as connection:
        return sorted(connection.execute(select(opt_out.c.msisdn)).scalars())


def events(hand: Hand, name: str) -> list[Any]:
    """Return what the events of a name tell."""
    with reading(hand.engine) as connection:
        query = select(event_table).where(event_table.c.name == name).order_by(event_table.c.id)
        return list(connection.execute(query))


def unclear(hand: Hand) -> list[tuple[str, int]]:
    """Return the texts of the replies that wait for a person, and how many numbers each fits."""
    with reading(hand.engine) as connection:
        return [(row.text, row.fits) for row in unclear_replies(connection, 100)]


def send(hand: Hand, to: Sequence[str], *, account: str = "bulk", **more: Any) -> None:
    """Send an advertisement, which the gateway takes."""
    hand.enqueue(to, AD, message_class=MARKETING, account=account, **more)
    hand.record(*[answer(ready, Outcome.ACCEPTED) for ready in hand.take(MARKETING)])


def test_each_reply_is_marked_with_what_it_asks_for(hand: Hand) -> None:
    texts = ["回T退订", "START", "不要再发了", "T恤有货吗"]
    say(
        hand,
        *(InboundMessage(number, text) for number, text in zip(mobiles(4), texts, strict=True)),
    )
    with reading(hand.engine) as connection:
        rows = connection.execute(select(inbound_message.c.text, inbound_message.c.meaning)).all()
    assert dict(map(tuple, rows)) == dict(zip(texts, ["out", "in", "near", None], strict=True))
    assert out(hand) == mobiles(4)[:1]
    assert [row.detail["why"] for row in events(hand, "reply.unclear")] == ["near"]
    assert unclear(hand) == [("不要再发了", 0)]


def test_the_words_are_those_of_the_configuration(engine: Engine, database: str) -> None:
    hand = Hand(engine, settings_of(database, bulk={}))
    hand.settings.top.__dict__["opt_out_words"] = ("不订了",)
    say(hand, InboundMessage("13800000001", "不订了！"), InboundMessage("13800000002", "T"))
    assert out(hand) == ["13800000001"]


def test_who_asks_for_more_again_gets_it_and_what_a_person_entered_stays(hand: Hand) -> None:
    by_reply, entered = mobiles(2)
    with writing(hand.engine) as connection:
        opt_outs.add_new(connection, [entered], by_person("a complaint"))
    say(hand, InboundMessage(by_reply, "T"))
    say(hand, InboundMessage(by_reply, "START"), InboundMessage(entered, "START"))
    assert out(hand) == [entered]
    assert len(events(hand, "recipient.opted_in")) == 1


def test_who_asks_for_both_in_one_page_is_out(hand: Hand) -> None:
    (number,) = mobiles(1)
    say(hand, InboundMessage(number, "T"), InboundMessage(number, "START"))
    assert out(hand) == [number]


def test_a_masked_number_that_one_recipient_fits_is_that_one(hand: Hand) -> None:
    send(hand, [ALIKE[0], "13900018000", "13800018001"])
    say(hand, InboundMessage(MASK, "回T退订"))
    assert out(hand) == [ALIKE[0]]
    assert not events(hand, "reply.unclear")
    assert unclear(hand) == []


def test_where_several_fit_all_are_left_out_until_a_person_says_who_it_was(hand: Hand) -> None:
    send(hand, [*ALIKE, "13900000001"])
    say(hand, InboundMessage(MASK, "TD"))
    assert out(hand) == ALIKE
    (told,) = events(hand, "reply.unclear")
    assert told.detail["fitting"] == 3
    assert unclear(hand) == [("TD", 3)]
    reply = told.detail["inbound"]
    with writing(hand.engine) as connection:
        with pytest.raises(Refused, match="masked"):
            reply_senders.opt_out_sender(connection, reply, None, who="me")
        with pytest.raises(Refused, match="does not fit"):
            reply_senders.opt_out_sender(connection, reply, "13900000001", who="me")
        with pytest.raises(NotFound):
            reply_senders.opt_out_sender(connection, reply + 1, ALIKE[1], who="me")
        taken_back = reply_senders.opt_out_sender(connection, reply, ALIKE[1], who="me")
    assert taken_back == [ALIKE[0], ALIKE[2]]
    assert out(hand) == [ALIKE[1]]
    assert unclear(hand) == []


def test_what_a_person_reads_as_an_opt_out_is_one(hand: Hand) -> None:
    say(hand, InboundMessage("13800000001", "不要再发了"))
    (told,) = events(hand, "reply.unclear")
    with writing(hand.engine) as connection:
        reply_senders.opt_out_sender(connection, told.detail["inbound"], None, who="me")
    assert out(hand) == ["13800000001"]
    assert unclear(hand) == []


def test_a_masked_number_that_nobody_fits_is_shown_to_a_person(hand: Hand) -> None:
    send(hand, ["13900000001"])
    say(hand, InboundMessage(MASK, "T"))
    assert out(hand) == []
    assert [row.detail["fitting"] for row in events(hand, "reply.unclear")] == [0]
    assert unclear(hand) == [("T", 0)]


def test_the_extension_decides_first(hand: Hand) -> None:
    send(hand, [ALIKE[0]], extension="12")
    send(hand, [ALIKE[1]], extension="34")
    say(hand, InboundMessage(MASK, "T", extension="34"))
    assert out(hand) == [ALIKE[1]]
    say(hand, InboundMessage(MASK, "退订", extension="56"))
    assert out(hand) == ALIKE[:2]


def test_only_those_count_whom_the_account_wrote_to_in_the_last_72_hours(hand: Hand) -> None:
    send(hand, [ALIKE[0]])
    with writing(hand.engine) as connection:
        connection.execute(update(submission).values(called_at=later(-73 * 3600)))
    send(hand, [ALIKE[1]], account="v1")
    send(hand, [ALIKE[2]])
    say(hand, InboundMessage(MASK, "T"))
    assert out(hand) == [ALIKE[2]]


def test_messages_of_a_campaign_and_those_that_moved_to_another_submission_are_found(
    hand: Hand,
) -> None:
    hand.campaign([ALIKE[0], "13900000001"], AD, account="bulk")
    (ready,) = hand.take(MARKETING)
    hand.record(answer(ready, Outcome.ACCEPTED))
    hand.enqueue([ALIKE[1]], AD, message_class=MARKETING, account="v1")
    (ready,) = hand.take(MARKETING)
    hand.record(answer(ready, Outcome.DEFERRED))
    hand.make_due()
    (ready,) = hand.take(MARKETING)
    hand.record(answer(ready, Outcome.ACCEPTED))
    say(hand, InboundMessage(MASK, "T"))
    assert out(hand) == [ALIKE[0]]
    say(hand, InboundMessage(MASK, "T"), account="v1")
    assert out(hand) == ALIKE[:2]


def test_a_page_costs_as_many_statements_with_many_masked_numbers_as_with_few(
    hand: Hand,
) -> None:
    numbers = mobiles(40)
    send(hand, numbers)
    statements: list[str] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(hand.engine, "before_cursor_execute", count)
    try:
        counts = []
        for masks in (numbers[:1], numbers[:40]):
            statements.clear()
            with reading(hand.engine) as connection:
                hidden = {f"{number[:3]}****{number[-4:]}" for number in masks}
                found = fitting(connection, ["bulk"], hidden, 3600)
            assert {row.msisdn for row in found} == set(masks)
            counts.append(len(statements))
    finally:
        event.remove(hand.engine, "before_cursor_execute", count)
    assert counts[0] == counts[1]


def test_old_submissions_are_passed_by_and_not_read(hand: Hand) -> None:
    """The first id of the time that counts is found by some look-ups, however many there are."""
    for number in ALIKE:
        send(hand, [number])
    with writing(hand.engine) as connection:
        newest = select(func.max(submission.c.id)).scalar_subquery()
        (newest_id,) = connection.execute(select(newest)).one()
        past = {"created_at": later(-2_000_000)}
        connection.execute(update(submission).where(submission.c.id < newest_id).values(**past))
    with reading(hand.engine) as connection:
        assert [found.msisdn for found in fitting(connection, ["bulk"], {MASK}, 3600)] == [ALIKE[2]]
        assert fitting(connection, ["bulk"], {"139****8000"}, 3600) == []


def forget_meanings(hand: Hand) -> None:
    """Let all replies be as an earlier version stored them."""
    with writing(hand.engine) as connection:
        connection.execute(update(inbound_message).values(meaning=None))
        connection.execute(opt_out.delete())


def test_replies_of_earlier_versions_are_read_again_once(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, back, later_in, asking, near = mobiles(5)
    texts = [(gone, "TD退订"), (back, "回T"), (later_in, "回T"), (asking, "T恤有货吗")]
    texts += [(near, "我要退订"), (back, "START"), (MASK, "TD")]
    say(hand, *(InboundMessage(number, text) for number, text in texts))
    forget_meanings(hand)
    # A later one was read by this version already.
    say(hand, InboundMessage(later_in, "订阅"))
    monkeypatch.setattr(reply_rereading, "READ_TOGETHER", 2)
    counts = reply_rereading.reread(hand.engine, hand.settings, who="ann", act=False)
    assert counts == {"read": 7, "out": 4, "in": 1, "near": 1}
    assert (out(hand), unclear(hand)) == ([], [])
    counts = reply_rereading.reread(hand.engine, hand.settings, who="ann")
    assert counts == {"read": 7, "out": 4, "in": 1, "near": 1, "opted_out": 1}
    assert out(hand) == [gone]
    assert unclear(hand) == [("TD", 0), ("我要退订", 0)]
    # What asks for nothing is read each time, and nothing counts twice.
    assert reply_rereading.reread(hand.engine, hand.settings, who="ann") == {"read": 1}
    assert sum(row.detail["opted_out"] for row in events(hand, "replies.reread")) == 1


def test_a_rereading_that_is_cut_off_goes_on(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    say(hand, *(InboundMessage(number, "TD") for number in mobiles(6)))
    forget_meanings(hand)
    monkeypatch.setattr(reply_rereading, "READ_TOGETHER", 2)
    read, calls = reply_rereading.inbound.without_meaning, []

    def read_twice(*words: Any) -> Any:
        calls.append(words)
        if len(calls) > 2:
            raise KeyboardInterrupt
        return read(*words)

    with monkeypatch.context() as patched:
        patched.setattr(reply_rereading.inbound, "without_meaning", read_twice)
        with pytest.raises(KeyboardInterrupt):
            reply_rereading.reread(hand.engine, hand.settings, who="ann")
    assert out(hand) == mobiles(4)
    counts = reply_rereading.reread(hand.engine, hand.settings, who="ann")
    assert (counts["read"], counts["opted_out"]) == (2, 2)
    assert out(hand) == mobiles(6)


def test_an_unclear_reply_is_dismissed_and_stays_so(hand: Hand) -> None:
    send(hand, ALIKE)
    whole, other = mobiles(2)
    say(
        hand,
        InboundMessage(whole, "我要退订"),
        InboundMessage(MASK, "TD"),
        InboundMessage(other, "TD"),
    )
    assert out(hand) == sorted([*ALIKE, other])
    with writing(hand.engine) as connection:
        rows = {row.text: row.id for row in unclear_replies(connection, 10)}
        assert reply_senders.dismiss(connection, rows["我要退订"], who="ann") == 0
        assert reply_senders.dismiss(connection, rows["TD"], who="ann") == 3
    assert unclear(hand) == []
    assert out(hand) == [other]
    assert [row.detail["taken_back"] for row in events(hand, "reply.dismissed")] == [0, 3]
    with writing(hand.engine) as connection:
        clear = [row.id for row in newest_replies(connection, 9) if row.meaning == "out"]
        for reply in (*clear, *rows.values()):
            with pytest.raises(Refused, match="not unclear"):
                reply_senders.dismiss(connection, reply, who="ann")
        with pytest.raises(NotFound):
            reply_senders.dismiss(connection, 999, who="ann")
    # Words that change, and rereading, do not bring it back.
    assert reply_rereading.reread(hand.engine, hand.settings, who="ann") == {}
    assert (unclear(hand), out(hand)) == ([], [other])
    with writing(hand.engine) as connection:
        reply_senders.opt_out_sender(connection, rows["我要退订"], None, who="ann")
    assert out(hand) == sorted([whole, other])
