"""A long text has a report for each part: in whatever order they come, its message ends alike."""

from collections.abc import Sequence
from itertools import permutations
from typing import Any, NamedTuple

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.support.by_hand import Hand, answer, hurry, settings_of
from worker.delivery.submit import PreparedSubmission
from worker.domain.enums import MessageClass, Outcome, ReportStatus
from worker.feedback import named_reports, reports, unnamed_reports
from worker.gateways.results import Report
from worker.store.db.database import writing
from worker.store.feedback import inbox as inbox_store

MSISDN = "13800000001"
LONG_TEXT = "【信使】" + "长" * 150
D, U, UNKNOWN = ReportStatus.DELIVERED, ReportStatus.UNDELIVERED, ReportStatus.UNKNOWN

HISTORIES = settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


@pytest.fixture
def hand(engine: Engine, database: str) -> Hand:
    hurry(engine)
    return Hand(engine, settings_of(database, v1={}, jzy={}))


def expected(statuses: Sequence[ReportStatus], *, segments: int) -> str:
    """Return the state that reports of one submission lead to, whatever their order."""
    said = set(statuses) - {UNKNOWN}
    if not said:
        return "submitted"
    decisive = U if segments > 1 else D
    return (decisive if decisive in said else said.pop()).value


def take(hand: Hand, account: str, page: Sequence[Report]) -> None:
    with writing(hand.engine) as connection:
        inbox_id = inbox_store.add_page(connection, account, "reports", b"")
        reports.take_page(connection, [account], inbox_id, page)


def match(hand: Hand) -> None:
    """Match and adopt what waits, as the ticks do."""
    named_reports.match_named(hand.engine, hand.settings)
    unnamed_reports.adopt_ids(hand.engine, hand.settings)


class Message(NamedTuple):
    """A message whose call is under way."""

    request_id: int
    ready: PreparedSubmission


def submit(hand: Hand, account: str, text: str) -> Message:
    accepted = hand.enqueue([MSISDN], text, account=account)
    (ready,) = hand.take()
    return Message(accepted.request_id, ready)


def state(hand: Hand, message: Message) -> str:
    return hand.seen(message.request_id)[0]


#: The answer is one of the things that come; reports may come before it, together or alone.
ANSWER = "answer"
#: An id as gateways print them, for each history another.
_ids = st.uuids().map(lambda id_: id_.hex)
_statuses = st.lists(st.sampled_from([D, U, UNKNOWN]), min_size=1, max_size=4)


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize("text", [LONG_TEXT, "【信使】短"], ids=["long", "short"])
@pytest.mark.parametrize("account", ["jzy", "v1"])
@given(statuses=_statuses, data=st.data(), gateway_id=_ids, answered=st.booleans())
@HISTORIES
def test_the_state_depends_on_the_reports_and_not_on_their_order(
    hand: Hand,
    account: str,
    text: str,
    statuses: list[ReportStatus],
    data: st.DataObject,
    gateway_id: str,
    *,
    answered: bool,
) -> None:
    """Before, between and after the answer, each with its page or several in one."""
    hand.clear()
    message = submit(hand, account, text)
    names: dict[str, str] = {"gateway_id": gateway_id}
    if account == "v1":
        names = {"reference": message.ready.lease.reference}
    outcome = answer(
        message.ready,
        Outcome.ACCEPTED if answered or account == "jzy" else Outcome.UNKNOWN,
        gateway_id=gateway_id if account == "jzy" else None,
    )
    rows = [
        Report(MSISDN, status, f"{status.value}{part}", **names)
        for part, status in enumerate(statuses)
    ]
    coming = data.draw(st.permutations([*rows, ANSWER]))
    page: list[Report] = []
    for event in coming:
        if isinstance(event, Report):
            page.append(event)
            if data.draw(st.booleans()):
                continue
        take(hand, account, page)
        page = []
        if event == ANSWER:
            hand.record(outcome)
        if data.draw(st.booleans()):
            match(hand)
    take(hand, account, page)
    match(hand)
    segments = 1 if text != LONG_TEXT else 3
    wanted = expected(statuses, segments=segments)
    if not answered and account == "v1" and wanted == "submitted":
        assert state(hand, message) in {"submitted", "unknown"}
        return
    assert state(hand, message) == wanted


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mysql"])
@pytest.mark.parametrize("signing", ["v1", "jzy"])
def test_a_code_that_was_sent_twice_is_delivered_once_a_report_says_so(
    engine: Engine, database: str, signing: str
) -> None:
    """Whichever report comes first, and whichever of the two accounts sends it in parts."""
    hurry(engine)
    sections: dict[str, dict[str, Any]] = {"v1": {"priority": 2}, "jzy": {"priority": 1}}
    sections[signing]["added_signature"] = "【信使短信平台】"
    hand = Hand(engine, settings_of(database, **sections))
    for said in permutations([D, U]):
        for order in permutations((0, 1)):
            hand.clear()
            message = send_twice(hand)
            origins = hand.submissions(message.request_id)
            assert {row.account: row.segments for row in origins} == {
                account: 2 if account == signing else 1 for account in ("v1", "jzy")
            }
            for nth in order:
                name = {"reference": origins[nth].reference, "gateway_id": origins[nth].gateway_id}
                report = Report(MSISDN, said[nth], said[nth].value, **name)
                take(hand, origins[nth].account, [report])
            assert state(hand, message) == "delivered", (said, order)


