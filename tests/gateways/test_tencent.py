"""Tencent Cloud SMS beside the suite of all: signatures, the query, and what words never hold."""

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import recorded_cases
from worker.domain.enums import Advice, Fault, Outcome, PlanKind
from worker.domain.recipient_windows import Window
from worker.domain.renderings import ParameterPlan, Rendering
from worker.gateways import contents
from worker.gateways.adapters.tencent_signature import KeyPair, authorization
from worker.gateways.base import Content, OutgoingSubmission, SentQuery
from worker.sandbox.sides import tencent_signature

AT = datetime.fromtimestamp(1551113065, UTC)
EXAMPLE_KEY = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"
SIGNED = {"content-type": "application/json; charset=utf-8", "host": "cvm.tencentcloudapi.com"}
BODY = rb'{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}'
NUMBERS = ("13800138000", "13800138001", "13800138002")
FEW = settings(max_examples=60, deadline=None, database=None, derandomize=True)


def answer(**response: object) -> httpx.Response:
    return httpx.Response(200, content=json.dumps({"Response": response}).encode())


def row(msisdn: str, code: str = "Ok", **more: object) -> dict[str, object]:
    serial = f"2640:{msisdn}" if code == "Ok" else ""
    return {"PhoneNumber": f"+86{msisdn}", "Code": code, "SerialNo": serial, **more}


def submission(**variables: str) -> OutgoingSubmission:
    content = Content("", template="1110", variables=variables)
    return OutgoingSubmission(NUMBERS, content, recorded_cases.REFERENCE)


@pytest.mark.parametrize(
    ("key", "headers", "signature"),
    [
        (EXAMPLE_KEY, {}, "72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"),
        (
            "*" * 32,
            {"x-tc-action": "DescribeInstances"},
            "10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f",
        ),
    ],
)
def test_the_official_vectors_come_out(key: str, headers: dict[str, str], signature: str) -> None:
    """api/362/4208 prints both; the body holds backslashes, and is hashed as it is sent."""
    header = authorization(KeyPair("AKID", key), "cvm", SIGNED | headers, BODY, AT)
    names = ";".join(sorted(SIGNED | headers))
    assert header == (
        "TC3-HMAC-SHA256 Credential=AKID/2019-02-25/cvm/tc3_request,"
        f" SignedHeaders={names}, Signature={signature}"
    )


@FEW
@given(
    text=st.text(st.characters(codec="utf-8"), max_size=40),
    seconds=st.integers(0, 4_000_000_000),
)
def test_what_is_signed_is_what_arrives(text: str, seconds: int) -> None:
    """Whoever verifies by the vendor's page, apart from us, finds the signature to be one."""
    gateway = recorded_cases.gateway("tencent")
    at = datetime.fromtimestamp(seconds, UTC)
    request = gateway.submit_request(submission(one=text), at)
    claim = tencent_signature.read(request.headers["authorization"])
    assert claim is not None
    assert claim.is_signed_with(EXAMPLE_KEY, request.headers, request.content)
    assert not claim.is_signed_with(EXAMPLE_KEY, request.headers, request.content + b" ")
    assert not claim.is_signed_with("another key", request.headers, request.content)
    assert claim.day == at.strftime("%Y-%m-%d")


def test_a_pair_of_keys_is_not_shown() -> None:
    assert EXAMPLE_KEY not in repr(KeyPair("AKIDEXAMPLE", EXAMPLE_KEY))
    assert "AKIDEXAMPLE" not in repr(KeyPair("AKIDEXAMPLE", EXAMPLE_KEY))


def test_each_number_has_its_own_result_whatever_the_order() -> None:
    gateway = recorded_cases.gateway("tencent")
    rows = [row(NUMBERS[2], "LimitExceeded.PhoneNumberOneHourLimit"), row(NUMBERS[0])]
    results = gateway.read_results(answer(SendStatusSet=rows), submission())
    assert results.by_recipient
    by_position = [results.per_recipient.get(n, results.default) for n in range(3)]
    assert [result.outcome for result in by_position] == [
        Outcome.ACCEPTED,
        Outcome.UNKNOWN,
        Outcome.THROTTLED,
    ]
    assert (by_position[2].advice, by_position[2].wait) == (Advice.RECIPIENT_UNTIL, 3600.0)
    assert list(results.gateway_ids) == [f"2640:{NUMBERS[0]}", None, None]


