"""Speaks to the unnamed platform of document 003: `/api/v1/…`, forms out, JSON back, two callbacks.

The document's sections have no numbers; they are named here by their calls. No code but "00" is
known. Reads are treated as destructive, since no parameter selects rows that were read before.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

import httpx
from pydantic import Field

from worker.domain.enums import Reports, ReportStatus
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
from worker.gateways.formats import content_limits, json_reader, json_rows
from worker.gateways.formats.forms import Endpoint, encode_form, join_numbers
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
    Item,
    Page,
    Pool,
    PushContents,
    Report,
    Result,
    Results,
)

#: The one code that is known. It is a text: the number 0 does not equal it.
SUCCESS = "00"

#: Section report prints DELIVER for success, the callback DELIVRD; exactly these, since DELIVERED
#: and UNDELIV would pass a looser test.
DELIVERED = frozenset({"DELIVRD", "DELIVER"})
#: The carriers' words for "no report" and "on its way". The document calls every status but success
#: a failure, but these say that the fate is not known yet.
UNDECIDED = frozenset({"UNKNOWN", "ACCEPTD", "ENROUTE"})

_REFERENCE = re.compile(r"[0-9a-f]{32}")
_EXTENSION = re.compile(r"[1-9][0-9]{0,18}")


class ApiV1Settings(AccountSettings):
    """An account at the platform of document 003, whose host the document does not give."""

    LOGIN_FIELD: ClassVar[str] = "account"
    LOGIN_FORMAT_FIELDS: ClassVar[tuple[str, ...]] = ("password_case",)

    account: str
    #: The interface password itself; its MD5 is sent.
    password: Secret
    #: The document does not say how the MD5's letters are written.
    password_case: Literal["lower", "upper"] = "lower"  # noqa: S105 - a case, no password
    #: True where the platform is known to refuse a repeated `taskId`; settling asks for it.
    repeat_reference: bool = False
    #: Section send advises 500 characters and sets no limit; None sets none either.
    longest: Annotated[int, Field(ge=1)] | None = None


class ApiV1(Gateway):
    """An account by document 003: `send`, `report`, `mo`, `queryBalance`, and pushes of two."""

    name = "apiv1"
    Settings = ApiV1Settings
    codes = CodeTable.load(name)
    settings: ApiV1Settings

    def __init__(self, settings: ApiV1Settings) -> None:
        super().__init__(settings)
        self._send, self._report, self._mo, self._balance = (
            Endpoint(httpx.URL(f"{settings.base_url}/api/v1/{call}"))
            for call in ("send", "report", "mo", "queryBalance")
        )
        self._capabilities = Capabilities(
            batch_cap=3000,
            longest=settings.longest,
            extension=True,
            reference=True,
            repeatable=settings.repeat_reference,
            reports=frozenset({Reports.PULL, Reports.PUSH}),
            inbound=True,
            balance=True,
        )

    @cached_property
    def _login(self) -> str:
        secret = self.settings.password.get_secret_value().encode()
        digest = hashlib.md5(secret, usedforsecurity=False).hexdigest()
        if self.settings.password_case == "upper":  # noqa: S105 - a case, no password
            digest = digest.upper()
        return encode_form({"account": self.settings.account, "pwd": digest})

    @property
    def capabilities(self) -> Capabilities:
        """3,000 mobiles in a submission (section send); reports by pull and by push."""
        return self._capabilities

    def problems(self, content: Content) -> list[Problem]:
        """Check that the extension is a positive integer; refuse options and templates."""
        problems = [
            *content_limits.unknown_option_problems(self.name, content.options, ()),
            *content_limits.template_problems(self.name, content),
        ]
        if content.extension and not _EXTENSION.fullmatch(content.extension):
            problems.append(Problem("extension", "is a positive whole number; no 0 in front"))
        return problems

    def submit_request(self, submission: OutgoingSubmission, at: datetime) -> httpx.Request:
        """Build a `send` call: `taskId` is always ours, `extNo` only where there is one."""
        fields = {"content": submission.content.text}
        if submission.content.extension:
            fields["extNo"] = submission.content.extension
        mobiles = join_numbers(submission.msisdns)
        task = f"&taskId={submission.reference}&mobiles={mobiles}"
        return self._send.request(f"{self._login}{task}&{encode_form(fields)}")

    def read_results(self, response: httpx.Response, submission: OutgoingSubmission) -> Results:
        """Read `code` and `data.taskId`, which may be empty (section send prints it so)."""
        answer = self._parse_answer(response)
        if isinstance(answer, Result):
            return Results(answer)
        data = answer.get("data")
        task_id = read_word(data.get("taskId")) if isinstance(data, dict) else ""
        return Results(self._result(answer, task_id or None))

    def reports_request(self, at: datetime) -> httpx.Request:
        """Build a `report` call."""
        return self._report.request(self._login)

    def read_reports(self, response: httpx.Response) -> Page[Report]:
        """Read rows of `sendId`, `status`, `times` and `mobile` (section report)."""
        return self._read_page(response, _report)

    def inbound_request(self, at: datetime, hour: datetime | None = None) -> httpx.Request:
        """Build a `mo` call; it knows no hours."""
        return self._mo.request(self._login)

    def read_inbound(self, response: httpx.Response) -> Page[InboundMessage]:
        """Read rows of `mobile`, `content`, `times` and `extNo` (section mo)."""
        return self._read_page(response, _inbound)

    def balance_request(self, at: datetime) -> httpx.Request:
        """Build a `queryBalance` call."""
        return self._balance.request(self._login)

    def read_balance(self, response: httpx.Response) -> Balance:
        """Read `balance`, and `payment`: 1 is paid afterwards (section queryBalance)."""
        answer = self._parse_answer(response)
        if isinstance(answer, Result):
            return Balance(refusal=answer)
        if read_word(answer["code"]) != SUCCESS:
            return Balance(refusal=self._result(answer))
        data = answer.get("data")
        data = data if isinstance(data, dict) else {}
        remaining = read_count(data.get("balance"))
        if remaining is None:
            return Balance(refusal=unreadable_result(self.table, "no balance"))
        postpaid = read_word(data.get("payment")) == "1"
        return Balance((Pool("balance", remaining, postpaid=postpaid),))

    def read_push(self, push: httpx.Request) -> PushContents:
        """Read a callback: a report has `status`, a reply has `content`.

        The document prints JSON with a comma too many, and names neither method nor type.
        """
        rows, damaged = read_rows(push, "mobile")
        readings = [_report(row) if "status" in row else _inbound(row) for row in rows]
        return push_contents(readings, damaged)

    def push_answer(self) -> httpx.Response:
        """Return status 200, which is all that the document asks for; each push comes once."""
        return httpx.Response(200)

    def _parse_answer(self, response: httpx.Response) -> Mapping[str, Any] | Result:
        """Return an answer that has a `code`, or the result of one that says nothing."""
        failure = http_failure(self.table, response)
        if failure:
            return failure
        text = decode(response.content, "utf-8", "gbk")
        try:
            answer = json_reader.parse(text)
        except ValueError:
            answer = None
        return self._check_answer(answer, text)

    def _check_answer(self, answer: object, text: str) -> Mapping[str, Any] | Result:
        """Return an answer that has a `code`, or the result of a text that has none."""
        if not isinstance(answer, dict) or not read_word(answer.get("code")):
            return unreadable_result(self.table, text)
        return answer

    def _result(self, answer: Mapping[str, Any], gateway_id: str | None = None) -> Result:
        words = tidy_words(answer.get("message"))
        return self.table.read(read_word(answer["code"]), words, gateway_id)

    def _read_page(
        self, response: httpx.Response, read_row: Callable[[Mapping[str, Any]], Item | None]
    ) -> Page[Item]:
        """Read a page's rows; of a page that is damaged around them too, those that are whole."""
        failure = http_failure(self.table, response)
        if failure:
            return Page(refusal=failure)
        text = decode(response.content, "utf-8", "gbk")
        page = json_rows.read(text, "mobile", read_row)
        if page.envelope is None and page.items:
            return Page(tuple(page.items), damaged=page.damaged)
        answer = self._check_answer(page.envelope, text)
        if isinstance(answer, Result) or read_word(answer["code"]) != SUCCESS:
            return Page(refusal=answer if isinstance(answer, Result) else self._result(answer))
        others, damaged = json_reader.rows(answer.get("data"), "mobile")
        items = [*page.items, *(item for row in others if (item := read_row(row)))]
        damaged += page.damaged + len(page.items) + len(others) - len(items)
        return Page(tuple(items), damaged=damaged)


def _report(row: Mapping[str, Any]) -> Report | None:
    msisdn, status = read_msisdn(row.get("mobile")), read_word(row.get("status"))
    if msisdn is None or not status:
        return None
    task_id = read_word(row.get("sendId")) or None
    # Ours is hexadecimal: it means the same in capitals. An id of the gateway's stays as it is.
    folded = (task_id or "").lower()
    return Report(
        msisdn,
        _report_status(status),
        status,
        reference=folded if _REFERENCE.fullmatch(folded) else None,
        gateway_id=task_id,
        reported_at=read_time(row.get("times")),
    )


def _report_status(status: str) -> ReportStatus:
    if status in DELIVERED:
        return ReportStatus.DELIVERED
    return ReportStatus.UNKNOWN if status in UNDECIDED else ReportStatus.UNDELIVERED


def _inbound(row: Mapping[str, Any]) -> InboundMessage | None:
    msisdn, text = read_msisdn(row.get("mobile")), read_text(row.get("content"))
    if msisdn is None or text is None:
        return None
    return InboundMessage(
        msisdn,
        text,
        extension=read_word(row.get("extNo")) or None,
        received_at=read_time(row.get("times")),
    )
