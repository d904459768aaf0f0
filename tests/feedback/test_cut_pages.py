"""A page that is longer than its bound: its gateway has forgotten it, so what came is kept."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import Engine, select

from tests.support.by_hand import Hand, settings_of
from tests.support.dropping_gateway import gateway
from worker.feedback.collector import CollectionResult, Collector
from worker.gateways.page_contents import CUT_HEADER
from worker.gateways.transport import answer_bounds
from worker.gateways.transport.client import GatewayClient
from worker.store.db.database import reading
from worker.store.schema.tables import inbox, report

ROW = '{"sendId":"%d","status":"DELIVRD","times":"2026-01-02 03:04:05","mobile":"1380000000%d"}'
START = '{"code":"00","data":[' + ",".join(ROW % (number, number) for number in range(3))
#: Quotes and back slashes take two bytes each where a driver writes them into a statement.
FILLER = '\\"' * (answer_bounds.PAGE.max_bytes // 2)
XML = (
    "<smsreport>"
    "<psreport><mobile>13800000001</mobile><status>1</status></psreport>"
    f"<psreport><mobile>13800000002</mobile><status>{FILLER}</status></psreport></smsreport>"
)
PAGES = {
    "JSON": ("v1", f'{START},{{"mobile":"13800000009","status":"{FILLER}"}}]}}'),
    "XML": ("jzy", XML),
}


@pytest.mark.parametrize("form", PAGES)
def test_the_start_of_a_page_that_is_too_long_is_stored_and_its_whole_rows_count(
    engine: Engine, database: str, form: str
) -> None:
    """Every database takes the longest page by its defaults; the raw page says that it was cut."""
    account, page = PAGES[form]
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(page), page.encode())
    with gateway(good=9, answer=lambda _: answer) as there:
        url = f"http://127.0.0.1:{there.port}"
        hand = Hand(engine, settings_of(database, **{account: {"base_url": url}}))
        collected = asyncio.run(_collect_reports(hand, account))
    assert collected.problem is None
    whole = page.encode()[: answer_bounds.PAGE.max_bytes]
    (stored,) = _rows(engine, inbox)
    assert stored.body == whole
    assert stored.headers[CUT_HEADER] == "TooLong"
    assert (stored.rows, stored.damaged) == (3 if form == "JSON" else 1, 1)
    assert len(_rows(engine, report)) == stored.rows


def _rows(engine: Engine, table: Any) -> list[Any]:
    with reading(engine) as connection:
        return list(connection.execute(select(table)))


async def _collect_reports(hand: Hand, account: str) -> CollectionResult:
    client = GatewayClient()
    try:
        collector = Collector(hand.settings, hand.engine, client, "hand")
        return await collector.collect_reports(hand.settings.accounts[account])
    finally:
        await client.close()
