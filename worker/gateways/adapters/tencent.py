"""Speaks to Tencent Cloud SMS (腾讯云短信), version 2021-01-11: signed JSON out, JSON back.

It takes templates only, and one set of values for all numbers of a call; its answer tells of each
number. Sources are pages of cloud.tencent.com/document, named by their numbers. Both pulls are
treated as destructive: what was pulled is not returned again.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar

import httpx
from pydantic import AfterValidator, StringConstraints

from worker.domain.enums import NumberKind, Reports
from worker.domain.errors import Problem
from worker.domain.secret_fields import Secret
from worker.domain.timezone import SHANGHAI
from worker.gateways.account_settings import AccountSettings
from worker.gateways.adapters import tencent_answers, tencent_rows
from worker.gateways.adapters.tencent_answers import AnswerReader
from worker.gateways.adapters.tencent_signature import KeyPair, authorization
from worker.gateways.base import Capabilities, Content, Gateway, OutgoingSubmission, SentQuery
from worker.gateways.code_table import CodeTable
from worker.gateways.formats import content_limits, recipient_rows
from worker.gateways.formats.push_rows import push_contents, read_rows
from worker.gateways.results import (
    Balance,
    InboundMessage,
    Page,
    PushContents,
    Report,
    Result,
    Results,
    SentRow,
)

VERSION = "2021-01-11"
CONTENT_TYPE = "application/json; charset=utf-8"
#: The most numbers in one call (382/55981), and the most rows of one pull (382/55977).
BATCH_CAP = 200
PAGE_ROWS = 100
#: The most packages in one answer (382/55964).
PACKAGE_ROWS = 500
#: A query goes back for seven days at the most (1359/55976); the clocks may differ.
QUERY_SECONDS = 7 * 86_400 - 600
CLOCK_MARGIN = 300
#: From when on packages are asked for: years longer than any is valid.
PACKAGE_YEARS = 10


def _check_signature(name: str) -> str:
    if "【" in name or "】" in name:
        msg = "write the signature's name alone, without 【】"
        raise ValueError(msg)
    return name


class TencentSettings(AccountSettings):
    """An application at Tencent Cloud SMS, and the pair of keys that calls are signed with."""

    LOGIN_FIELD: ClassVar[str] = "sdk_app_id"
    #: What a new application allows one number (1295/8938); an enterprise may change it. One equal
    #: text in 30 s is allowed besides, which no window says.
    LIMIT_PRESETS: ClassVar[Mapping[str, tuple[str, ...]]] = {"usual": ("10/day",)}

    base_url: str = "https://sms.tencentcloudapi.com"
    #: SmsSdkAppId: reports, replies and packages are those of one application.
    sdk_app_id: Annotated[str, StringConstraints(pattern=r"^[0-9]+$")]
    secret_id: str
    secret_key: Secret
    region: str = "ap-guangzhou"
    #: The signature beside a template that is not registered here.
    signature: Annotated[str, AfterValidator(_check_signature)] = ""
    #: True where reports always bring our reference back (`ext`, SessionContext), as the vendor's
    #: support can let them: no SerialNo of a message is then kept to find it by.
    session_echo: bool = False


class Tencent(Gateway):
    """An application at Tencent Cloud SMS: sending, both pulls and pushes, the query, packages."""

    name = "tencent"
    Settings = TencentSettings
    codes = CodeTable.load(name)
    settings: TencentSettings

    def __init__(self, settings: TencentSettings) -> None:
        super().__init__(settings)
        self._url = httpx.URL(f"{settings.base_url}/")
        self._host = self._url.netloc.decode("ascii")
        self._reader = AnswerReader(self.table, self.codes.meanings, settings.secret_id)
        self._capabilities = Capabilities(
            batch_cap=BATCH_CAP,
            kinds=frozenset({NumberKind.MOBILE}),
            extension=True,
            reference=True,
            templates=True,
            texts=False,
            reports_by_recipient=not settings.session_echo,
            reports=frozenset({Reports.PULL, Reports.PUSH}),
            inbound=True,
            balance=True,
            query=True,
        )

    @property
    def capabilities(self) -> Capabilities:
        """200 mainland mobiles with one set of values; reports by pull and by push."""
        return self._capabilities

    def problems(self, content: Content) -> list[Problem]:
        """Refuse options; check the extension, and that a template has a signature beside it."""
        problems = [
            *content_limits.unknown_option_problems(self.name, content.options, ()),
            *content_limits.extension_digit_problems(content),
        ]
        if content.template is not None and not self._signature(content):
            what = "needs a signature: register it with one, or set the account's `signature`"
            problems.append(Problem("template", what))
        return problems

    def submit_request(self, submission: OutgoingSubmission, at: datetime) -> httpx.Request:
        """Build a `SendSms` call; our reference is its SessionContext (382/55981)."""
        content = submission.content
        fields: dict[str, Any] = {
            "PhoneNumberSet": [f"+86{msisdn}" for msisdn in submission.msisdns],
            "SmsSdkAppId": self.settings.sdk_app_id,
            "SignName": self._signature(content),
            "TemplateId": content.template or "",
            "TemplateParamSet": _values(submission),
        }
        if content.extension:
            fields["ExtendCode"] = content.extension
        fields["SessionContext"] = submission.reference
        return self._call("SendSms", fields, at)

    def read_results(self, response: httpx.Response, submission: OutgoingSubmission) -> Results:
        """Read a row for each number, or the refusal of the whole call (382/55981)."""
        values = list(submission.content.variables.values())
        rows = self._reader.rows(response, "SendStatusSet", values)
        if isinstance(rows, Result):
            return Results(rows)
        return recipient_rows.by_number(
            submission, [self._reader.number_result(row, values) for row in rows]
        )

    def reports_request(self, at: datetime) -> httpx.Request:
        """Build a `PullSmsSendStatus` call (382/55977); the vendor's support switches it on."""
        return self._call("PullSmsSendStatus", self._page_fields(), at)

    def read_reports(self, response: httpx.Response) -> Page[Report]:
        """Read rows of SerialNo, ReportStatus, Description and UserReceiveTime (382/55977)."""
        return self._reader.page(
            response, "PullSmsSendStatusSet", "ReportStatus", tencent_rows.pulled_report
        )

    def inbound_request(self, at: datetime, hour: datetime | None = None) -> httpx.Request | None:
        """Build a `PullSmsReplyStatus` call; None where the account has pushes in its place."""
        if self.settings.reports is Reports.PUSH:
            return None
        return self._call("PullSmsReplyStatus", self._page_fields(), at)

    def read_inbound(self, response: httpx.Response) -> Page[InboundMessage]:
        """Read rows of ReplyContent, ReplyTime and ExtendCode."""
        return self._reader.page(
            response, "PullSmsReplyStatusSet", "ReplyContent", tencent_rows.pulled_reply
        )

    def balance_request(self, at: datetime) -> httpx.Request:
        """Build a `SmsPackagesStatistics` call over all packages that may live (382/55964)."""
        local = at.astimezone(SHANGHAI)
        fields = {
            "SmsSdkAppId": self.settings.sdk_app_id,
            "Limit": PACKAGE_ROWS,
            "Offset": 0,
            "BeginTime": f"{local.year - PACKAGE_YEARS}010100",
            "EndTime": f"{local:%Y%m%d%H}",
        }
        return self._call("SmsPackagesStatistics", fields, at)

    def read_balance(self, response: httpx.Response) -> Balance:
        """Read what is left in the packages that live at the answer's `Date`."""
        rows = self._reader.rows(response, "SmsPackagesStatisticsSet", reads=True)
        if isinstance(rows, Result):
            return Balance(refusal=rows)
        pool = tencent_rows.packages(rows, tencent_answers.date(response))
        if pool is None:
            return Balance(refusal=self._reader.unreadable("packages without their times"))
        return Balance((pool,))

    def query_request(self, query: SentQuery, at: datetime) -> httpx.Request:
        """Build a `PullSmsSendStatusByPhoneNumber` call from the call until now (1359/55976)."""
        now = int(at.timestamp())
        begins = int(query.called_at.timestamp()) - CLOCK_MARGIN
        fields = {
            "BeginTime": max(begins, now - QUERY_SECONDS),
            "EndTime": now,
            "Offset": 0,
            "Limit": PAGE_ROWS,
            "PhoneNumber": f"+86{query.msisdn}",
            "SmsSdkAppId": self.settings.sdk_app_id,
        }
        return self._call("PullSmsSendStatusByPhoneNumber", fields, at)

    def read_query(self, response: httpx.Response) -> Page[SentRow]:
        """Read rows of PhoneNumber, SerialNo and SessionContext, which is our reference."""
        return self._reader.page(
            response, "PullSmsSendStatusSet", "ReportStatus", tencent_rows.sent_row
        )

    def read_push(self, push: httpx.Request) -> PushContents:
        """Read a list of reports (382/59178), or a reply (382/5809)."""
        rows, damaged = read_rows(push, "mobile")
        readings = [
            tencent_rows.pushed_report(row)
            if "report_status" in row
            else tencent_rows.pushed_reply(row)
            for row in rows
        ]
        return push_contents(readings, damaged)

    def push_answer(self) -> httpx.Response:
        """Return what ends the repeats of a push, of which there are two (382/59178)."""
        return httpx.Response(
            200, headers={"Content-Type": "application/json"}, content=b'{"result":0,"errmsg":"OK"}'
        )

    def _signature(self, content: Content) -> str:
        return content.signature or self.settings.signature

    def _page_fields(self) -> Mapping[str, Any]:
        return {"Limit": PAGE_ROWS, "SmsSdkAppId": self.settings.sdk_app_id}

    def _call(self, action: str, fields: Mapping[str, Any], at: datetime) -> httpx.Request:
        """Build a signed call: the bytes that are hashed are those that are sent (api/362/4208)."""
        body = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
        keys = KeyPair(self.settings.secret_id, self.settings.secret_key.get_secret_value())
        signed = {"content-type": CONTENT_TYPE, "host": self._host}
        headers = {
            "Host": self._host,
            "Content-Type": CONTENT_TYPE,
            "X-TC-Action": action,
            "X-TC-Version": VERSION,
            "X-TC-Timestamp": str(int(at.timestamp())),
            "X-TC-Region": self.settings.region,
            "Authorization": authorization(keys, "sms", signed, body, at),
        }
        return httpx.Request("POST", self._url, headers=headers, content=body)


def _values(submission: OutgoingSubmission) -> list[str]:
    """Return the values by position.

    Those of a template that is not registered stand in the order of their names where these are
    numbers, since a database may have sorted them; else as they were given.
    """
    values = submission.values_at(0)
    names = list(values)
    if submission.rendering is None and all(name.isdecimal() for name in names):
        names.sort(key=int)
    return [str(values[name]) for name in names]
