"""Speaks to Alibaba Cloud's text messages (阿里云短信, Dysmsapi 2017-05-25), by approved templates.

One answer speaks for a whole call, and names it by one `BizId`. Our reference goes as `OutId`, and
receipts and `QuerySendDetails` bring it back. There is no idempotence: a repeat is a second text.
Sources: help.aliyun.com 55284 (SendSms), 66041 (SendBatchSms), 419277 (QuerySendDetails), 101346.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar, Literal

import httpx

from worker.domain.enums import Advice, Fault, Outcome, Reports
from worker.domain.errors import Problem
from worker.domain.secret_fields import Secret
from worker.domain.timezone import SHANGHAI
from worker.gateways.account_settings import AccountSettings
from worker.gateways.adapters import aliyun_receipts, aliyun_signature
from worker.gateways.adapters.aliyun_signature import AccessKey, SignedCall
from worker.gateways.base import Capabilities, Content, Gateway, OutgoingSubmission, SentQuery
from worker.gateways.code_table import CodeTable
from worker.gateways.formats import content_limits, json_reader, json_rows
from worker.gateways.formats.forms import CONTENT_TYPE
from worker.gateways.formats.non_answers import http_failure, unreadable_result
from worker.gateways.formats.push_rows import push_contents, read_rows
from worker.gateways.formats.values import decode, read_msisdn, read_word, tidy_words
from worker.gateways.results import (
    Page,
    PushContents,
    Result,
    Results,
    SentRow,
)

VERSION = "2017-05-25"
SUCCESS = "OK"
BATCH_CAP = 1000
PERSONAL_CAP = 100
#: The longest query, in characters: an address that is longer cannot be built.
MAX_QUERY_LENGTH = 60_000
#: The most rows of one page of `QuerySendDetails`.
QUERY_ROWS = 50
#: How far from midnight a call may have been counted to either day.
MIDNIGHT_MARGIN = timedelta(minutes=10)

_LIMIT_CODE = "isv.BUSINESS_LIMIT_CONTROL"
#: The span that a limit for one number is about, by a word in the message; the first that fits.
_LIMIT_SPANS = (
    (re.compile("分钟|minute", re.IGNORECASE), 60.0),
    (re.compile("小时|hour", re.IGNORECASE), 3600.0),
    (re.compile("天|日级|day", re.IGNORECASE), 86_400.0),
)
#: What an answer that repeats parts of the request has in it.
_ECHO = re.compile(
    r"signature|string.?to.?sign|access.?key|phone.?number|template.?param|%3d|%26", re.IGNORECASE
)
#: A shorter value may stand in any words by chance.
_TELLING_LENGTH = 4


class AliyunSettings(AccountSettings):
    """An account at Alibaba Cloud: the key of a RAM user that may send text messages."""

    LOGIN_FIELD: ClassVar[str] = "access_key_id"
    #: What the platform allows to one number, for one signature (codes) or signature and template.
    LIMIT_PRESETS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "otp": ("1/1m", "5/1h", "10/24h"),
        "notice": ("50/24h",),
    }

    base_url: str = "https://dysmsapi.aliyuncs.com"
    access_key_id: str
    access_key_secret: Secret
    #: The signature, without 【】, of a template that a call names by its code; a registered one
    #: brings its own.
    signature: str = ""
    #: Where fields stand: in the address, as documented, or as a form in the body.
    parameters: Literal["query", "form"] = "query"


class Aliyun(Gateway):
    """An account by Dysmsapi: `SendSms`, `SendBatchSms`, `QuerySendDetails`, and two pushes."""

    name = "aliyun"
    Settings = AliyunSettings
    codes = CodeTable.load(name)
    settings: AliyunSettings

    _CAPABILITIES: ClassVar[Capabilities] = Capabilities(
        batch_cap=BATCH_CAP,
        personal_cap=PERSONAL_CAP,
        extension=True,
        reference=True,
        templates=True,
        texts=False,
        reports=frozenset({Reports.PUSH}),
        inbound=True,
        query=True,
    )

    @cached_property
    def _key(self) -> AccessKey:
        secret = self.settings.access_key_secret.get_secret_value()
        return AccessKey(self.settings.access_key_id, secret)

    @property
    def capabilities(self) -> Capabilities:
        """1,000 numbers with one set of values, or 100 with values of their own; no balance."""
        return self._CAPABILITIES

    def problems(self, content: Content) -> list[Problem]:
        """Check that a template has a signature, and the extension; refuse options."""
        problems = [
            *content_limits.unknown_option_problems(self.name, content.options, ()),
            *content_limits.extension_digit_problems(content),
        ]
        if content.template and not self._signature(content):
            advice = "needs a signature: set `signature` of the account, or register the template"
            problems.append(Problem("template", advice))
        return problems

    def submit_request(self, submission: OutgoingSubmission, at: datetime) -> httpx.Request:
        """Build a `SendSms` call, or `SendBatchSms` where the recipients' values differ.

        The nonce is our reference, which no other call has.
        """
        fields = {"TemplateCode": submission.content.template or "", "OutId": submission.reference}
        value_sets = [submission.values_at(position) for position in range(len(submission.values))]
        shared = value_sets[0] if value_sets else submission.content.variables
        signature = self._signature(submission.content)
        extension = submission.content.extension
        if any(values != shared for values in value_sets):
            count = len(submission.msisdns)
            fields["PhoneNumberJson"] = _json(submission.msisdns)
            fields["SignNameJson"] = _json([signature] * count)
            fields["TemplateParamJson"] = _json([dict(values) for values in value_sets])
            if extension:
                fields["SmsUpExtendCodeJson"] = _json([extension] * count)
            return self._request("SendBatchSms", fields, submission.reference, at)
        fields["PhoneNumbers"] = ",".join(submission.msisdns)
        fields["SignName"] = signature
        if shared:
            fields["TemplateParam"] = _json(dict(shared))
        if extension:
            fields["SmsUpExtendCode"] = extension
        return self._request("SendSms", fields, submission.reference, at)

    def read_results(self, response: httpx.Response, submission: OutgoingSubmission) -> Results:
        """Read `Code`: "OK" alone is success, whatever else may be said; `BizId` names the call.

        A batch in which some number has had enough is split until that number is found.
        """
        answer = self._parse(response, _values(submission))
        if isinstance(answer, Result):
            return Results(answer)
        result = self._result(answer, _values(submission))
        if result.outcome is Outcome.ACCEPTED:
            return Results(replace(result, gateway_id=read_word(answer.get("BizId")) or None))
        if result.advice is Advice.RECIPIENT_UNTIL and len(submission.msisdns) > 1:
            refusal = replace(result, outcome=Outcome.REJECTED, fault=Fault.NUMBER)
            return Results(replace(refusal, advice=None, wait=None))
        return Results(result)

    def query_request(self, query: SentQuery, at: datetime) -> httpx.Request:
        """Build a `QuerySendDetails` call about the day in Beijing on which a call began."""
        return self._query_day(query, query.called_at, at)

    def query_requests(self, query: SentQuery, at: datetime) -> Sequence[httpx.Request]:
        """Build a call for each day in Beijing that the platform may have counted a call to."""
        first = query.called_at.astimezone(SHANGHAI)
        moments = (first, first - MIDNIGHT_MARGIN, first + MIDNIGHT_MARGIN)
        by_day = {f"{moment:%Y%m%d}": moment for moment in moments}
        return tuple(self._query_day(query, moment, at) for moment in by_day.values())

    def read_query(self, response: httpx.Response) -> Page[SentRow]:
        """Read the rows of `SmsSendDetailDTOs`; only our own `OutId` can prove anything."""
        answer = self._parse(response)
        if isinstance(answer, Result):
            return Page(refusal=answer)
        if read_word(answer["Code"]) != SUCCESS:
            return Page(refusal=self._result(answer))
        page = json_rows.read(decode(response.content, "utf-8"), "PhoneNum", _sent_row)
        return Page(tuple(page.items), damaged=page.damaged)

    def read_push(self, push: httpx.Request) -> PushContents:
        """Read a list of receipts, or of replies: these alone have `content`."""
        rows, damaged = read_rows(push, "phone_number")
        readings = [
            aliyun_receipts.read_report(row)
            if "success" in row or "err_code" in row
            else aliyun_receipts.read_reply(row)
            for row in rows
        ]
        return push_contents(readings, damaged)

    def push_answer(self) -> httpx.Response:
        """Return status 200 and a `code` that is a number (help.aliyun.com 101867)."""
        return httpx.Response(
            200, headers={"Content-Type": "application/json"}, content=b'{"code":0,"msg":"OK"}'
        )

    def _signature(self, content: Content) -> str:
        return content.signature_id or content.signature or self.settings.signature

    def _query_day(self, query: SentQuery, moment: datetime, at: datetime) -> httpx.Request:
        day = f"{moment.astimezone(SHANGHAI):%Y%m%d}"
        fields = {
            "PhoneNumber": query.msisdn,
            "SendDate": day,
            "PageSize": str(QUERY_ROWS),
            "CurrentPage": "1",
        }
        seed = f"{query.reference}/{query.msisdn}/{day}/{at.timestamp():.6f}"
        nonce = hashlib.sha256(seed.encode()).hexdigest()[:32]
        return self._request("QuerySendDetails", fields, nonce, at)

    def _request(
        self, action: str, fields: Mapping[str, str], nonce: str, at: datetime
    ) -> httpx.Request:
        """Build a signed call. What is too long for an address goes as a form."""
        query, body = aliyun_signature.write_query(fields), b""
        content_headers = {}
        if self.settings.parameters == "form" or len(query) > MAX_QUERY_LENGTH:
            query, body = "", query.encode("ascii")
            content_headers["content-type"] = CONTENT_TYPE
        url = httpx.URL(f"{self.settings.base_url}/{'?' if query else ''}{query}")
        headers = aliyun_signature.call_headers(action, VERSION, nonce, at, body) | content_headers
        request = httpx.Request("POST", url, headers=headers, content=body)
        request.headers["Authorization"] = aliyun_signature.authorization(
            self._key,
            SignedCall("POST", query, body),
            headers | {"host": request.headers["host"]},
        )
        return request

    def _parse(
        self, response: httpx.Response, values: Iterable[str] = ()
    ) -> Mapping[str, Any] | Result:
        """Return an answer that has a `Code`, or the result of one that says nothing.

        What the platform's front refuses (signatures, keys, pace) has a status outside of 2xx: its
        code counts where a table has it, and none of them is a success.
        """
        text = decode(response.content, "utf-8")
        try:
            answer = json_reader.parse(text)
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or not read_word(answer.get("Code")):
            failure = http_failure(self.table, response) or unreadable_result(self.table, text)
            return _screened(failure, text, (self.settings.access_key_id, *values))
        if response.is_success:
            return answer
        result = self._result(answer)
        if read_word(answer.get("RequestId")) and result.mapped and not _is_success(result):
            return answer
        foreign = http_failure(self.table, response)
        return _screened(foreign or result, text, (self.settings.access_key_id, *values))

    def _result(self, answer: Mapping[str, Any], values: Iterable[str] = ()) -> Result:
        """Read an answer's code, and its words where they repeat nothing of the request."""
        code, words = read_word(answer["Code"]), tidy_words(answer.get("Message"))
        key = self._key_of(code)
        result = replace(self.table.read(key, words), code=code)
        if code == _LIMIT_CODE and result == self.codes.read(code, words):
            result = replace(result, wait=_limit_wait(words, result.wait))
        meaning = self.codes.meanings.get(key)
        kept_words = meaning.meaning if meaning else ""
        if not code.startswith(("isv.", "isp.", SUCCESS)):
            return replace(result, words=kept_words)
        secrets = (self.settings.access_key_id, *values)
        return _screened(result, words, secrets, kept_words)

    def _key_of(self, code: str) -> str:
        """Return what a code is called in the table: it may be one of a family, `Forbidden.*`."""
        if code in self.codes.meanings or code in self.settings.codes:
            return code
        families = (key for key in self.codes.meanings if key.endswith("*"))
        return next((key for key in families if code.startswith(key[:-1])), code)


def _is_success(result: Result) -> bool:
    return result.outcome is Outcome.ACCEPTED


def _limit_wait(words: str, usual: float | None) -> float | None:
    """Return for how long a number has to wait, by the span that the platform's words name."""
    return next((wait for span, wait in _LIMIT_SPANS if span.search(words)), usual)


def _screened(result: Result, text: str, secrets: Iterable[str], words: str = "") -> Result:
    """Return a result with other words where the platform repeated parts of the request."""
    repeats = _ECHO.search(text) or any(secret in text for secret in secrets if secret)
    return replace(result, words=words) if repeats else result


def _values(submission: OutgoingSubmission) -> Iterator[str]:
    """Yield the values of a submission that would be known again in other words."""
    for values in (submission.content.variables, *submission.values):
        yield from (value for value in values.values() if len(value) >= _TELLING_LENGTH)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _sent_row(row: Mapping[str, Any]) -> SentRow | None:
    """Read a row; its text is left out: an equal text proves nothing where templates repeat."""
    msisdn = read_msisdn(row.get("PhoneNum"))
    if msisdn is None:
        return None
    return SentRow(msisdn, aliyun_receipts.read_reference(row.get("OutId")))
