"""Reads what Alibaba Cloud pushes: receipts (`SmsReport`) and replies (`SmsUp`).

Times have no zone and are taken as Beijing's. Codes of receipts: help.aliyun.com 101347.
"""

import re
from collections.abc import Mapping
from typing import Any

from worker.domain.enums import Fault, ReportStatus
from worker.gateways.formats.values import (
    read_msisdn,
    read_text,
    read_time,
    read_word,
    tidy_words,
)
from worker.gateways.results import InboundMessage, Report

DELIVERED = "DELIVERED"
#: The platform has the message, and the carrier has said nothing yet.
UNDECIDED = "REQUEST_SUCCESS"
#: The signature is not registered with the carrier yet, which takes 5 to 10 working days.
NOT_REGISTERED = "PORT_NOT_REGISTERED"
#: The words for which a message did not arrive; carriers' own codes come beside them.
FAILURES: Mapping[str, str] = {
    "MOBILE_NOT_ON_SERVICE": "the handset is switched off or out of service",
    "MOBILE_IN_BLACK": "the number is on a blacklist",
    "MOBILE_SEND_LIMIT": "the number had too many messages",
    "MOBILE_ACCOUNT_ABNORMAL": "the handset's account is in arrears or abnormal",
    "MOBLLE_TERMINAL_ERROR": "the handset failed",
    "INVALID_NUMBER": "there is no such number",
    "USER_REJECT": "the recipient has unsubscribed",
    "CONTENT_KEYWORD": "the text has a word that is filtered",
    "CONTENT_ERROR": "the text is not allowed",
    "NO_ROUTE": "no carrier takes it",
    "IS_CLOSE": "the channel is shut for now",
    "SP_UNKNOWN_ERROR": "the carrier gave an unknown error",
    NOT_REGISTERED: "the signature is not registered with the carrier yet",
}

_REFERENCE = re.compile(r"[0-9a-f]{32}")


def read_reference(value: object) -> str | None:
    """Return an `OutId` that has the form of ours; None for any other."""
    text = read_word(value).lower()
    return text if _REFERENCE.fullmatch(text) else None


def read_report(row: Mapping[str, Any]) -> Report | None:
    """Read a receipt: `phone_number`, `success`, `err_code`, `biz_id`, `out_id`."""
    msisdn, code = read_msisdn(row.get("phone_number")), read_word(row.get("err_code"))
    arrived = _read_flag(row.get("success"))
    if msisdn is None or (not code and arrived is None):
        return None
    return Report(
        msisdn,
        _status(code, arrived=arrived),
        code or f"success={str(arrived).lower()}",
        reference=read_reference(row.get("out_id")),
        gateway_id=read_word(row.get("biz_id")) or None,
        words=tidy_words(row.get("err_msg")) or FAILURES.get(code, ""),
        reported_at=read_time(row.get("report_time")),
        fault=Fault.BINDING if code == NOT_REGISTERED else None,
    )


def read_reply(row: Mapping[str, Any]) -> InboundMessage | None:
    """Read a reply: `phone_number`, `content`, `send_time`, `dest_code`, `sequence_id`."""
    msisdn, text = read_msisdn(row.get("phone_number")), read_text(row.get("content"))
    if msisdn is None or text is None:
        return None
    return InboundMessage(
        msisdn,
        text,
        service_number=read_word(row.get("dest_code")) or None,
        gateway_id=read_word(row.get("sequence_id")) or None,
        received_at=read_time(row.get("send_time")),
    )


def _read_flag(value: object) -> bool | None:
    return {"true": True, "false": False}.get(read_word(value).lower())


def _status(code: str, *, arrived: bool | None) -> ReportStatus:
    """Return a message's fate; a receipt that contradicts itself says nothing."""
    if code == UNDECIDED:
        return ReportStatus.UNKNOWN
    says_failed, says_delivered = code in FAILURES, code == DELIVERED
    if arrived is True:
        return ReportStatus.UNKNOWN if says_failed else ReportStatus.DELIVERED
    if arrived is False:
        return ReportStatus.UNKNOWN if says_delivered else ReportStatus.UNDELIVERED
    if says_delivered:
        return ReportStatus.DELIVERED
    return ReportStatus.UNDELIVERED if says_failed else ReportStatus.UNKNOWN
