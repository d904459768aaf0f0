"""A page that is too long or cut off: its gateway has forgotten it, so what came is kept."""

import asyncio
import zlib
from typing import Any

import pytest
from sqlalchemy import Engine, select

from tests.support.by_hand import Hand, settings_of
from tests.support.dropping_gateway import Failure, Line, close, gateway, silence
from worker.feedback.collector import CollectionResult, Collector
from worker.gateways.page_contents import CUT_HEADER
from worker.gateways.transport import answer_bounds
from worker.gateways.transport.client import TRANSPORTS, GatewayClient
from worker.store import ticks
from worker.store.db.database import reading, writing
from worker.store.schema.tables import inbound_message, inbox, report

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


async def _collect_reports(hand: Hand, account: str, transport: str = "own") -> CollectionResult:
    client = GatewayClient(transport)
    try:
        collector = Collector(hand.settings, hand.engine, client, "hand")
        return await collector.collect_reports(hand.settings.accounts[account])
    finally:
        await client.close()


XML_START, XML_ROW = (
    "<smsreport>",
    "<psreport><mobile>1380000000%d</mobile><status>1</status></psreport>",
)
WHOLE = {
    "JSON": ("v1", f"{START}]}}"),
    "XML": ("jzy", f"{XML_START}{''.join(XML_ROW % number for number in range(3))}</smsreport>"),
}
#: Bytes of the page that come before its end: two rows and the half of the third.
MISSING = {"JSON": 40, "XML": 50}


def cuts(page: bytes, missing: int) -> dict[str, tuple[bytes, Failure]]:
    """Return ways in which a server writes a page without its end, and what it does then."""
    start, size = page[:-missing], len(page)
    stream = zlib.compressobj(wbits=31)
    # Flushed, so that what was written can be read.
    zipped = stream.compress(start) + stream.flush(zlib.Z_SYNC_FLUSH)
    return {
        "no last chunk": (CHUNKED + b"%x\r\n%s\r\n" % (len(start), start), close),
        "half a chunk": (CHUNKED + b"%x\r\n%s" % (size, start), close),
        "no chunk": (CHUNKED + b"%x\r\n%s\r\nzz\r\n" % (len(start), start), close),
        "a length too large": (LENGTH % size + start, close),
        "a length too large, and held": (LENGTH % size + start, silence),
        "a length too large, and reset": (LENGTH % size + start, late_reset),
        "a length too small": (LENGTH % len(start) + page, close),
        "gzip without its end": (GZIP + LENGTH % len(zipped) + zipped, close),
        "gzip and no last chunk": (GZIP + CHUNKED + b"%x\r\n%s\r\n" % (len(zipped), zipped), close),
        "gzip until closed": (GZIP + b"\r\n" + zipped, close),
    }


GZIP, CHUNKED = b"Content-Encoding: gzip\r\n", b"Transfer-Encoding: chunked\r\n\r\n"
LENGTH = b"Content-Length: %d\r\n\r\n"


