"""Something between us and the gateway answers: the account is held, and one call asks then."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from producer.cli import account_report
from tests.support.by_hand import Hand, answer, settings_of
from tests.support.dropping_gateway import Failure, gateway
from tests.support.stage import mobiles
from tests.support.tunnels import proxy, refusing
from worker.delivery import account_guard, submit
from worker.delivery.submit import CallAnswer, PreparedSubmission
from worker.domain.enums import Fault, Outcome
from worker.feedback.collector import Collector
from worker.gateways.results import Result
from worker.gateways.transport.client import TRANSPORTS, GatewayClient
from worker.store import accounts
from worker.store.db.clock import later
from worker.store.db.database import reading, writing
from worker.store.schema.tables import account_state

FOREIGN: dict[str, Any] = {"code": "HTTP 302", "words": "a redirect to x", "fault": Fault.NETWORK}
on_sqlite = pytest.mark.parametrize("kind", ["sqlite"])
transports = pytest.mark.parametrize("transport", sorted(TRANSPORTS))


@pytest.fixture
def hand(engine: Engine, database: str) -> Hand:
    return Hand(engine, settings_of(database, bulk={}, v1={}))


def held(hand: Hand) -> Mapping[str, accounts.AccountState]:
    with reading(hand.engine) as connection:
        states = accounts.states(connection, hand.settings.logins)
    return {name: state for name, state in states.items() if state.held}


def hold_seconds(hand: Hand) -> float:
    """Return for how long the account is held from when it was."""
    state = held(hand)["v1"]
    assert state.held_until is not None
    assert state.held_since is not None
    return (state.held_until - state.held_since).total_seconds()


def end_hold(hand: Hand) -> None:
    """Let the hold be over, and the probe be due."""
    with writing(hand.engine) as connection:
        connection.execute(update(account_state).values(held_until=later(-1), probe_at=later(-1)))


def test_one_foreign_answer_holds_the_account_and_no_other(hand: Hand) -> None:
    """Its messages go to other accounts, or wait: none of them goes on into a portal."""
    hand.enqueue(mobiles(1), account="v1")
    (ready,) = hand.take()
    hand.record(answer(ready, Outcome.UNKNOWN, **FOREIGN))
    assert list(held(hand)) == ["v1"]
    state = held(hand)["v1"]
    assert state.held_why == "a redirect to x"
    advice = account_report.hold_advice(hand.settings.accounts["v1"], state)
    assert "something between here and the gateway answered in its place" in advice
    assert "goes on by itself at" in advice
    hand.enqueue(mobiles(1, 5), account="v1")
    assert hand.take() == []
    hand.enqueue(mobiles(1, 6))
    assert [prepared.account.name for prepared in hand.take()] == ["bulk"]


def test_what_answers_in_the_gateway_s_place_says_nothing_of_the_login(hand: Hand) -> None:
    """Neither of one that was accepted nor of one that never was, whatever call it answers."""
    words = "a proxy wants a login, and the account names none"
    refusal = Result(Outcome.UNKNOWN, "HTTP 407", words, fault=Fault.NETWORK, mapped=False)
    for proven in (True, False):
        with writing(hand.engine) as connection:
            if not proven:
                connection.execute(update(account_state).values(proven=None))
            account_guard.note_answer(connection, hand.settings, "v1", refusal, "test")
        assert held(hand) == {}


def test_one_call_asks_after_the_hold_and_each_foreign_answer_doubles_it(hand: Hand) -> None:
    """In an hour of a portal a handful of messages is lost to it, not one a second."""
    hand.enqueue(mobiles(1), account="v1")
    (ready,) = hand.take()
    hand.record(answer(ready, Outcome.UNKNOWN, **FOREIGN))
    spans = [hold_seconds(hand)]
    for nth in range(5):
        end_hold(hand)
        for single in range(3):
            hand.enqueue(mobiles(1, 10 + 5 * nth + single), account="v1")
        (probe,) = hand.take()
        hand.record(answer(probe, Outcome.UNKNOWN, **FOREIGN))
        spans.append(hold_seconds(hand))
    assert spans == pytest.approx([60, 120, 240, 480, 600, 600], abs=1)


def test_the_gateway_s_own_word_ends_it(hand: Hand) -> None:
    hand.enqueue(mobiles(1), account="v1")
    (ready,) = hand.take()
    hand.record(answer(ready, Outcome.UNKNOWN, **FOREIGN))
    end_hold(hand)
    hand.enqueue(mobiles(1, 9), account="v1")
    (probe,) = hand.take()
    hand.record(answer(probe, Outcome.ACCEPTED))
    assert held(hand) == {}
    with reading(hand.engine) as connection:
        query = select(account_state.c.doubts).where(account_state.c.account == "v1")
        assert connection.execute(query).scalar_one() == 0


async def call(prepared: PreparedSubmission, hand: Hand, transport: str) -> CallAnswer:
    """Call a gateway as a lane does."""
    client = GatewayClient(transport)
    try:
        return await submit.call_gateway(prepared, client.call, hand.settings)
    finally:
        await client.close()


def send_one(hand: Hand, transport: str) -> CallAnswer:
    """Submit one message to the one account, and record what came of it."""
    hand.enqueue(mobiles(1), "您的验证码是：1234。请不要把验证码泄露给其他人。")
    (ready,) = hand.take()
    called = asyncio.run(call(ready, hand, transport))
    hand.record(called)
    return called


def hold_words(hand: Hand, name: str) -> str:
    """Return why the account is held; "" when it is not."""
    states = held(hand)
    return (states[name].held_why or "") if name in states else ""


@on_sqlite
@transports
@pytest.mark.parametrize("name", ["bulk", "v1", "jzy", "codes"])
@pytest.mark.parametrize(
    ("head", "body", "words"),
    [
        (b"302 Found\r\nLocation: http://portal.example/in?pwd=secret", b"", "portal.example"),
        (b"307 -\r\nLocation: //portal.example/in?pwd=secret", b"", "portal.example"),
        (b"511 -", b"<a href='https://portal.example/?secret'>", "portal.example"),
        (b"200 OK", b"<html><script>location='http://portal.example/?secret'", "portal.example"),
        (b"200 OK\r\nContent-Type: text/html", b"\n<!DOCTYPE HTML>\n<p>Sign in", "Sign in"),
        (b"407 -\r\nProxy-Authenticate: Basic", b"", "a proxy wants a login"),
    ],
)
def test_what_a_portal_answers_is_unknown_held_and_says_where_it_points(
    engine: Engine, database: str, transport: str, name: str, head: bytes, body: bytes, words: str
) -> None:
    written = b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (head, len(body), body)
    with gateway(good=9, answer=lambda _: written) as there:
        url = f"http://127.0.0.1:{there.port}"
        hand = Hand(engine, settings_of(database, **{name: {"base_url": url}}))
        called = send_one(hand, transport)
        assert len(there.taken) == 1
    assert called.results.default.outcome is Outcome.UNKNOWN
    assert words in hold_words(hand, name)
    assert "secret" not in called.results.default.words


@on_sqlite
@transports
@pytest.mark.parametrize(
    ("behave", "words"),
    [(refusing(407), "it wants other credentials"), (refusing(403), "it opens no tunnel")],
)
def test_a_proxy_that_refuses_is_not_sent_and_not_asked_by_every_message(
    engine: Engine, database: str, transport: str, behave: Failure, words: str
) -> None:
    """Asked again and again with a wrong password, a company's proxy locks the user."""
    with proxy(behave) as between, gateway(good=9) as there:
        reach = {
            "base_url": f"http://127.0.0.1:{there.port}",
            "proxy": f"http://me:secret@127.0.0.1:{between.port}",
        }
        hand = Hand(engine, settings_of(database, v1=reach))
        called = send_one(hand, transport)
        assert there.taken == []
    assert called.results.default.outcome is Outcome.NOT_SENT
    assert words in hold_words(hand, "v1")
    hand.enqueue(mobiles(1, 5))
    hand.make_due()
    assert hand.take() == []


