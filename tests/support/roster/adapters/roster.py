"""Speaks to the tests' own gateway: JSON, up to 1,000 recipients a call, a row for each.

`send` takes for each message its number, our name of it, and its values or its text. It answers a
row for each, in any order. Reports name a message by the gateway's id, or by the call's reference.
"""

import json
from datetime import datetime
from typing import Any, ClassVar, Literal

import httpx

from worker.domain.enums import Advice, Fault, Outcome, Reports, ReportStatus
from worker.domain.errors import Problem
from worker.domain.secret_fields import Secret
from worker.gateways.account_settings import AccountSettings
from worker.gateways.base import (
    Capabilities,
    Content,
    Gateway,
    OutgoingSubmission,
    SentQuery,
)
from worker.gateways.code_table import CodeMeaning, CodeTable
from worker.gateways.formats import content_limits, json_rows, recipient_rows
from worker.gateways.formats.forms import Endpoint
from worker.gateways.formats.non_answers import http_failure, unreadable_result
from worker.gateways.formats.values import decode, read_count, read_msisdn, read_text, read_word
from worker.gateways.results import Balance, Page, Pool, Report, Result, Results, SentRow

SUCCESS = "ok"
BATCH_CAP = 1000


def _meaning(outcome: Outcome, **more: Any) -> CodeMeaning:
    return CodeMeaning(outcome=outcome, meaning="made up", source="made up", **more)


CODES = {
    "ok": _meaning(Outcome.ACCEPTED),
    "number": _meaning(Outcome.REJECTED, fault=Fault.NUMBER),
    "wait": _meaning(Outcome.THROTTLED, advice=Advice.RECIPIENT_UNTIL, wait=0.5),
    "day": _meaning(Outcome.THROTTLED, advice=Advice.RECIPIENT_UNTIL),
    "fast": _meaning(Outcome.THROTTLED, advice=Advice.SLOW_DOWN),
    "busy": _meaning(Outcome.DEFERRED),
    "form": _meaning(Outcome.REJECTED, fault=Fault.RENDERING),
    "template": _meaning(Outcome.REJECTED, fault=Fault.BINDING),
    "text": _meaning(Outcome.REJECTED, fault=Fault.TEXT),
    "funds": _meaning(Outcome.ACCOUNT_HELD, fault=Fault.ACCOUNT),
    "key": _meaning(Outcome.ACCOUNT_HELD, fault=Fault.LOGIN),
    "error": _meaning(Outcome.UNKNOWN, fault=Fault.GATEWAY),
}


class RosterSettings(AccountSettings):
    """An account at the tests' own gateway."""

    LOGIN_FIELD: ClassVar[str] = "account"

    account: str
    key: Secret
    #: What reports bring.
    reports_bring: Literal["id", "reference"] = "id"
    #: Whether it takes templates only.
    templates_only: bool = False
    #: Whether a call is taken as a whole or not at all.
    takes_whole: bool = False
    #: Whether a query shows our reference, or the text alone.
    query_shows: Literal["reference", "text"] = "reference"


