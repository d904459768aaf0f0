"""Whatever an adapter returns, the tables of all three databases take it."""

import asyncio
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from time import monotonic
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, String, select

from tests.support.by_hand import Hand, hurry, settings_of
from tests.support.stage import mobiles
from worker.delivery import submit
from worker.domain.enums import Outcome, ReportStatus
from worker.feedback import page_intake
from worker.feedback.collector import Collector
from worker.gateways import storable, storable_fields
from worker.gateways.base import Account
from worker.gateways.results import (
    Balance,
    InboundMessage,
    Page,
    Pool,
    PushContents,
    Report,
    Result,
    Results,
    SentCount,
)
from worker.store import accounts
from worker.store.db.database import reading, writing
from worker.store.feedback import inbox as inbox_store
from worker.store.schema.tables import inbound_message, inbox, opt_out, report, submission

LAW = settings(
    max_examples=20,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
NUMBERS = tuple(mobiles(3))

# Halves of surrogate pairs, NULs and emoji among the letters; and long ones.
SHORT = st.text(st.characters(exclude_categories=()), max_size=12)
TEXTS = SHORT | st.builds(lambda text, times: text * times, SHORT, st.sampled_from([9, 70, 3000]))
NAMES = st.none() | TEXTS | st.integers(1, 90).map(lambda length: "7" * length)
NUMBER_TEXTS = st.sampled_from(NUMBERS) | TEXTS
SECONDS = st.none() | st.floats() | st.integers(-(10**400), 10**400)
COUNTS = st.none() | st.integers() | st.integers(-(10**400), 10**400)
ZONES = st.timedeltas(timedelta(hours=-23, minutes=-59), timedelta(hours=23, minutes=59)).map(
    lambda span: timezone(timedelta(minutes=span // timedelta(minutes=1)))
)
TIMES = st.none() | st.datetimes() | st.datetimes(timezones=ZONES)
FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
TIMES |= ZONES.map(lambda zone: FIRST.replace(tzinfo=zone))
TIMES |= ZONES.map(lambda zone: LAST.replace(tzinfo=zone))
RESULTS = st.builds(
    Result,
    st.sampled_from(Outcome),
    TEXTS,
    TEXTS,
    NAMES,
    hold=SECONDS,
    mapped=st.booleans(),
    retry_after=SECONDS,
)
REFUSALS = st.none() | RESULTS
REPORTS = st.builds(
    Report, NUMBER_TEXTS, st.sampled_from(ReportStatus), TEXTS, NAMES, NAMES, TEXTS, TIMES
)
REPLIES = st.builds(InboundMessage, NUMBER_TEXTS, TEXTS, NAMES, NAMES, NAMES, TIMES)
DAMAGED = st.integers(0, 10**30)


def test_the_limits_are_those_of_the_columns() -> None:
    limits = {
        submission.c.code: storable_fields.MAX_CODE,
        submission.c.words: storable_fields.MAX_WORDS,
        submission.c.gateway_id: storable_fields.MAX_ID,
        report.c.msisdn: storable_fields.MAX_MSISDN,
        report.c.reference: storable_fields.MAX_ID,
        report.c.gateway_id: storable_fields.MAX_ID,
        report.c.code: storable_fields.MAX_CODE,
        report.c.words: storable_fields.MAX_WORDS,
        inbound_message.c.msisdn: storable_fields.MAX_MSISDN,
        inbound_message.c.extension: storable_fields.MAX_EXTENSION,
        inbound_message.c.service_number: storable_fields.MAX_SERVICE_NUMBER,
        inbound_message.c.gateway_id: storable_fields.MAX_ID,
        opt_out.c.msisdn: storable_fields.MAX_MSISDN,
    }
    for column, limit in limits.items():
        assert isinstance(column.type, String)
        assert column.type.length == limit, column


@pytest.fixture
def hand(engine: Engine, database: str) -> Hand:
    hurry(engine)
    return Hand(engine, settings_of(database, v1={}, bulk={}))


def saying(account: Account, **readers: Any) -> Account:
    """Return an account whose readers return what is given, or raise it."""
    gateway = copy(account.gateway)
    for name, returned in readers.items():
        setattr(gateway, name, lambda *_, returned=returned: returned)
    return replace(account, gateway=gateway)


async def answered(*_: object) -> httpx.Response:
    return httpx.Response(200)


@LAW
@given(
    st.builds(
        Results,
        RESULTS,
        st.dictionaries(st.integers(-1, 4), RESULTS, max_size=3),
        st.lists(NAMES, max_size=4),
        st.booleans(),
    )
)
def test_any_result_of_a_submission_is_recorded(hand: Hand, results: Results) -> None:
    hand.enqueue(NUMBERS, account="v1")
    (prepared,) = hand.take()
    odd = replace(prepared, account=saying(prepared.account, read_results=results))
    answer = asyncio.run(submit.call_gateway(odd, answered, hand.settings))
    hand.record(answer)
    assert "in_flight" not in {row.state for row in hand.all_submissions()}
    assert hand.count(prepared.lease.request_id).get("submitting", 0) == 0
    hand.clear()


@pytest.mark.parametrize("error", [RecursionError(), MemoryError(), ValueError("a fault")])
@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_submission_whose_answer_cannot_be_read_is_unknown(hand: Hand, error: Exception) -> None:
    accepted = hand.enqueue(NUMBERS, account="v1")
    (prepared,) = hand.take()
    account = saying(prepared.account)

    def fail(*_: object) -> Results:
        raise error

    account.gateway.read_results = fail  # type: ignore[method-assign]
    odd = replace(prepared, account=account)
    hand.record(asyncio.run(submit.call_gateway(odd, answered, hand.settings)))
    assert hand.count(accepted.request_id) == {"unknown": 3}


def with_account(hand: Hand, name: str, **readers: Any) -> Account:
    """Let an account of the settings say what is given."""
    return saying(hand.settings.accounts[name], **readers)


@LAW
@given(
    st.builds(
        PushContents,
        st.lists(REPORTS, max_size=4).map(tuple),
        st.lists(REPLIES, max_size=4).map(tuple),
        DAMAGED,
    )
)
def test_any_push_is_taken_in(hand: Hand, contents: PushContents) -> None:
    from worker.gateways import reading as gateway_reading

    account = with_account(hand, "v1", read_push=contents)
    with writing(hand.engine) as connection:
        inbox_id = inbox_store.add_page(connection, "v1", "push", b"")
    push = httpx.Request("POST", "http://push/")
    page_intake.take_in(
        hand.engine,
        hand.settings,
        "v1",
        inbox_id,
        lambda: gateway_reading.read_push(account.gateway, push),
        monotonic() + 60,
    )
    with reading(hand.engine) as connection:
        page = connection.execute(select(inbox).where(inbox.c.id == inbox_id)).one()
        replies = connection.execute(select(inbound_message)).all()
    assert (page.problem, page.parsed_at is None) == (None, False)
    said = len(contents.reports) + len(contents.inbound)
    assert page.rows + page.damaged == min(
        said + contents.damaged, storable_fields.MAX_DAMAGED + page.rows
    )
    # A number that fits is never lost for what stands beside it.
    assert {row.msisdn for row in replies} >= {
        reply.msisdn for reply in contents.inbound if reply.msisdn in NUMBERS
    }
    hand.clear()


@LAW
@given(
    st.builds(Page, st.lists(REPORTS, max_size=3).map(tuple), REFUSALS, DAMAGED),
    st.builds(Page, st.lists(REPLIES, max_size=3).map(tuple), REFUSALS, DAMAGED),
    st.builds(
        Balance,
        st.lists(st.builds(Pool, TEXTS, COUNTS, st.booleans()), max_size=3).map(tuple),
        REFUSALS,
    ),
    st.builds(SentCount, COUNTS, REFUSALS),
)
def test_any_page_balance_and_counter_is_stored(
    hand: Hand,
    reports: Page[Report],
    replies: Page[InboundMessage],
    balance: Balance,
    counter: SentCount,
) -> None:
    account = with_account(
        hand, "v1", read_reports=reports, read_inbound=replies, read_balance=balance
    )
    counting = with_account(hand, "bulk", read_balance=Balance(), read_sent_count=counter)

    class Client:
        call = staticmethod(answered)

    collector = Collector(hand.settings, hand.engine, Client(), "test")  # type: ignore[arg-type]
    for ask, asked in (
        (collector.collect_reports, account),
        (collector.collect_inbound, account),
        (collector.fetch_balance, account),
        (collector.fetch_balance, counting),
    ):
        asyncio.run(ask(asked))
        with reading(hand.engine) as connection:
            pages = connection.execute(select(inbox)).all()
            state = accounts.states(connection, hand.settings.logins)[asked.name]
        assert all(page.problem is None and page.parsed_at for page in pages)
        assert pages or state.balance is not None or balance.refusal is not None
        # A refusal may have held the account; the next call is not to wait for that.
        hand.clear()


def test_what_is_too_long_is_cut_and_what_is_a_name_is_not() -> None:
    result = storable.result(Result(Outcome.ACCEPTED, "c" * 99, "w" * 999, "i" * 65))
    assert (len(result.code), len(result.words), result.gateway_id) == (64, 200, None)
    moment = datetime.now(UTC)
    row = Report("13800138000", ReportStatus.DELIVERED, "0", "r" * 65, "i" * 64, "", moment)
    fitted = storable.report(row)
    assert fitted is not None
    assert (fitted.reference, fitted.gateway_id) == (None, "i" * 64)
    assert storable.report(replace(row, gateway_id="i" * 65)) is None, "it would name nothing"
    assert storable.report(replace(row, msisdn="1" * 17)) is None
    reply = InboundMessage("13800138000", "TD", "1" * 21, "2" * 33)
    kept = storable.inbound_message(reply)
    assert kept == InboundMessage("13800138000", "TD")