@pytest.mark.parametrize("part", ["row", "error", "page"])
def test_words_hold_neither_what_was_sent_nor_a_key(part: str) -> None:
    """A new code's words are kept for people, without values, numbers and the key's name."""
    gateway = recorded_cases.gateway("tencent")
    secret_id = gateway.settings.secret_id  # type: ignore[attr-defined]
    echo = f"{secret_id} sent 887766 and 张三丰 to +8613800138000"
    code = "FailedOperation.NewCode"
    response = {
        "row": answer(SendStatusSet=[row(n, code, Message=echo) for n in NUMBERS]),
        "error": answer(Error={"Code": code, "Message": echo}),
        "page": httpx.Response(200, text=f"<!{echo}>"),
    }[part]
    results = gateway.read_results(response, submission(code="887766", name="张三丰"))
    assert results.default.outcome is Outcome.UNKNOWN
    for secret in (secret_id, "887766", "张三丰", "13800138000"):
        assert secret not in repr(results)
    assert "sent" in results.default.words


def test_a_rendering_goes_by_its_signature_and_in_the_vendors_order() -> None:
    gateway = recorded_cases.gateway("tencent")
    plan = ParameterPlan(PlanKind.POSITIONS, (("2", "code"), ("1", "name")))
    rendering = Rendering(1, "a", "{name}{code}", plan, "77", "信使科技")
    values = {"name": "客", "code": "12"}
    content = contents.rendered(Content(""), rendering, values)
    parcel = OutgoingSubmission(NUMBERS[:1], content, recorded_cases.REFERENCE, rendering=rendering)
    assert gateway.problems(content) == []
    fields = json.loads(gateway.submit_request(parcel, AT).content)
    assert (fields["TemplateId"], fields["SignName"]) == ("77", "信使科技")
    assert fields["TemplateParamSet"] == ["12", "客"]


@pytest.mark.parametrize(("age", "begins"), [(60, 360), (6 * 86_400, 6 * 86_400 + 300)])
def test_a_query_asks_from_before_the_call_until_now(age: int, begins: int) -> None:
    query = SentQuery(NUMBERS[0], AT - timedelta(seconds=age), recorded_cases.REFERENCE)
    request = recorded_cases.gateway("tencent").query_request(query, AT)
    assert request is not None
    assert request.headers["x-tc-action"] == "PullSmsSendStatusByPhoneNumber"
    now = int(AT.timestamp())
    assert json.loads(request.content) == {
        "BeginTime": now - begins,
        "EndTime": now,
        "Offset": 0,
        "Limit": 100,
        "PhoneNumber": f"+86{NUMBERS[0]}",
        "SmsSdkAppId": "1400006666",
    }


def test_a_query_never_goes_back_for_more_than_seven_days() -> None:
    query = SentQuery(NUMBERS[0], AT - timedelta(days=30), recorded_cases.REFERENCE)
    request = recorded_cases.gateway("tencent").query_request(query, AT)
    assert request is not None
    begins = json.loads(request.content)["BeginTime"]
    assert AT.timestamp() - 7 * 86_400 < begins < AT.timestamp() - 6.9 * 86_400


def test_a_wrong_login_is_one_in_a_read_and_a_denied_read_is_none() -> None:
    gateway = recorded_cases.gateway("tencent")
    denied = answer(Error={"Code": "UnauthorizedOperation.RequestPermissionDeny", "Message": ""})
    wrong = answer(Error={"Code": "AuthFailure.SignatureFailure", "Message": ""})
    for name in ("reports", "inbound", "balance", "query"):
        refusal = recorded_cases.read(gateway, name, denied).refusal
        assert (refusal.outcome, refusal.fault) == (Outcome.DEFERRED, None)
        refusal = recorded_cases.read(gateway, name, wrong).refusal
        assert (refusal.outcome, refusal.fault) == (Outcome.ACCOUNT_HELD, Fault.LOGIN)
    assert recorded_cases.read(gateway, "results", denied).outcome is Outcome.ACCOUNT_HELD


def test_an_account_with_pushes_pulls_no_replies_away() -> None:
    assert recorded_cases.gateway("tencent", "pushed").inbound_request(AT) is None
    assert recorded_cases.gateway("tencent").inbound_request(AT) is not None


def test_the_limits_of_a_new_application_are_a_preset() -> None:
    login = recorded_cases.book("tencent")["accounts"]["usual"]
    gateway = recorded_cases.build("tencent", {**login, "per_msisdn": ["usual", "1/30s"]})
    assert gateway.settings.per_msisdn == (Window(10, None), Window(1, 30_000))