class Roster(Gateway):
    """An account at the tests' own gateway."""

    name = "roster"
    Settings = RosterSettings
    codes = CodeTable(CODES, {})
    settings: RosterSettings

    def __init__(self, settings: RosterSettings) -> None:
        super().__init__(settings)
        self._send, self._reports, self._balance, self._query = (
            Endpoint(httpx.URL(f"{settings.base_url}/{call}"))
            for call in ("send", "reports", "balance", "query")
        )
        self._capabilities = Capabilities(
            batch_cap=BATCH_CAP,
            personal_cap=BATCH_CAP,
            reference=True,
            templates=True,
            texts=not settings.templates_only,
            reports_by_recipient=settings.reports_bring == "id",
            reports=frozenset({Reports.PULL}),
            balance=True,
            query=True,
            takes_whole=settings.takes_whole,
        )

    @property
    def capabilities(self) -> Capabilities:
        """Up to 1,000 recipients, each with values of its own."""
        return self._capabilities

    def problems(self, content: Content) -> list[Problem]:
        """Refuse options and extensions."""
        return [
            *content_limits.unknown_option_problems(self.name, content.options, ()),
            *content_limits.extension_problems(self.name, content),
        ]

    def submit_request(self, submission: OutgoingSubmission, at: datetime) -> httpx.Request:
        """Build a `send` call."""
        template = submission.content.template
        messages = [
            {
                "to": recipient.msisdn,
                "name": recipient.identity,
                **(
                    {"text": recipient.text}
                    if template is None
                    else {"values": dict(recipient.values)}
                ),
            }
            for recipient in submission.recipients()
        ]
        call = {"reference": submission.reference, "template": template, "messages": messages}
        return self._request(self._send, call | {"signature": submission.content.signature})

    def read_results(self, response: httpx.Response, submission: OutgoingSubmission) -> Results:
        """Read `code`, and where that is `ok` a row for each recipient."""
        answer = self._parse(response)
        if isinstance(answer, Result):
            return Results(answer)
        if read_word(answer["code"]) != SUCCESS:
            return Results(self.table.read(read_word(answer["code"])))
        rows = answer.get("results")
        return recipient_rows.by_number(
            submission,
            [
                (
                    read_word(row.get("to")),
                    self.table.read(
                        read_word(row.get("code")), gateway_id=read_word(row.get("id")) or None
                    ),
                )
                for row in (rows if isinstance(rows, list) else ())
                if isinstance(row, dict)
            ],
        )

    def reports_request(self, at: datetime) -> httpx.Request:
        """Build a `reports` call."""
        return self._request(self._reports, {"bring": self.settings.reports_bring})

    def read_reports(self, response: httpx.Response) -> Page[Report]:
        """Read rows of `to`, `id` or `reference`, and `status`."""
        failure = http_failure(self.table, response)
        if failure:
            return Page(refusal=failure)
        text = decode(response.content, "utf-8")
        page = json_rows.read(text, "status", _report)
        answer = page.envelope
        if not isinstance(answer, dict) or not read_word(answer.get("code")):
            refusal = None if page.items else unreadable_result(self.table, text)
            return Page(tuple(page.items), refusal, page.damaged)
        if read_word(answer["code"]) != SUCCESS:
            return Page(refusal=self.table.read(read_word(answer["code"])))
        return Page(tuple(page.items), damaged=page.damaged)

    def query_request(self, query: SentQuery, at: datetime) -> httpx.Request:
        """Build a `query` call."""
        shows = self.settings.query_shows
        return self._request(self._query, {"to": query.msisdn, "shows": shows})

    def read_query(self, response: httpx.Response) -> Page[SentRow]:
        """Read rows of `to`, `id`, and `reference` or `text`."""
        answer = self._parse(response)
        if isinstance(answer, Result):
            return Page(refusal=answer)
        if read_word(answer["code"]) != SUCCESS:
            return Page(refusal=self.table.read(read_word(answer["code"])))
        rows = answer.get("rows")
        readings = [_sent_row(row) for row in (rows if isinstance(rows, list) else ())]
        items = tuple(row for row in readings if row is not None)
        return Page(items, damaged=len(readings) - len(items))

    def balance_request(self, at: datetime) -> httpx.Request:
        """Build a `balance` call."""
        return self._request(self._balance, {})

    def read_balance(self, response: httpx.Response) -> Balance:
        """Read `balance`."""
        answer = self._parse(response)
        if isinstance(answer, Result):
            return Balance(refusal=answer)
        if read_word(answer["code"]) != SUCCESS:
            return Balance(refusal=self.table.read(read_word(answer["code"])))
        remaining = read_count(answer.get("balance"))
        if remaining is None:
            return Balance(refusal=unreadable_result(self.table, "no balance"))
        return Balance((Pool("texts", remaining),))

    def _request(self, endpoint: Endpoint, call: dict[str, Any]) -> httpx.Request:
        login = {"account": self.settings.account, "key": self.settings.key.get_secret_value()}
        body = json.dumps(login | call, ensure_ascii=False)
        return httpx.Request(
            "POST",
            endpoint.url,
            content=body.encode(),
            headers={"Content-Type": "application/json"},
        )

    def _parse(self, response: httpx.Response) -> dict[str, Any] | Result:
        failure = http_failure(self.table, response)
        if failure:
            return failure
        text = decode(response.content, "utf-8")
        try:
            answer = json.loads(text)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict) or not read_word(answer.get("code")):
            return unreadable_result(self.table, text)
        return answer


def _sent_row(row: Any) -> SentRow | None:
    msisdn = read_msisdn(row.get("to")) if isinstance(row, dict) else None
    if msisdn is None:
        return None
    return SentRow(
        msisdn,
        read_word(row.get("reference")) or None,
        read_text(row.get("text")),
        read_word(row.get("id")) or None,
    )


def _report(row: Any) -> Report | None:
    msisdn, status = read_msisdn(row.get("to")), read_word(row.get("status"))
    if msisdn is None or not status:
        return None
    fate = {
        "delivered": ReportStatus.DELIVERED,
        "failed": ReportStatus.UNDELIVERED,
        "unregistered": ReportStatus.UNDELIVERED,
    }
    return Report(
        msisdn,
        fate.get(status, ReportStatus.UNKNOWN),
        status,
        fault=Fault.BINDING if status == "unregistered" else None,
        reference=read_word(row.get("reference")) or None,
        gateway_id=read_word(row.get("id")) or None,
    )
