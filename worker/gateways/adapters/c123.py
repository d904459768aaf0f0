"""Speaks to the gateway of document 001 (http.c123.com): forms in GBK or UTF-8, answers in GBK.

Its answers are three-digit codes. It gives no ids and no delivery reports: what it took is known
from its sent counter alone.
"""

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from typing import Annotated, ClassVar, Literal

import httpx
from pydantic import Field

from worker.domain.durations import Duration
from worker.domain.enums import NumberKind
from worker.domain.errors import Problem
from worker.domain.secret_fields import Secret
from worker.domain.timezone import SHANGHAI
from worker.gateways.account_settings import AccountSettings
from worker.gateways.base import (
    Capabilities,
    Content,
    Gateway,
    OutgoingSubmission,
)
from worker.gateways.code_table import CodeTable
from worker.gateways.formats import content_limits
from worker.gateways.formats.forms import (
    Endpoint,
    encode,
    encode_form,
    join_numbers,
)
from worker.gateways.formats.non_answers import http_failure, unreadable_result
from worker.gateways.formats.values import (
    decode,
    make_storable,
    read_count,
    read_msisdn,
    read_time,
    strip_blanks,
)
from worker.gateways.page_contents import cut_reason
from worker.gateways.results import (
    Balance,
    InboundMessage,
    Page,
    Pool,
    Result,
    Results,
    SentCount,
)

#: The most numbers in one submission, by method (section 4).
BATCH_CAPS = {"GET": 50, "POST": 2000}
#: The longest text that keeps a URL under the 64 KiB that httpx carries, at 9 bytes for a Chinese
#: character.
MAX_URL_TEXT = 5000

_CODE = re.compile(r"[0-9]{3}")
_ROW = re.compile(r"\{&\}(?=\+?[0-9*]{5,20}\|\|)")


class C123Settings(AccountSettings):
    """An account at document 001's gateway."""

    LOGIN_FIELD: ClassVar[str] = "uid"

    base_url: str = "http://http.c123.com"
    uid: str
    password: Secret
    #: How requests are written; utf-8 adds `encode=utf8`. Answers are GBK either way (section 2).
    charset: Literal["gbk", "utf-8"] = "gbk"
    #: GET carries 50 numbers where POST carries 2,000.
    method: Literal["POST", "GET"] = "POST"
    #: The account's own number at the carriers: a reply's extension is what follows it.
    service_number: Annotated[str, Field(pattern=r"^[0-9]*$")] = ""
    #: The time that has to lie between two calls of `rx`: "every 10 minutes" (section 5).
    rx_spacing: Duration = 600.0


