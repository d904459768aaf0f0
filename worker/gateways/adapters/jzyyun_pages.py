"""Reads the pages of document 004: reports and replies as XML, the balance as names and numbers."""

import re
from base64 import b64decode
from collections.abc import Mapping, Sequence

from worker.domain.enums import ReportStatus
from worker.gateways.formats import xml_reader
from worker.gateways.formats.values import (
    decode,
    make_storable,
    read_count,
    read_msisdn,
    read_time,
    read_word,
)
from worker.gateways.results import (
    InboundMessage,
    Page,
    Pool,
    Report,
)

#: Part one, 3: 1 成功, 0 失败, 2 不明.
STATUSES: Mapping[str, ReportStatus] = {
    "1": ReportStatus.DELIVERED,
    "0": ReportStatus.UNDELIVERED,
    "2": ReportStatus.UNKNOWN,
}
#: Of each pool: its name in the answer (part one, 2), our name, and the `smstype` that draws on it
#: (part one, 1).
POOLS = (("memberSmsNum", "member", 2), ("gateSmsNum", "gateway", 1), ("kaSmsNum", "card", 0))

_BLANK = re.compile(r"\s+")


def read_reports(text: str) -> Page[Report] | None:
    """Read `smsreport`; None when the text is no such page. An empty text is an empty page."""
    page = xml_reader.rows(text, "smsreport", "psreport", _report)
    if page is None:
        return None if text else Page()
    reports, damaged = page
    return Page(tuple(reports), damaged=damaged)


def read_inbound(text: str, charsets: Sequence[str]) -> Page[InboundMessage] | None:
    """Read `smsrerecv` (their spelling); None when the text is no such page."""
    page = xml_reader.rows(text, "smsrerecv", "psrerecv", lambda row: _inbound(row, charsets))
    if page is None:
        return None if text else Page()
    messages, damaged = page
    return Page(tuple(messages), damaged=damaged)


def read_pools(text: str, smstype: int) -> tuple[Pool, ...]:
    """Read the counts by their names, whatever their order; () when no name is there.

    `used` is true for the pool that `smstype` draws on.
    """
    counts = {
        name.strip(): value for name, _, value in (pair.partition("=") for pair in text.split(";"))
    }
    return tuple(
        Pool(pool_name, read_count(counts[name]), used=pool_smstype == smstype)
        for name, pool_name, pool_smstype in POOLS
        if name in counts
    )


def _report(row: Mapping[str, str]) -> Report | None:
    msisdn, status = read_msisdn(row.get("mobile")), read_word(row.get("status"))
    if msisdn is None or not status:
        return None
    return Report(
        msisdn,
        STATUSES.get(status, ReportStatus.UNKNOWN),
        status,
        gateway_id=read_word(row.get("smslogid")) or None,
        reported_at=read_time(row.get("sendtime")),
    )


def _inbound(row: Mapping[str, str], charsets: Sequence[str]) -> InboundMessage | None:
    """Read a reply; `receiver` is left out: it is the account's name, not the number written to."""
    msisdn, content = read_msisdn(row.get("mobile")), row.get("content")
    if msisdn is None or content is None:
        return None
    try:
        base64_text = _BLANK.sub("", content).rstrip("=")
        raw = b64decode(base64_text + "=" * (-len(base64_text) % 4), validate=True)
    except ValueError:
        return None
    return InboundMessage(
        msisdn, make_storable(decode(raw, *charsets)), received_at=read_time(row.get("sendtime"))
    )