def send_twice(hand: Hand) -> Message:
    """Submit a code whose first outcome is unknown, and whose resend is accepted."""
    accepted = hand.enqueue([MSISDN], "码" * 65, message_class=MessageClass.OTP)
    (first,) = hand.take(MessageClass.OTP)
    hand.record(answer(first, Outcome.UNKNOWN))
    hand.make_due()
    (second,) = hand.take(MessageClass.OTP)
    assert (first.lease.account, second.lease.account) == ("v1", "jzy")
    hand.record(answer(second, Outcome.ACCEPTED, gateway_id="337017332"))
    return Message(accepted.request_id, second)


#: Ids that a careless comparison takes for one: by zeros, by case, by width, by a blank.
LOOKALIKES = ("337", "0337", "00337", "337.0", "abc", "ABC", "aBc", "ａｂｃ", "0", "00")


def test_ids_are_told_apart_to_the_last_zero_and_letter(hand: Hand) -> None:
    """One number, ten submissions: a report moves the one whose id it bears, and no other."""
    messages = {}
    for gateway_id in LOOKALIKES:
        messages[gateway_id] = submit(hand, "jzy", "【信使】短")
        ready = messages[gateway_id].ready
        hand.record(answer(ready, Outcome.ACCEPTED, gateway_id=gateway_id))
    for nth, gateway_id in enumerate(LOOKALIKES, 1):
        take(hand, "jzy", [Report(MSISDN, D, "0", gateway_id=gateway_id)])
        match(hand)
        wanted = dict.fromkeys(LOOKALIKES[:nth], "delivered")
        wanted |= dict.fromkeys(LOOKALIKES[nth:], "submitted")
        assert {id_: state(hand, message) for id_, message in messages.items()} == wanted


def test_an_id_that_only_looks_alike_moves_nothing(hand: Hand) -> None:
    """Only its gateway knows what an id means: the report is kept, and the message waits."""
    message = submit(hand, "jzy", "【信使】短")
    hand.record(answer(message.ready, Outcome.ACCEPTED, gateway_id="00337"))
    take(hand, "jzy", [Report(MSISDN, D, "0", gateway_id="337")])
    match(hand)
    assert state(hand, message) == "submitted"


@pytest.mark.parametrize("kind", ["sqlite"])
def test_our_own_reference_is_known_in_capitals_too(hand: Hand) -> None:
    message = submit(hand, "v1", "【信使】短")
    hand.record(answer(message.ready, Outcome.ACCEPTED))
    account = hand.settings.accounts["v1"]
    row = f'{{"sendId":"{message.ready.lease.reference.upper()}","status":"DELIVER"'
    raw = f'{{"code":"00","data":[{row},"mobile":"{MSISDN}"}}]}}'
    page = account.gateway.read_reports(httpx.Response(200, content=raw.encode()))
    take(hand, "v1", page.items)
    assert state(hand, message) == "delivered"
