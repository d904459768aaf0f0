"""Reads the rows of Tencent Cloud SMS: of pulls, pushes, queries and packages. Never raises.

The two ways of reports name their fields differently: in a pull `Description` is the carrier's
code, in a push `errmsg` is, and `description` is its text.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from worker.domain.enums import ReportStatus
from worker.gateways.formats.values import (
    read_count,
    read_msisdn,
    read_text,
    read_time,
    read_word,
    tidy_words,
)
from worker.gateways.results import InboundMessage, Pool, Report, SentRow

STATUSES: Mapping[str, ReportStatus] = {
    "SUCCESS": ReportStatus.DELIVERED,
    "FAIL": ReportStatus.UNDELIVERED,
}
_REFERENCE = re.compile(r"[0-9a-f]{32}")
#: Moments between 1990 and 2100, in seconds since 1970.
_MOMENTS = range(631_152_000, 4_102_444_800)


def pulled_report(row: Mapping[str, Any]) -> Report | None:
    """Read a row of `PullSmsSendStatusSet` as a report; None when it is none."""
    return _report(
        _number(row),
        row.get("ReportStatus"),
        (row.get("Description"), ""),
        (row.get("SessionContext"), row.get("SerialNo")),
        row.get("UserReceiveTime"),
    )


def pushed_report(row: Mapping[str, Any]) -> Report | None:
    """Read a report out of a push; None when it is none."""
    return _report(
        read_msisdn(row.get("mobile")),
        row.get("report_status"),
        (row.get("errmsg"), row.get("description")),
        (row.get("ext"), row.get("sid")),
        row.get("user_receive_time"),
    )


def _report(
    msisdn: str | None,
    status_field: object,
    words_fields: tuple[object, object],
    name_fields: tuple[object, object],
    time_field: object,
) -> Report | None:
    status = read_word(status_field)
    if msisdn is None or not status:
        return None
    code, words = words_fields
    session, serial = name_fields
    return Report(
        msisdn,
        STATUSES.get(status.upper(), ReportStatus.UNKNOWN),
        read_word(code) or status,
        reference=reference(session),
        gateway_id=read_word(serial) or None,
        words=tidy_words(words) if words else "",
        reported_at=moment(time_field),
    )


def pulled_reply(row: Mapping[str, Any]) -> InboundMessage | None:
    """Read a row of `PullSmsReplyStatusSet`; None when it is none."""
    return _reply(
        _number(row), row.get("ReplyContent"), row.get("ExtendCode"), row.get("ReplyTime")
    )


def pushed_reply(row: Mapping[str, Any]) -> InboundMessage | None:
    """Read a reply that was pushed; None when it is none."""
    return _reply(
        read_msisdn(row.get("mobile")), row.get("text"), row.get("extend"), row.get("time")
    )


def _reply(
    msisdn: str | None, text_field: object, extension: object, time_field: object
) -> InboundMessage | None:
    text = read_text(text_field)
    if msisdn is None or text is None:
        return None
    return InboundMessage(
        msisdn, text, extension=read_word(extension) or None, received_at=moment(time_field)
    )


def sent_row(row: Mapping[str, Any]) -> SentRow | None:
    """Read a row of a query; it proves something only with our reference in it."""
    msisdn = _number(row)
    if msisdn is None:
        return None
    return SentRow(
        msisdn,
        reference(row.get("SessionContext")),
        gateway_id=read_word(row.get("SerialNo")) or None,
    )


def packages(rows: Iterable[Mapping[str, Any]], at: datetime | None) -> Pool | None:
    """Sum up what is left in the packages that live at a moment.

    None where it is not known: no moment, or a package whose numbers or times cannot be read.
    """
    remaining = 0
    for row in rows:
        amount, usage = read_count(row.get("PackageAmount")), read_count(row.get("CurrentUsage"))
        begins = moment(row.get("PackageEffectiveTime"))
        ends = moment(row.get("PackageExpiredTime"))
        if amount is None or usage is None or begins is None or ends is None or at is None:
            return None
        if begins <= at < ends:
            remaining += max(0, amount - usage)
    return None if at is None else Pool("packages", remaining)


def reference(field: object) -> str | None:
    """Return our reference out of a session; None where another program's word stands there."""
    word = read_word(field).lower()
    return word if _REFERENCE.fullmatch(word) else None


def moment(field: object) -> datetime | None:
    """Read seconds since 1970, or a time of Beijing; None when it is neither."""
    seconds = read_count(field)
    if seconds is None:
        return read_time(field)
    return datetime.fromtimestamp(seconds, UTC) if seconds in _MOMENTS else None


def _number(row: Mapping[str, Any]) -> str | None:
    """Return the number of a row that has it with its country code and without."""
    return read_msisdn(row.get("PhoneNumber")) or read_msisdn(row.get("SubscriberNumber"))
