"""The gateway of document 001 (http.c123.com): forms in GBK or UTF-8, three-digit answers in GBK.

It gives no ids and no delivery reports: what it took is known from its sent counter alone.
"""

import hashlib
import re
from datetime import datetime
from typing import Annotated, ClassVar, Literal

import httpx
from pydantic import Field

from worker.domain.durations import Duration
from worker.domain.enums import NumberKind
from worker.domain.errors import Problem
from worker.domain.secret_fields import Secret
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
    encoded,
    form,
    numbers,
)
from worker.gateways.formats.non_answers import failure, unreadable
from worker.gateways.formats.values import (
    BEIJING,
    bare,
    beijing,
    clean,
    decoded,
    number,
    whole,
)
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
CAPS = {"GET": 50, "POST": 2000}
#: Where a URL is kept under the 64 KiB that httpx carries, at 9 bytes for a Chinese character.
LONGEST_IN_URL = 5000

_CODE = re.compile(r"[0-9]{3}")
_ROW = re.compile(r"\{&\}(?=\+?[0-9*]{5,20}\|\|)")


class C123Settings(AccountSettings):
    """An account at document 001's gateway."""

    LOGIN: ClassVar[str] = "uid"

    base_url: str = "http://http.c123.com"
    uid: str
    password: Secret
    #: How requests are written; utf-8 adds `encode=utf8`. Answers are GBK either way (section 2).
    charset: Literal["gbk", "utf-8"] = "gbk"
    #: GET carries 50 numbers where POST carries 2,000.
    method: Literal["POST", "GET"] = "POST"
    #: The account's own number at the carriers: a reply's extension is what follows it.
    service_number: Annotated[str, Field(pattern=r"^[0-9]*$")] = ""
    #: What has to lie between two calls of `rx`: "every 10 minutes" (section 5).
    rx_spacing: Duration = 600.0