@on_sqlite
@transports
def test_a_proxy_s_refusal_of_credentials_holds_whatever_was_asked(
    engine: Engine, database: str, transport: str
) -> None:
    """Reports are asked for every half minute: it would lock the user within the hour."""

    async def ask_balance(hand: Hand) -> None:
        client = GatewayClient(transport)
        try:
            collector = Collector(hand.settings, hand.engine, client, "hand")
            for _ in range(3):
                await collector.fetch_balance(hand.settings.accounts["v1"])
        finally:
            await client.close()

    with proxy(refusing(407)) as between:
        hand = Hand(
            engine, settings_of(database, v1={"proxy": f"http://me:x@127.0.0.1:{between.port}"})
        )
        asyncio.run(ask_balance(hand))
        assert len(between.taken) == 1
    state = held(hand)["v1"]
    assert state.held_until is not None
    assert state.held_since is not None
    assert (state.held_until - state.held_since).total_seconds() == pytest.approx(600, abs=1)


@on_sqlite
@transports
def test_a_gateway_that_is_away_behind_its_proxy_holds_nothing(
    engine: Engine, database: str, transport: str
) -> None:
    with proxy(refusing(502)) as between:
        reach = {"proxy": f"http://127.0.0.1:{between.port}"}
        hand = Hand(engine, settings_of(database, v1=reach))
        called = send_one(hand, transport)
    assert called.results.default.outcome is Outcome.NOT_SENT
    assert held(hand) == {}


@on_sqlite
@transports
def test_what_an_account_has_in_its_own_table_is_read_by_it(
    engine: Engine, database: str, transport: str
) -> None:
    moved = b"HTTP/1.1 302 -\r\nLocation: /busy\r\nContent-Length: 0\r\n\r\n"
    with gateway(good=9, answer=lambda _: moved) as there:
        url = f"http://127.0.0.1:{there.port}"
        own = {"base_url": url, "codes": {"HTTP 302": "throttled"}}
        hand = Hand(engine, settings_of(database, v1=own))
        called = send_one(hand, transport)
    assert called.results.default.outcome is Outcome.THROTTLED
    assert held(hand) == {}
