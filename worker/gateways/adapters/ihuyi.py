"""The gateway of document 002 (106.ihuyi.com): one number for each call, XML or JSON, templates.

Balance, templates and pushes are only mentioned in the document; their forms are those of the
vendor's public page (balance, `templateid`) and of public client code (pushes).
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import httpx
from pydantic import BaseModel, ConfigDict, Field

from worker.domain.enums import Reports, ReportStatus
from worker.domain.errors import Problem
from worker.domain.recipient_windows import Window, Windows
from worker.domain.secret_fields import Secret
from worker.gateways.account_settings import AccountSettings
from worker.gateways.base import (
    Capabilities,
    Content,
    Gateway,
    OutgoingSubmission,
)
from worker.gateways.code_table import CodeTable
from worker.gateways.formats import content_limits, json_reader, xml_reader
from worker.gateways.formats.forms import Endpoint, form
from worker.gateways.formats.non_answers import failure, unreadable
from worker.gateways.formats.push_rows import pushed
from worker.gateways.formats.values import (
    beijing,
    decoded,
    number,
    said,
    tidy,
    whole,
    word,
)
from worker.gateways.results import (
    Balance,
    InboundMessage,
    Pool,
    Pushed,
    Report,
    Result,
    Results,
)

Names = Annotated[tuple[str, ...], Field(min_length=1)]


class PushFields(BaseModel):
    """What the fields of a push are called, each by the names to try in order (public code)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gateway_id: Names = ("smsid", "task_id")
    msisdn: Names = ("mobilephone", "mobile")
    code: Names = ("code",)
    words: Names = ("msg",)
    reported_at: Names = ("report_time",)
    text: Names = ("content",)
    received_at: Names = ("replyTime", "reply_time")


class IhuyiSettings(AccountSettings):
    """An account at document 002's gateway: its APIID and APIKEY."""

    LOGIN: ClassVar[str] = "account"
    LOGIN_WRITTEN: ClassVar[tuple[str, ...]] = ("dynamic_password",)

    base_url: str = "https://106.ihuyi.com"
    account: str
    api_key: Secret
    #: Sends an MD5 over the call and its time in the key's place.
    dynamic_password: bool = False
    format: Literal["xml", "json"] = "xml"
    method: Literal["POST", "GET"] = "POST"
    #: Document 002 says 300 characters, the vendor's present page 500; 4073 answers what is over.
    longest: Annotated[int, Field(ge=1)] = 300
    #: Once a second (4080) and five times a day (4082); more is the platform's to allow (002).
    per_msisdn: Windows = (Window(1, 1000), Window(5, None))
    push_fields: PushFields = PushFields()


