"""Alibaba Cloud beyond its recorded cases: the vendor's vectors, days of queries, long calls."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from tests.support import recorded_cases
from worker.config.settings import parse
from worker.domain.errors import ConfigurationError
from worker.domain.recipient_windows import Window
from worker.gateways.adapters import aliyun_signature
from worker.gateways.adapters.aliyun_receipts import FAILURES, read_report
from worker.gateways.adapters.aliyun_signature import AccessKey, SignedCall
from worker.gateways.base import Content, OutgoingSubmission, SentQuery

KEY = AccessKey("YourAccessKeyId", "YourAccessKeySecret")
IMAGE = {
    "ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd",
    "RegionId": "cn-shanghai",
}
TEXT = {
    "PhoneNumbers": "15300000001",
    "SignName": "阿里云短信测试专用",
    "TemplateCode": "SMS_71390007",
    "TemplateParam": '{"customer":"test"}',
    "OutId": "123",
}
ECS, SMS = "ecs.cn-shanghai.aliyuncs.com", "dysmsapi.aliyuncs.com"
FIRST = ("2023-10-26T10:22:32Z", "3156853299f313e23d1673dc12e1703d")
OF_ALL = Window(40, 86_400_000)
SECOND = ("2023-10-26T09:01:01Z", "d410180a5abf7fe235dd9b74aca91fc0")


@pytest.mark.parametrize(
    ("host", "action", "version", "when", "fields", "hashed", "signature"),
    [
        (
            *(ECS, "RunInstances", "2014-05-26", FIRST, IMAGE),
            "7ea06492da5221eba5297e897ce16e55f964061054b7695beedaac1145b1e259",
            "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0",
        ),
        (
            *(ECS, "RunInstances", "2014-05-26", SECOND, IMAGE),
            None,
            "e521358f7776c97df52e6b2891a8bc73026794a071b50c3323388c4e0df64804",
        ),
        (
            *(SMS, "SendSms", "2017-05-25", FIRST, TEXT),
            "2c54cd795347b6bf59077083d5147b028c1cc1303fe7cb0f6a8e81af563238fb",
            "aae8d87559e596be09e1cd5dc78011d61295602125c564fc6e487733a10dea62",
        ),
    ],
    ids=["the vendor's first", "the vendor's second", "SendSms"],
)
def test_a_signature_is_the_vendors(
    host: str,
    action: str,
    version: str,
    when: tuple[str, str],
    fields: dict[str, str],
    hashed: str | None,
    signature: str,
) -> None:
    date, nonce = when
    at = datetime.fromisoformat(date)
    headers = aliyun_signature.call_headers(action, version, nonce, at, b"") | {"host": host}
    call = SignedCall("POST", aliyun_signature.write_query(fields))
    canonical, names = aliyun_signature.canonical_request(call, headers)
    if hashed is not None:
        assert hashlib.sha256(canonical.encode()).hexdigest() == hashed
    assert aliyun_signature.authorization(KEY, call, headers) == (
        f"ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders={names},Signature={signature}"
    )
    assert "YourAccessKeySecret" not in repr(KEY)


@pytest.mark.parametrize(
    ("called_at", "days"),
    [
        ("2026-03-01T12:00:00+08:00", ["20260301"]),
        ("2026-02-28T23:55:00+08:00", ["20260228", "20260301"]),
        ("2026-03-01T00:05:00+08:00", ["20260301", "20260228"]),
        ("2026-02-28T16:30:00+00:00", ["20260301"]),
        ("2026-02-28T15:55:00+00:00", ["20260228", "20260301"]),
    ],
)
def test_a_query_near_midnight_in_beijing_asks_about_both_days(
    called_at: str, days: list[str]
) -> None:
    of = recorded_cases.gateway("aliyun")
    query = SentQuery("13800138000", datetime.fromisoformat(called_at), recorded_cases.REFERENCE)
    at = datetime(2026, 3, 1, tzinfo=UTC)
    requests = of.query_requests(query, at)
    assert [parse_qs(request.url.query.decode())["SendDate"][0] for request in requests] == days
    again = of.query_requests(query, at + timedelta(seconds=60))
    nonces = [request.headers["x-acs-signature-nonce"] for request in (*requests, *again)]
    assert len(set(nonces)) == len(nonces), "a nonce that was seen is refused"


def test_values_that_are_too_long_for_an_address_go_as_a_form() -> None:
    of = recorded_cases.gateway("aliyun")
    numbers = tuple(str(13_800_000_000 + n) for n in range(100))
    values = tuple({f"v{k}": f"{n:03}" + "字" * 32 for k in range(5)} for n in range(100))
    content = Content("", template="SMS_1")
    submission = OutgoingSubmission(numbers, content, recorded_cases.REFERENCE, values)
    request = of.submit_request(submission, recorded_cases.AT)
    assert request.url.query == b""
    fields = parse_qs(request.content.decode())
    assert json.loads(fields["PhoneNumberJson"][0]) == list(numbers)
    assert json.loads(fields["TemplateParamJson"][0]) == [dict(own) for own in values]
    assert request.headers["x-acs-content-sha256"] == hashlib.sha256(request.content).hexdigest()
    assert "SignedHeaders=content-type;host;" in request.headers["authorization"]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("otp", [Window(1, 60_000), Window(5, 3_600_000), Window(10, 86_400_000)]),
        (["notice"], [Window(50, 86_400_000)]),
        (["notice", "2/day"], [Window(50, 86_400_000), Window(2, None)]),
        (
            "OTP, 40/24h",
            [Window(1, 60_000), Window(5, 3_600_000), Window(10, 86_400_000), OF_ALL],
        ),
        ([], []),
    ],
)
def test_limits_may_name_a_preset_of_the_gateway(
    written: str | list[str], expected: list[Window]
) -> None:
    settings = recorded_cases.book("aliyun")["accounts"]["plain"]
    of = recorded_cases.build("aliyun", {**settings, "per_msisdn": written})
    assert list(of.settings.per_msisdn) == expected


def test_a_preset_of_another_gateway_is_refused_and_its_own_are_named() -> None:
    section = {"gateway": "aliyun", **recorded_cases.book("aliyun")["accounts"]["plain"]}
    wrong = {"accounts": {"main": {**section, "per_msisdn": ["login"]}}}
    with pytest.raises(
        ConfigurationError, match='login is no preset of this gateway, which has "otp" or'
    ):
        parse(wrong, Path(), {})
    with pytest.raises(ValueError, match="otp is no preset of this gateway, which has none"):
        recorded_cases.build(
            "apiv1",
            {**recorded_cases.book("apiv1")["accounts"]["plain"], "per_msisdn": "otp"},
        )


def test_every_receipt_that_is_a_failure_says_so_in_words() -> None:
    for code, words in FAILURES.items():
        row = {"phone_number": "13800138000", "success": False, "err_code": code}
        report = read_report(row)
        assert report is not None
        assert (report.status.value, report.words) == ("undelivered", words)
        assert (report.fault is not None) == (code == "PORT_NOT_REGISTERED")