class C123(Gateway):
    """Document 001: `tx` sends, `rx` brings replies, `mm` counts what is left and what was sent."""

    name = "c123"
    Settings = C123Settings
    codes = CodeTable.load(name)

    def __init__(self, settings: C123Settings) -> None:
        super().__init__(settings)
        self._charset = settings.charset
        self._own_number = settings.service_number
        self._tx, self._rx, self._mm = (
            Endpoint(httpx.URL(f"{settings.base_url}/{path}/"), settings.method)
            for path in ("tx", "rx", "mm")
        )
        secret = encoded(settings.password.get_secret_value(), settings.charset)
        # Lower case and unsalted: the sample in section 4 is the MD5 of 9999.
        digest = hashlib.md5(secret, usedforsecurity=False).hexdigest()
        self._login = form({"uid": settings.uid, "pwd": digest}, settings.charset)
        self._ending = "&encode=utf8" if settings.charset == "utf-8" else ""
        self._capabilities = Capabilities(
            batch_cap=CAPS[settings.method],
            charset=settings.charset,
            longest=LONGEST_IN_URL if settings.method == "GET" else None,
            kinds=frozenset({NumberKind.MOBILE, NumberKind.LANDLINE}),
            # Its answers stay GBK whatever the request was: so is its inside, which has no emoji.
            emoji=False,
            extension=True,
            inbound=True,
            balance=True,
            sent_count=True,
            inbound_by_hour=True,
            inbound_spacing=settings.rx_spacing,
        )

    @property
    def capabilities(self) -> Capabilities:
        """Mobiles and landlines, 2,000 by POST and 50 by GET (section 4)."""
        return self._capabilities

    def problems(self, content: Content) -> list[Problem]:
        """Check the option `time` and the digits of the extension; refuse templates."""
        found = [
            *content_limits.unknown_options(self.name, content.options, ("time",)),
            *content_limits.no_template(self.name, content),
            *content_limits.digits_only(content),
        ]
        try:
            _scheduled(content.options.get("time"))
        except ValueError as error:
            found.append(Problem("options.time", str(error)))
        return found

    def submit_request(self, parcel: OutgoingSubmission, at: datetime) -> httpx.Request:
        """Build a `tx` call; `time` and `mid` are left out where there are none (section 4)."""
        content = parcel.content
        optional = {"time": _scheduled(content.options.get("time")), "mid": content.extension}
        written = form(
            {"content": content.text} | {name: said for name, said in optional.items() if said},
            self._charset,
        )
        return self._tx.request(
            f"{self._login}&mobile={numbers(parcel.msisdns)}&{written}{self._ending}"
        )

    def read_results(self, response: httpx.Response, parcel: OutgoingSubmission) -> Results:
        """Read a bare status code, which speaks for all numbers (section 4)."""
        failed = failure(self.table, response)
        if failed:
            return Results(failed)
        text = bare(_text(response))
        return Results(self._refusal(text) or unreadable(self.table, text))

    def inbound_request(self, at: datetime, hour: datetime | None = None) -> httpx.Request:
        """Build an `rx` call; of one hour it can be repeated, without it what it reads is gone.

        Section 5: `time=YYYY-MM-DD_HH`, and ten minutes between calls.
        """
        named = f"&time={hour.astimezone(BEIJING):%Y-%m-%d_%H}" if hour else ""
        return self._rx.request(self._login + named)

    def read_inbound(self, response: httpx.Response) -> Page[InboundMessage]:
        """Read `100{&}number||text||time||gateway number{&}…`; an empty body is no replies.

        Section 5. A text may hold the separators itself: a row begins where digits and `||` follow
        `{&}`, and its last two fields are the time and the gateway's number.
        """
        failed = failure(self.table, response)
        if failed:
            return Page(refusal=failed)
        text = bare(_text(response))
        head, *rows = _ROW.split(text)
        code, _, stray = head.partition("{&}")
        if bare(code) not in {"100", ""}:
            return Page(refusal=self._refusal(text) or unreadable(self.table, text))
        items = [self._inbound(row) for row in rows]
        found = tuple(item for item in items if item)
        return Page(found, damaged=len(items) - len(found) + bool(bare(stray)))

    def balance_request(self, at: datetime) -> httpx.Request:
        """Build an `mm` call: what is left (section 6)."""
        return self._mm.request(self._login)

    def read_balance(self, response: httpx.Response) -> Balance:
        """Read `100||22348`, in texts (section 6)."""
        left = self._count(response)
        return (
            Balance(refusal=left) if isinstance(left, Result) else Balance((Pool("texts", left),))
        )

    def sent_count_request(self, at: datetime) -> httpx.Request:
        """Build an `mm` call for all that was ever sent (section 7)."""
        return self._mm.request(f"{self._login}&cmd=send")

    def read_sent_count(self, response: httpx.Response) -> SentCount:
        """Read `100||22348`; whether it counts messages or segments is not said (section 7)."""
        sent = self._count(response)
        return SentCount(refusal=sent) if isinstance(sent, Result) else SentCount(sent)

    def _refusal(self, text: str) -> Result | None:
        return self.table.read(text) if _CODE.fullmatch(text) else None

    def _count(self, response: httpx.Response) -> int | Result:
        failed = failure(self.table, response)
        if failed:
            return failed
        text = bare(_text(response))
        code, _, rest = text.partition("||")
        count = whole(rest)
        if code.strip() == "100":
            return unreadable(self.table, text) if count is None else count
        return self._refusal(code.strip()) or unreadable(self.table, text)

    def _inbound(self, row: str) -> InboundMessage | None:
        sender, *middle = row.split("||")
        msisdn = number(sender)
        if msisdn is None or len(middle) < 3:
            return None
        *text, time, called = middle
        service = bare(called)
        if not (service.isascii() and service.isdigit()):
            return None
        return InboundMessage(
            msisdn,
            clean("||".join(text)),
            extension=self._extension(service),
            service_number=service,
            received_at=beijing(time),
        )

    def _extension(self, service: str) -> str | None:
        if not self._own_number or not service.startswith(self._own_number):
            return None
        return service.removeprefix(self._own_number) or None


def _text(response: httpx.Response) -> str:
    return decoded(response.content, "gbk", "utf-8")


def _scheduled(value: object) -> str | None:
    """Return a time as section 4 writes it, of Beijing, or raise `ValueError` saying how."""
    if value is None:
        return None
    how = 'write "2010-05-27 12:01" (Beijing time), or a time with its zone'
    time: object
    try:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{5}", value):
            time = datetime.strptime(value, "%Y-%m-%d %H:%M").replace(tzinfo=BEIJING)
        else:
            time = datetime.fromisoformat(value) if isinstance(value, str) else value
        if isinstance(time, datetime) and time.tzinfo:
            return f"{time.astimezone(BEIJING):%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError):
        pass
    raise ValueError(how)