class C123(Gateway):
    """An account by document 001: `tx` sends, `rx` reads replies, `mm` reads both counters."""

    name = "c123"
    Settings = C123Settings
    codes = CodeTable.load(name)
    settings: C123Settings

    def __init__(self, settings: C123Settings) -> None:
        super().__init__(settings)
        self._charset = settings.charset
        self._service_number = settings.service_number
        self._tx, self._rx, self._mm = (
            Endpoint(httpx.URL(f"{settings.base_url}/{path}/"), settings.method)
            for path in ("tx", "rx", "mm")
        )
        self._charset_field = "&encode=utf8" if settings.charset == "utf-8" else ""
        self._capabilities = Capabilities(
            batch_cap=BATCH_CAPS[settings.method],
            charset=settings.charset,
            longest=MAX_URL_TEXT if settings.method == "GET" else None,
            kinds=frozenset({NumberKind.MOBILE, NumberKind.LANDLINE}),
            # Its answers stay GBK whatever the request was, so it must store GBK: no emoji.
            emoji=False,
            extension=True,
            inbound=True,
            balance=True,
            sent_count=True,
            inbound_by_hour=True,
            inbound_spacing=settings.rx_spacing,
        )

    @cached_property
    def _login(self) -> str:
        secret = encode(self.settings.password.get_secret_value(), self._charset)
        # Lower case and unsalted: the sample in section 4 is the MD5 of 9999.
        digest = hashlib.md5(secret, usedforsecurity=False).hexdigest()
        return encode_form({"uid": self.settings.uid, "pwd": digest}, self._charset)

    @property
    def capabilities(self) -> Capabilities:
        """Mobiles and landlines, 2,000 by POST and 50 by GET (section 4)."""
        return self._capabilities

    def problems(self, content: Content) -> list[Problem]:
        """Check the option `time` and the digits of the extension; refuse templates."""
        problems = [
            *content_limits.unknown_option_problems(self.name, content.options, ("time",)),
            *content_limits.template_problems(self.name, content),
            *content_limits.extension_digit_problems(content),
        ]
        try:
            _format_schedule(content.options.get("time"))
        except ValueError as error:
            problems.append(Problem("options.time", str(error)))
        return problems

    def submit_request(self, submission: OutgoingSubmission, at: datetime) -> httpx.Request:
        """Build a `tx` call; `time` and `mid` are left out where there are none (section 4)."""
        content = submission.content
        optional = {"time": _format_schedule(content.options.get("time")), "mid": content.extension}
        content_fields = encode_form(
            {"content": content.text} | {name: value for name, value in optional.items() if value},
            self._charset,
        )
        mobile = join_numbers(submission.msisdns)
        return self._tx.request(
            f"{self._login}&mobile={mobile}&{content_fields}{self._charset_field}"
        )

    def read_results(self, response: httpx.Response, submission: OutgoingSubmission) -> Results:
        """Read a bare status code, which speaks for all numbers (section 4)."""
        failure = http_failure(self.table, response)
        if failure:
            return Results(failure)
        text = strip_blanks(_text(response))
        return Results(self._refusal(text) or unreadable_result(self.table, text))

    def inbound_request(self, at: datetime, hour: datetime | None = None) -> httpx.Request:
        """Build an `rx` call; a read of one hour can be repeated, any other is destructive.

        Section 5: `time=YYYY-MM-DD_HH`, and ten minutes between calls.
        """
        hour_field = f"&time={hour.astimezone(SHANGHAI):%Y-%m-%d_%H}" if hour else ""
        return self._rx.request(self._login + hour_field)

    def read_inbound(self, response: httpx.Response) -> Page[InboundMessage]:
        """Read `100{&}number||text||time||gateway number{&}…`; an empty body is no replies.

        Section 5. A text may hold the separators itself: a row begins where digits and `||` follow
        `{&}`, and its last two fields are the time and the gateway's number. Nothing shows that a
        row ends but the next one: the last row of a page that was cut off may be half of one.
        """
        failure = http_failure(self.table, response)
        if failure:
            return Page(refusal=failure)
        text = strip_blanks(_text(response))
        rows = _split_rows(text)
        code, _, stray = next(rows).partition("{&}")
        if strip_blanks(code) not in {"100", ""}:
            return Page(refusal=self._refusal(text) or unreadable_result(self.table, text))
        messages, damaged = [], int(bool(strip_blanks(stray)))
        whole_rows = list(rows)[:-1] if cut_reason(response) else rows
        for row in whole_rows:
            message = self._inbound(row)
            if message is None:
                damaged += 1
            else:
                messages.append(message)
        return Page(tuple(messages), damaged=damaged)

    def balance_request(self, at: datetime) -> httpx.Request:
        """Build an `mm` call, which reads the balance (section 6)."""
        return self._mm.request(self._login)

    def read_balance(self, response: httpx.Response) -> Balance:
        """Read `100||22348`, in texts (section 6)."""
        remaining = self._count(response)
        if isinstance(remaining, Result):
            return Balance(refusal=remaining)
        return Balance((Pool("texts", remaining),))

    def sent_count_request(self, at: datetime) -> httpx.Request:
        """Build an `mm` call for the count of all that was ever sent (section 7)."""
        return self._mm.request(f"{self._login}&cmd=send")

    def read_sent_count(self, response: httpx.Response) -> SentCount:
        """Read `100||22348`; whether it counts messages or segments is not said (section 7)."""
        count = self._count(response)
        return SentCount(refusal=count) if isinstance(count, Result) else SentCount(count)

    def _refusal(self, text: str) -> Result | None:
        """Return the result of a bare code; None when the text is none."""
        return self.table.read(text) if _CODE.fullmatch(text) else None

    def _count(self, response: httpx.Response) -> int | Result:
        """Read the count behind `100||`, or the result of an answer without one."""
        failure = http_failure(self.table, response)
        if failure:
            return failure
        text = strip_blanks(_text(response))
        code, _, count_text = text.partition("||")
        count = read_count(count_text)
        if code.strip() == "100":
            return unreadable_result(self.table, text) if count is None else count
        return self._refusal(code.strip()) or unreadable_result(self.table, text)

    def _inbound(self, row: str) -> InboundMessage | None:
        sender, _, fields = row.partition("||")
        msisdn = read_msisdn(sender)
        if msisdn is None or fields.count("||") < 2:
            return None
        text, time, called_number = fields.rsplit("||", 2)
        service_number = strip_blanks(called_number)
        if not (service_number.isascii() and service_number.isdigit()):
            return None
        return InboundMessage(
            msisdn,
            make_storable(text),
            extension=self._extension(service_number),
            service_number=service_number,
            received_at=read_time(time),
        )

    def _extension(self, service_number: str) -> str | None:
        """Return what follows the account's own number in the number that was written to."""
        if not self._service_number or not service_number.startswith(self._service_number):
            return None
        return service_number.removeprefix(self._service_number) or None


def _split_rows(text: str) -> Iterator[str]:
    """Yield what stands before the first row, and then each row."""
    start = 0
    for separator in _ROW.finditer(text):
        yield text[start : separator.start()]
        start = separator.end()
    yield text[start:]


def _text(response: httpx.Response) -> str:
    return decode(response.content, "gbk", "utf-8")


def _format_schedule(value: object) -> str | None:
    """Return a time as section 4 writes it, of Beijing, or raise `ValueError` saying how."""
    if value is None:
        return None
    how = 'write "2010-05-27 12:01" (Beijing time), or a time with its zone'
    time: object
    try:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{5}", value):
            time = datetime.strptime(value, "%Y-%m-%d %H:%M").replace(tzinfo=SHANGHAI)
        else:
            time = datetime.fromisoformat(value) if isinstance(value, str) else value
        if isinstance(time, datetime) and time.tzinfo:
            return f"{time.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError):
        pass
    raise ValueError(how)
