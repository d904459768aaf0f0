"""Speaks to the gateway of document 002 (106.ihuyi.com): one number a call, XML or JSON, templates.

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
from worker.gateways.formats.forms import Endpoint, encode_form
from worker.gateways.formats.non_answers import http_failure, unreadable_result
from worker.gateways.formats.push_rows import push_contents, read_rows
from worker.gateways.formats.values import (
    decode,
    read_count,
    read_msisdn,
    read_text,
    read_time,
    read_word,
    tidy_words,
)
from worker.gateways.results import (
    Balance,
    InboundMessage,
    Pool,
    PushContents,
    Report,
    Result,
    Results,
)

FieldNames = Annotated[tuple[str, ...], Field(min_length=1)]


class PushFields(BaseModel):
    """The names of a push's fields: for each the names to try, in order (public code)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gateway_id: FieldNames = ("smsid", "task_id")
    msisdn: FieldNames = ("mobilephone", "mobile")
    code: FieldNames = ("code",)
    words: FieldNames = ("msg",)
    reported_at: FieldNames = ("report_time",)
    text: FieldNames = ("content",)
    received_at: FieldNames = ("replyTime", "reply_time")


class IhuyiSettings(AccountSettings):
    """An account at document 002's gateway: its APIID and APIKEY."""

    LOGIN_FIELD: ClassVar[str] = "account"
    LOGIN_FORMAT_FIELDS: ClassVar[tuple[str, ...]] = ("dynamic_password",)

    base_url: str = "https://106.ihuyi.com"
    account: str
    api_key: Secret
    #: Sends an MD5 over the call and its time in the key's place.
    dynamic_password: bool = False
    format: Literal["xml", "json"] = "xml"
    method: Literal["POST", "GET"] = "POST"
    #: Document 002 says 300 characters, the vendor's present page 500; a longer text gets 4073.
    longest: Annotated[int, Field(ge=1)] = 300
    #: Once a second (4080) and five times a day (4082), unless the platform allows more (002).
    per_msisdn: Windows = (Window(1, 1000), Window(5, None))
    push_fields: PushFields = PushFields()


