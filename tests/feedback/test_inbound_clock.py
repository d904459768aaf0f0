"""Reading by the hour keeps to the database's clock: no clock that was wrong once stops it."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from structlog.testing import capture_logs

from tests.support.by_hand import Hand, settings_of
from tests.support.dropping_gateway import Gateway, gateway
from worker.feedback import collector as collector_module
from worker.feedback.collector import CollectionResult, Collector
from worker.gateways.transport.client import GatewayClient
from worker.policy import inbound_cursor
from worker.policy.inbound_cursor import HOUR, InboundCursor
from worker.store import ticks
from worker.store.db import clock
from worker.store.db.database import reading, writing

TICK = "inbound:bulk"
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n100"


def hand_at(engine: Engine, database: str, there: Gateway, **more: Any) -> Hand:
    url = f"http://127.0.0.1:{there.port}"
    return Hand(engine, settings_of(database, bulk={"base_url": url, **more}))


def collect(hand: Hand) -> CollectionResult:
    """Collect the replies of an hour, as the account's tick does."""

    async def run() -> CollectionResult:
        client = GatewayClient()
        try:
            collector = Collector(hand.settings, hand.engine, client, "hand")
            return await collector.collect_inbound(hand.settings.accounts["bulk"])
        finally:
            await client.close()

    return asyncio.run(run())


def store(hand: Hand, cursor: InboundCursor | None) -> None:
    with writing(hand.engine) as connection:
        ticks.ensure(connection, {TICK})
        ticks.write_cursor(connection, TICK, inbound_cursor.dump(cursor) if cursor else {})


def stored(hand: Hand) -> tuple[Mapping[str, Any], datetime]:
    """Return where the reading goes on, and the database's time."""
    with reading(hand.engine) as connection:
        return ticks.read_cursor(connection, TICK), clock.read(connection)


def asked_at(hand: Hand) -> datetime:
    return datetime.fromisoformat(stored(hand)[0]["last"])


def start_of(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def test_a_cursor_two_days_ahead_is_cut_back_logged_once_and_read_on(
    engine: Engine, database: str
) -> None:
    with gateway(good=9, answer=lambda _: EMPTY) as there:
        hand = hand_at(engine, database, there)
        store(hand, None)
        _, now = stored(hand)
        ahead = now + timedelta(days=2)
        hours = frozenset({start_of(ahead) - HOUR})
        store(hand, InboundCursor(start_of(now) - 5 * HOUR, hours, asked_at=ahead))
        with capture_logs() as logs:
            first, second = collect(hand), collect(hand)
        assert there.taken == [], "the gateway is asked again after its spacing"
    cut = [entry for entry in logs if entry["event"] == "inbound.cursor_cut_back"]
    assert [entry["tick"] for entry in cut] == [TICK]
    assert 0 < second.wait_seconds <= first.wait_seconds <= 600
    cursor, after = stored(hand)
    assert asked_at(hand) <= after
    assert cursor["done"] == [], "nobody knows which hours were read in truth"
    assert datetime.fromisoformat(cursor["since"]) == start_of(now) - 5 * HOUR


def test_hours_that_were_read_ahead_are_read_again(engine: Engine, database: str) -> None:
    with gateway(good=9, answer=lambda _: EMPTY) as there:
        hand = hand_at(engine, database, there, rx_spacing="0s")
        store(hand, None)
        _, now = stored(hand)
        store(hand, InboundCursor(start_of(now) + 48 * HOUR, asked_at=now))
        collect(hand)
        assert len(there.taken) == 1
    cursor, after = stored(hand)
    since = datetime.fromisoformat(cursor["since"])
    assert start_of(after) - since >= inbound_cursor.REREAD_HOURS * HOUR - HOUR


@pytest.mark.parametrize("days", [2, -2])
def test_a_worker_s_own_clock_decides_nothing(
    engine: Engine, database: str, days: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither one that is ahead nor one that is behind: the hour that runs is the database's."""

    class WrongClock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + timedelta(days=days)

    monkeypatch.setattr(collector_module, "datetime", WrongClock)
    with gateway(good=9, answer=lambda _: EMPTY) as there:
        hand = hand_at(engine, database, there)
        store(hand, None)
        _, before = stored(hand)
        collect(hand)
        (request,) = there.taken
    _, after = stored(hand)
    assert before <= asked_at(hand) <= after
    shanghai = {f"{at + timedelta(hours=8):%Y-%m-%d_%H}" for at in (before, after)}
    assert any(f"time={hour}".encode() in request for hour in shanghai)
