"""Tencent's side: who signed, what is refused, what is read once, and what the pages leave open."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.support import recorded_cases
from tests.support.sandbox_customers import Clock
from worker.gateways.base import Content, Gateway, OutgoingSubmission, SentQuery
from worker.sandbox import Sandbox
from worker.sandbox.sides import tencent_signature

NAME = "tencent"
LOGIN = {
    "sdk_app_id": "1400006666",
    "secret_id": "1400006666",
    "secret_key": "sandbox-secret-key",
    "signature": "信使",
}
NUMBER = "13800138000"


def customer(sandbox: Sandbox, **more: Any) -> Gateway:
    return recorded_cases.build(NAME, {**LOGIN, "base_url": sandbox.url(NAME), **more})


def parcel(
    *values: str, to: tuple[str, ...] = (NUMBER,), template: str = "1"
) -> OutgoingSubmission:
    variables = {str(n): value for n, value in enumerate(values, 1)}
    return OutgoingSubmission(to, Content("", template=template, variables=variables), "a" * 32)


class Caller:
    """Calls the sandbox as a customer, at its clock's time."""

    def __init__(self, sandbox: Sandbox, http: httpx.Client, clock: Clock) -> None:
        self.sandbox, self.http, self.clock = sandbox, http, clock

    @property
    def now(self) -> datetime:
        """The moment that the sandbox's clock shows."""
        return datetime.fromtimestamp(self.clock.now, UTC)

    def send(self, submission: OutgoingSubmission, **more: Any) -> list[str]:
        """Submit, and return the code of each row, or that of the whole call."""
        return self.codes(customer(self.sandbox, **more).submit_request(submission, self.now))

    def codes(self, request: httpx.Request) -> list[str]:
        """Call, and return the codes of the answer."""
        response = self.http.send(request).json()["Response"]
        if "Error" in response:
            return [response["Error"]["Code"]]
        return [row["Code"] for row in response["SendStatusSet"]]


@pytest.fixture
def caller(sandbox: Sandbox, http: httpx.Client, clock: Clock) -> Caller:
    return Caller(sandbox, http, clock)


def test_the_computed_vector_is_verified() -> None:
    """The text message of the vendor's example, and the same with one byte more."""
    body = (
        '{"PhoneNumberSet":["+8618501234444"],"SmsSdkAppId":"1400006666","SignName":"腾讯云",'
        '"TemplateId":"1110","TemplateParamSet":["4370"],"SessionContext":"m1"}'
    ).encode()
    headers = {
        "content-type": "application/json; charset=utf-8",
        "host": "sms.tencentcloudapi.com",
        "x-tc-timestamp": "1551113065",
    }
    claim = tencent_signature.read(
        "TC3-HMAC-SHA256 Credential=AKID/2019-02-25/sms/tc3_request, "
        "SignedHeaders=content-type;host, "
        "Signature=eb103ac716f5fa21d88d67e7142589dd9946256ecb1c603b9d8bbc3324efd750"
    )
    assert claim is not None
    key = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"
    assert claim.is_signed_with(key, headers, body)
    assert not claim.is_signed_with(key, headers, body + b"\n")
    assert not claim.is_signed_with(key, headers | {"host": "other"}, body)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({}, "Ok"),
        ({"secret_key": "another"}, "AuthFailure.SignatureFailure"),
        ({"secret_id": "1"}, "AuthFailure.SecretIdNotFound"),
        ({"sdk_app_id": "1"}, "InvalidParameterValue.SdkAppIdNotExist"),
    ],
)
def test_who_signed_is_checked(caller: Caller, wrong: dict[str, str], code: str) -> None:
    assert caller.send(parcel("1"), **wrong) == [code]
    assert bool(next(caller.sandbox.entries()).taken) == (code == "Ok")


@pytest.mark.parametrize(("seconds", "code"), [(299, "Ok"), (301, "AuthFailure.SignatureExpire")])
def test_a_clock_that_is_wrong_is_refused(caller: Caller, seconds: int, code: str) -> None:
    request = customer(caller.sandbox).submit_request(parcel("1"), caller.now)
    caller.clock.now += seconds
    assert caller.codes(request) == [code]