class Ihuyi(Gateway):
    """An account by document 002: `Submit`, and by the vendor's public page `GetNum`; pushes."""

    name = "ihuyi"
    Settings = IhuyiSettings
    codes = CodeTable.load(name)

    def __init__(self, settings: IhuyiSettings) -> None:
        super().__init__(settings)
        self._account = settings.account
        self._api_key = settings.api_key
        self._dynamic = settings.dynamic_password
        self._format = settings.format
        self._push_fields = settings.push_fields
        page = f"{settings.base_url}/webservice/sms.php?method="
        self._submit = Endpoint(httpx.URL(f"{page}Submit"), settings.method)
        self._get_num = Endpoint(httpx.URL(f"{page}GetNum"), settings.method)
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
            *content_limits.unknown_option_problems(self.name, content.options, ()),
            *content_limits.extension_problems(self.name, content),
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

    def submit_request(self, submission: OutgoingSubmission, at: datetime) -> httpx.Request:
        """Build a `Submit` call; `method` stays in the query, also with POST."""
        (msisdn,) = submission.msisdns
        content = self.body(submission.content)
        fields = {"mobile": msisdn, "content": content}
        if submission.content.template is not None:
            fields["templateid"] = submission.content.template
        login = self._login_fields(at, msisdn, content)
        return self._submit.request(encode_form(login | fields | self._format_field()))

    def read_results(self, response: httpx.Response, submission: OutgoingSubmission) -> Results:
        """Read `code`, `msg` and `smsid`, which is kept as text (it has 20 digits); 0 is none."""
        answer = self._parse_answer(response)
        if isinstance(answer, Result):
            return Results(answer)
        smsid = read_word(answer.get("smsid"))
        gateway_id = smsid if smsid.strip("0") else None
        return Results(self._result(answer, gateway_id))

    def balance_request(self, at: datetime) -> httpx.Request:
        """Build a `GetNum` call (the vendor's public page)."""
        return self._get_num.request(encode_form(self._login_fields(at) | self._format_field()))

    def read_balance(self, response: httpx.Response) -> Balance:
        """Read `num`, in texts; its JSON form is read by analogy to its XML."""
        answer = self._parse_answer(response)
        if isinstance(answer, Result):
            return Balance(refusal=answer)
        if read_word(answer["code"]) != "2":
            return Balance(refusal=self._result(answer))
        remaining = read_count(answer.get("num"))
        if remaining is None:
            return Balance(refusal=unreadable_result(self.table, "no num"))
        return Balance((Pool("texts", remaining),))

    def read_push(self, push: httpx.Request) -> PushContents:
        """Read a receipt (it has `code`: 2 is delivered) or a reply (it has `content`).

        The field names are those of public client code and can be set.
        """
        rows, damaged = read_rows(push, self._push_fields.msisdn[0])
        readings = [self._report(row) or self._inbound(row) for row in rows]
        return push_contents(readings, damaged)

    def push_answer(self) -> httpx.Response:
        """Return the plain text `success` (public client code)."""
        return httpx.Response(200, headers={"Content-Type": "text/plain"}, content=b"success")

    def _login_fields(self, at: datetime, *arguments: str) -> dict[str, str]:
        """Return the login: with the key itself, or with an MD5 over the call and its time."""
        if not self._dynamic:
            return {"account": self._account, "password": self._api_key.get_secret_value()}
        time = str(int(at.timestamp()))
        # The vendor's document, section 7: account, key, number, content, time, without separators.
        key = self._api_key.get_secret_value()
        signed_text = "".join((self._account, key, *arguments, time)).encode()
        digest = hashlib.md5(signed_text, usedforsecurity=False).hexdigest()
        return {"account": self._account, "password": digest, "time": time}

    def _result(self, answer: Mapping[str, Any], gateway_id: str | None = None) -> Result:
        return self.table.read(read_word(answer["code"]), tidy_words(answer.get("msg")), gateway_id)

    def _format_field(self) -> dict[str, str]:
        return {"format": self._format}

    def _parse_answer(self, response: httpx.Response) -> Mapping[str, Any] | Result:
        """Return an answer that has a `code`, or the result of one that says nothing."""
        failure = http_failure(self.table, response)
        if failure:
            return failure
        text = decode(response.content, "utf-8", "gbk")
        answer = _parse(text)
        if not read_word(answer.get("code")):
            return unreadable_result(self.table, text)
        return answer

    def _report(self, row: Mapping[str, Any]) -> Report | None:
        msisdn = read_msisdn(_first_field(row, self._push_fields.msisdn))
        code = read_word(_first_field(row, self._push_fields.code))
        if msisdn is None or not code:
            return None
        return Report(
            msisdn,
            ReportStatus.DELIVERED if code == "2" else ReportStatus.UNDELIVERED,
            code,
            gateway_id=read_word(_first_field(row, self._push_fields.gateway_id)) or None,
            words=tidy_words(_first_field(row, self._push_fields.words)),
            reported_at=read_time(_first_field(row, self._push_fields.reported_at)),
        )

    def _inbound(self, row: Mapping[str, Any]) -> InboundMessage | None:
        msisdn = read_msisdn(_first_field(row, self._push_fields.msisdn))
        text = read_text(_first_field(row, self._push_fields.text))
        if msisdn is None or text is None:
            return None
        return InboundMessage(
            msisdn,
            text,
            gateway_id=read_word(_first_field(row, self._push_fields.gateway_id)) or None,
            received_at=read_time(_first_field(row, self._push_fields.received_at)),
        )


def _parse(text: str) -> Mapping[str, Any]:
    """Read either form, whichever was asked for; {} when it is neither."""
    try:
        return xml_reader.child_texts(text, r"\w*Result")
    except ValueError:
        pass
    try:
        answer = json_reader.parse(text)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _first_field(row: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    """Return the field under the first of `names` that the row has; None if it has none."""
    return next((row[name] for name in names if name in row), None)


def _template_problems(content: Content) -> list[Problem]:
    if content.template is None:
        advice = "belong to a template; name it, or write them into the text"
        return [Problem("variables", advice)] if content.variables else []
    problems = [
        Problem(f"variables.{name}", "holds a |, which parts the values; write it otherwise")
        for name, value in content.variables.items()
        if "|" in value
    ]
    if not (content.template.isascii() and content.template.isdigit()):
        problems.append(Problem("template", "is the number of a template in the vendor's console"))
    return problems
