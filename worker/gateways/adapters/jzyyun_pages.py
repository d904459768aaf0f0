"""The pages of document 004: reports and replies as XML, the balance as names and numbers."""

import re
from base64 import b64decode
from collections.abc import Mapping, Sequence

from worker.domain.enums import ReportStatus
from worker.gateways.formats import xml_reader
from worker.gateways.formats.values import (
    beijing,
    clean,
    decoded,
    number,
    whole,
    word,
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
#: Part one, 2: the name in the answer, ours, and the `smstype` that draws on it (part one, 1).
POOLS = (("memberSmsNum", "member", 2), ("gateSmsNum", "gateway", 1), ("kaSmsNum", "card", 0))

_BLANK = re.compile(r"\s+")


def reports(text: str) -> Page[Report] | None:
    """Read `smsreport`; None when the text is no such page. An empty text is an empty page."""
    read = xml_reader.rows(text, "smsreport", "psreport")
    if read is None:
        return None if text else Page()
    rows, damaged = read
    found = [report for row in rows if (report := _report(row))]
    return Page(tuple(found), damaged=damaged + len(rows) - len(found))


def inbound(text: str, charsets: Sequence[str]) -> Page[InboundMessage] | None:
    """Read `smsrerecv` (their spelling); None when the text is no such page."""
    read = xml_reader.rows(text, "smsrerecv", "psrerecv")
    if read is None:
        return None if text else Page()
    rows, damaged = read
    found = [item for row in rows if (item := _inbound(row, charsets))]
    return Page(tuple(found), damaged=damaged + len(rows) - len(found))


def pools(text: str, smstype: int) -> tuple[Pool, ...]:
    """Read the counts by their names, whatever their order; () when no name is there.

    `used` is true for the pool that `smstype` draws on.
    """
    told = {name.strip(): value for name, _, value in (p.partition("=") for p in text.split(";"))}
    return tuple(
        Pool(ours, whole(told[name]), used=drawn == smstype)
        for name, ours, drawn in POOLS
        if name in told
    )


def _report(row: Mapping[str, str]) -> Report | None:
    msisdn, status = number(row.get("mobile")), word(row.get("status"))
    if msisdn is None or not status:
        return None
    return Report(
        msisdn,
        STATUSES.get(status, ReportStatus.UNKNOWN),
        status,
        gateway_id=word(row.get("smslogid")) or None,
        reported_at=beijing(row.get("sendtime")),
    )


def _inbound(row: Mapping[str, str], charsets: Sequence[str]) -> InboundMessage | None:
    """`receiver` is the account's name, not the number that was written to: it tells nothing."""
    msisdn, written = number(row.get("mobile")), row.get("content")
    if msisdn is None or written is None:
        return None
    try:
        packed = _BLANK.sub("", written).rstrip("=")
        raw = b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except ValueError:
        return None
    return InboundMessage(
        msisdn, clean(decoded(raw, *charsets)), received_at=beijing(row.get("sendtime"))
    )