def test_a_request_that_was_changed_on_its_way_is_refused(caller: Caller) -> None:
    request = customer(caller.sandbox).submit_request(parcel("1"), caller.now)
    changed = httpx.Request(
        "POST",
        request.url,
        headers={k: v for k, v in request.headers.items() if k != "content-length"},
        content=request.content.replace(NUMBER.encode(), b"13900139000"),
    )
    assert caller.codes(changed) == ["AuthFailure.SignatureFailure"]


@pytest.mark.parametrize(
    ("submission", "code"),
    [
        (parcel("1", to=("1380013800",)), "InvalidParameterValue.IncorrectPhoneNumber"),
        (parcel("1", to=()), "MissingParameter.EmptyPhoneNumberSet"),
        (parcel("1", template="2"), "FailedOperation.TemplateIncorrectOrUnapproved"),
        (parcel("1", "2"), "FailedOperation.TemplateParamSetNotMatchApprovedTemplate"),
        (parcel("1234567"), "InvalidParameterValue.TemplateParameterFormatError"),
        (
            parcel("http://a.cn"),
            "InvalidParameterValue.ProhibitedUseUrlInTemplateParameter",
        ),
        (
            parcel("1", to=tuple(str(13_800_000_000 + n) for n in range(201))),
            "LimitExceeded.PhoneNumberCountLimit",
        ),
    ],
)
def test_what_is_sent_is_checked(caller: Caller, submission: OutgoingSubmission, code: str) -> None:
    caller.sandbox.control.options(NAME, templates={"1": "码{1}"}, code_templates=["1"])
    assert caller.send(submission) == [code]
    assert not next(caller.sandbox.entries()).taken


def test_an_equal_text_waits_and_the_day_has_an_end(caller: Caller) -> None:
    """30 seconds; then ten in a day of Beijing, by whatever text."""
    assert caller.send(parcel("1")) == ["Ok"]
    assert caller.send(parcel("1")) == ["LimitExceeded.PhoneNumberThirtySecondLimit"]
    caller.clock.now += 30
    assert caller.send(parcel("1")) == ["Ok"]
    assert [caller.send(parcel(str(n))) for n in range(2, 10)] == [["Ok"]] * 8
    assert caller.send(parcel("x")) == ["LimitExceeded.PhoneNumberDailyLimit"]
    caller.clock.now += 86_400
    assert caller.send(parcel("x")) == ["Ok"]


def test_a_pull_returns_nothing_twice(caller: Caller) -> None:
    gateway = customer(caller.sandbox)
    caller.send(parcel("1", to=tuple(str(13_800_000_000 + n) for n in range(150))))
    caller.clock.now += 1
    pages = [
        gateway.read_reports(caller.http.send(gateway.reports_request(caller.now) or NOTHING))
        for _ in range(3)
    ]
    assert [len(page.items) for page in pages] == [100, 50, 0]
    names = {report.gateway_id for page in pages for report in page.items}
    assert len(names) == 150


def test_a_query_shows_what_a_number_was_sent_since_a_moment(caller: Caller) -> None:
    gateway = customer(caller.sandbox)
    caller.send(parcel("1"))
    query = SentQuery(NUMBER, caller.now, "a" * 32)
    request = gateway.query_request(query, caller.now)
    assert request is not None
    (row,) = gateway.read_query(caller.http.send(request)).items
    assert (row.msisdn, row.reference) == (NUMBER, "a" * 32)
    caller.clock.now += 3600
    later = gateway.query_request(query._replace(called_at=caller.now), caller.now)
    assert later is not None
    assert gateway.read_query(caller.http.send(later)).items == ()


def test_packages_that_have_expired_are_shown_and_do_not_count(caller: Caller) -> None:
    caller.sandbox.control.account(NAME, "1400006666", "sandbox-secret-key", funds=3)
    gateway = customer(caller.sandbox)
    assert caller.send(parcel("1")) == ["Ok"]
    request = gateway.balance_request(caller.now)
    assert request is not None
    (pool,) = gateway.read_balance(caller.http.send(request)).pools
    assert pool.remaining == 2
    assert (
        caller.send(parcel("2", to=tuple(str(13_800_000_000 + n) for n in range(3))))
        == ["FailedOperation.InsufficientBalanceInSmsPackage"] * 3
    )


NOTHING = httpx.Request("GET", "http://127.0.0.1:1")