def late_reset(line: Line) -> None:
    """RST, after what was written could be read."""
    line.gateway.closing.wait(0.3)
    line.reset()


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize("transport", sorted(TRANSPORTS))
@pytest.mark.parametrize("way", cuts(b"x" * 99, 1))
@pytest.mark.parametrize("form", WHOLE)
def test_a_page_without_its_end_is_stored_marked_and_read_as_far_as_it_is_whole(
    engine: Engine, database: str, form: str, way: str, transport: str
) -> None:
    account, page = WHOLE[form]
    written, ending = cuts(page.encode(), MISSING[form])[way]

    def answer(line: Line) -> None:
        line.write(b"HTTP/1.1 200 OK\r\n" + written)
        ending(line)

    with gateway(answer) as there:
        url = f"http://127.0.0.1:{there.port}"
        hand = Hand(engine, settings_of(database, **{account: {"base_url": url, "timeout": "1s"}}))
        collected = asyncio.run(_collect_reports(hand, account, transport))
    (stored,) = _rows(engine, inbox)
    assert page.encode().startswith(bytes(stored.body))
    assert len(stored.body) > len(page) - MISSING[form] - 30
    assert (stored.rows, stored.damaged) == (2, 1)
    assert len(_rows(engine, report)) == collected.new_rows == 2
    assert stored.headers[CUT_HEADER]
    assert stored.problem.startswith("cut off: ")


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize("transport", sorted(TRANSPORTS))
@pytest.mark.parametrize("coding", ["br", "gzip"])
def test_a_page_in_a_coding_that_cannot_be_undone_is_kept_as_it_came(
    engine: Engine, database: str, coding: str, transport: str
) -> None:
    body = b"\x1f\x8b\x08 no stream"
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\n" % coding.encode()
    with gateway(good=1, answer=lambda _: head + LENGTH % len(body) + body) as there:
        url = f"http://127.0.0.1:{there.port}"
        hand = Hand(engine, settings_of(database, v1={"base_url": url}))
        collected = asyncio.run(_collect_reports(hand, "v1", transport))
    (stored,) = _rows(engine, inbox)
    assert stored.body == body
    assert (stored.rows, stored.damaged) == (0, 1)
    assert stored.problem.startswith("cut off: ")
    assert collected.problem is not None
    assert "cut off" in collected.problem


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize("transport", sorted(TRANSPORTS))
def test_no_gateway_says_that_its_page_was_cut(
    engine: Engine, database: str, transport: str
) -> None:
    """What it writes into our header would be shown to a person."""
    page = WHOLE["JSON"][1].encode()
    answer = b"HTTP/1.1 200 OK\r\nX-Xinshi-Cut: call 110\r\n" + LENGTH % len(page) + page
    with gateway(good=1, answer=lambda _: answer) as there:
        url = f"http://127.0.0.1:{there.port}"
        hand = Hand(engine, settings_of(database, v1={"base_url": url}))
        asyncio.run(_collect_reports(hand, "v1", transport))
    (stored,) = _rows(engine, inbox)
    assert (stored.rows, stored.damaged, stored.problem) == (3, 0, None)


@pytest.mark.parametrize("transport", sorted(TRANSPORTS))
def test_an_hour_whose_page_was_cut_off_is_read_again(
    engine: Engine, database: str, transport: str
) -> None:
    """C123 gives an hour as often as it is asked: what was cut off is not lost."""
    page = b"100{&}13800138000||TD||2026-11-27 10:00:00||10690000{&}13800138001||TD||2026-11-27 10"
    whole = page + b":00:00||10690000"
    cut = b"HTTP/1.1 200 OK\r\n" + LENGTH % len(whole)

    def answer(line: Line) -> None:
        line.write(cut + page)

    with gateway(answer, good=0) as there:
        url = f"http://127.0.0.1:{there.port}"
        hand = Hand(engine, settings_of(database, bulk={"base_url": url, "rx_spacing": "0s"}))
        before = asyncio.run(_collect_hour(hand, transport))
    assert len(_rows(engine, inbound_message)) == 1
    with gateway(good=9, answer=lambda _: cut + whole) as there:
        url = f"http://127.0.0.1:{there.port}"
        hand = Hand(engine, settings_of(database, bulk={"base_url": url, "rx_spacing": "0s"}))
        after = asyncio.run(_collect_hour(hand, transport))
    assert len(_rows(engine, inbound_message)) == 2
    assert before["was_current"] is False, "it was not read yet"
    assert after["was_current"] is True


async def _collect_hour(hand: Hand, transport: str) -> dict[str, Any]:
    """Collect the replies of an hour, and return where the reading goes on."""
    client = GatewayClient(transport)
    with writing(hand.engine) as connection:
        ticks.ensure(connection, {"inbound:bulk"})
    try:
        collector = Collector(hand.settings, hand.engine, client, "hand")
        await collector.collect_inbound(hand.settings.accounts["bulk"])
    finally:
        await client.close()
    with reading(hand.engine) as connection:
        return dict(ticks.read_cursor(connection, "inbound:bulk"))