class Ihuyi(Gateway):
    """Document 002: `Submit`, and by the vendor's public page `GetNum`; reports are pushed."""

    name = "ihuyi"
    Settings = IhuyiSettings
    codes = CodeTable.load(name)

    def __init__(self, settings: IhuyiSettings) -> None:
        super().__init__(settings)
        self._account = settings.account
        self._key = settings.api_key.get_secret_value()
        self._dynamic = settings.dynamic_password
        self._format = settings.format
        self._names = settings.push_fields
        page = f"{settings.base_url}/webservice/sms.php?method="
        self._submit = Endpoint(httpx.URL(f"{page}Submit"), settings.method)
        self._num = Endpoint(httpx.URL(f"{page}GetNum"), settings.method)
        self._capabilities = Capabilities(
            batch_cap=1,
            longest=settings.longest,
            emoji=False,
            templates=True,
            reports=frozenset({Reports.PUSH}),
            inbound=True,
            balance=True,
        )

    @property
    def capabilities(self) -> Capabilities:
        """One mobile in a submission, no emoji (4074); reports and replies come as pushes."""
        return self._capabilities

    def problems(self, content: Content) -> list[Problem]:
        """Check a template's number and values; refuse options and extensions."""
        return [
            *content_limits.unknown_options(self.name, content.options, ()),
            *content_limits.no_extension(self.name, content),
            *_template_problems(content),
        ]

    def body(self, content: Content) -> str:
        """Return the text; with a template its values joined by `|`, as `content` carries them.

        Values stand in the order of their names where these are numbers, else as they were given: a
        database may have sorted them.
        """
        if content.template is None or not content.variables:
            return content.text
        names = list(content.variables)
        if all(name.isdecimal() for name in names):
            names.sort(key=int)
        return "|".join(content.variables[name] for name in names)

    def submit_request(self, parcel: OutgoingSubmission, at: datetime) -> httpx.Request:
        """Build a `Submit` call; `method` stays in the query, also with POST."""
        (msisdn,) = parcel.msisdns
        content = self.body(parcel.content)
        told = {"mobile": msisdn, "content": content}
        if parcel.content.template is not None:
            told["templateid"] = parcel.content.template
        return self._submit.request(form(self._signed(at, msisdn, content) | told | self._tail()))

    def read_results(self, response: httpx.Response, parcel: OutgoingSubmission) -> Results:
        """Read `code`, `msg` and `smsid`, which is kept as text: it has 20 digits; 0 is none."""
        answer = self._answer(response)
        if isinstance(answer, Result):
            return Results(answer)
        smsid = word(answer.get("smsid"))
        gateway_id = smsid if smsid.strip("0") else None
        return Results(self.table.read(word(answer["code"]), tidy(answer.get("msg")), gateway_id))

    def balance_request(self, at: datetime) -> httpx.Request:
        """Build a `GetNum` call (the vendor's public page)."""
        return self._num.request(form(self._signed(at) | self._tail()))

    def read_balance(self, response: httpx.Response) -> Balance:
        """Read `num`, in texts; its JSON form is read by analogy to its XML."""
        answer = self._answer(response)
        if isinstance(answer, Result):
            return Balance(refusal=answer)
        if word(answer["code"]) != "2":
            return Balance(refusal=self.table.read(word(answer["code"]), tidy(answer.get("msg"))))
        left = whole(answer.get("num"))
        if left is None:
            return Balance(refusal=unreadable(self.table, "no num"))
        return Balance((Pool("texts", left),))

    def read_push(self, push: httpx.Request) -> Pushed:
        """Read a receipt (it has `code`: 2 is delivered) or a reply (it has `content`).

        The field names are those of public client code and can be set.
        """
        found, damaged = pushed(push, self._names.msisdn[0])
        items = [self._report(row) or self._inbound(row) for row in found]
        return Pushed(
            tuple(item for item in items if isinstance(item, Report)),
            tuple(item for item in items if isinstance(item, InboundMessage)),
            damaged + items.count(None),
        )

    def push_answer(self) -> httpx.Response:
        """The plain text `success` (public client code)."""
        return httpx.Response(200, headers={"Content-Type": "text/plain"}, content=b"success")

    def _signed(self, at: datetime, *said: str) -> dict[str, str]:
        if not self._dynamic:
            return {"account": self._account, "password": self._key}
        time = str(int(at.timestamp()))
        # The vendor's document, section 7: account, key, number, content, time, without separators.
        whole_call = "".join((self._account, self._key, *said, time)).encode()
        digest = hashlib.md5(whole_call, usedforsecurity=False).hexdigest()
        return {"account": self._account, "password": digest, "time": time}

    def _tail(self) -> dict[str, str]:
        return {"format": self._format}

    def _answer(self, response: httpx.Response) -> Mapping[str, Any] | Result:
        failed = failure(self.table, response)
        if failed:
            return failed
        text = decoded(response.content, "utf-8", "gbk")
        answer = _parsed(text)
        if not word(answer.get("code")):
            return unreadable(self.table, text)
        return answer

    def _report(self, row: Mapping[str, Any]) -> Report | None:
        msisdn = number(_first(row, self._names.msisdn))
        code = word(_first(row, self._names.code))
        if msisdn is None or not code:
            return None
        return Report(
            msisdn,
            ReportStatus.DELIVERED if code == "2" else ReportStatus.UNDELIVERED,
            code,
            gateway_id=word(_first(row, self._names.gateway_id)) or None,
            words=tidy(_first(row, self._names.words)),
            reported_at=beijing(_first(row, self._names.reported_at)),
        )

    def _inbound(self, row: Mapping[str, Any]) -> InboundMessage | None:
        msisdn = number(_first(row, self._names.msisdn))
        text = said(_first(row, self._names.text))
        if msisdn is None or text is None:
            return None
        return InboundMessage(
            msisdn,
            text,
            gateway_id=word(_first(row, self._names.gateway_id)) or None,
            received_at=beijing(_first(row, self._names.received_at)),
        )


def _parsed(text: str) -> Mapping[str, Any]:
    """Read either form, whichever was asked for; {} when it is neither."""
    try:
        return xml_reader.leaves(xml_reader.parse(text, r"\w*Result"))
    except ValueError:
        pass
    try:
        answer = json_reader.read(text)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _first(row: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((row[name] for name in names if name in row), None)


def _template_problems(content: Content) -> list[Problem]:
    if content.template is None:
        lonely = "belong to a template; name it, or write them into the text"
        return [Problem("variables", lonely)] if content.variables else []
    found = [
        Problem(f"variables.{name}", "holds a |, which parts the values; write it otherwise")
        for name, value in content.variables.items()
        if "|" in value
    ]
    if not (content.template.isascii() and content.template.isdigit()):
        found.append(Problem("template", "is the number of a template in the vendor's console"))
    return found
