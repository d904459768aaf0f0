"""Alibaba Cloud's side: what it takes and refuses, by calls that are signed here from the page."""

import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest

from tests.support.sandbox_customers import Clock
from worker.sandbox import Sandbox

TEMPLATE, SIGNATURE = "SMS_154950909", "阿里云短信测试"
ONE = {
    "PhoneNumbers": "+8613800138000",
    "SignName": SIGNATURE,
    "TemplateCode": TEMPLATE,
    "TemplateParam": '{"code":"1234"}',
    "OutId": "mine",
}
BATCH = {
    "PhoneNumberJson": '["13800138000","13800138001"]',
    "SignNameJson": json.dumps([SIGNATURE] * 2),
    "TemplateCode": TEMPLATE,
    "TemplateParamJson": '[{"code":"1"},{"code":"2"}]',
    "OutId": "mine",
}


class Customer:
    """Calls the sandbox as the vendor's page says."""

    def __init__(self, sandbox: Sandbox, http: httpx.Client, clock: Clock) -> None:
        self.url = sandbox.url("aliyun") + "/"
        self._http, self._clock, self._nonce = http, clock, 0

    def call(self, action: str, fields: dict[str, str], **changed: str) -> tuple[int, Any]:
        """Make a call, with some headers changed; return the status and the answer."""
        self._nonce += 1
        query = "&".join(f"{quote(k, '')}={quote(v, '')}" for k, v in sorted(fields.items()))
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._clock.now))
        headers = {
            "host": urlsplit(self.url).netloc,
            "x-acs-action": action,
            "x-acs-content-sha256": hashlib.sha256(b"").hexdigest(),
            "x-acs-date": when,
            "x-acs-signature-nonce": f"n{self._nonce}",
            "x-acs-version": "2017-05-25",
        }
        headers |= {name.replace("_", "-"): value for name, value in changed.items()}
        secret = headers.pop("secret", "aliyun-demo-secret")
        names = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        empty = hashlib.sha256(b"").hexdigest()
        canonical = f"POST\n/\n{query}\n{lines}\n{names}\n{empty}"
        to_sign = "ACS3-HMAC-SHA256\n" + hashlib.sha256(canonical.encode()).hexdigest()
        signature = hmac.new(secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
        login = f"Credential=LTAIdemo,SignedHeaders={names},Signature={signature}"
        headers["authorization"] = f"ACS3-HMAC-SHA256 {login}"
        answer = self._http.post(f"{self.url}?{query}", headers=headers)
        return answer.status_code, answer.json()


@pytest.fixture
def customer(sandbox: Sandbox, http: httpx.Client, clock: Clock) -> Customer:
    return Customer(sandbox, http, clock)


def test_one_and_a_batch_are_taken_with_one_id_each(sandbox: Sandbox, customer: Customer) -> None:
    for action, fields in (("SendSms", ONE), ("SendBatchSms", BATCH)):
        status, answer = customer.call(action, fields)
        assert (status, answer["Code"]) == (200, "OK")
        assert answer["BizId"].endswith("^0")
        sandbox.control.options("aliyun", number_limits=False)
    assert [message.text for message in sandbox.taken()] == [
        f"【{SIGNATURE}】您的验证码为：{code}，请勿泄露于他人！" for code in ("1234", "1", "2")
    ]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"PhoneNumbers": "1380013800"}, "isv.MOBILE_NUMBER_ILLEGAL"),
        ({"PhoneNumbers": ",".join(["13800138000"] * 1001)}, "isv.MOBILE_COUNT_OVER_LIMIT"),
        ({"SignName": "别的"}, "isv.SMS_SIGNATURE_ILLEGAL"),
        ({"TemplateCode": "SMS_1"}, "isv.SMS_TEMPLATE_ILLEGAL"),
        ({"TemplateParam": "{}"}, "isv.TEMPLATE_MISSING_PARAMETERS"),
        ({"TemplateParam": '{"code":1234}'}, "isv.INVALID_JSON_PARAM"),
        ({"TemplateParam": "code"}, "isv.INVALID_JSON_PARAM"),
        ({"TemplateParam": json.dumps({"code": "1" * 36})}, "isv.PARAM_LENGTH_LIMIT"),
        ({"TemplateParam": '{"code":"http://a.cn"}'}, "isv.PARAM_NOT_SUPPORT_URL"),
    ],
)
def test_the_service_refuses_with_status_200(
    sandbox: Sandbox, customer: Customer, fields: dict[str, str], code: str
) -> None:
    status, answer = customer.call("SendSms", ONE | fields)
    assert (status, answer["Code"]) == (200, code)
    assert list(sandbox.taken()) == []


def test_the_front_refuses_with_a_status_of_its_own(
    sandbox: Sandbox, customer: Customer, clock: Clock
) -> None:
    status, answer = customer.call("SendSms", ONE, secret="wrong")
    assert (status, answer["Code"]) == (400, "SignatureDoesNotMatch")
    assert "LTAIdemo" in answer["Message"], "its words repeat what was signed"
    assert customer.call("SendSms", ONE, x_acs_date="2001-01-01T00:00:00Z")[1]["Code"] == (
        "InvalidTimeStamp.Expired"
    )
    assert customer.call("Send", ONE)[1]["Code"] == "InvalidAction.NotFound"
    assert customer.call("SendSms", ONE, x_acs_signature_nonce="same")[1]["Code"] == "OK"
    clock.now += 1500
    again = customer.call("SendSms", ONE, x_acs_signature_nonce="same")
    assert (again[0], again[1]["Code"]) == (400, "SignatureNonceUsed")
    clock.now += 1000
    assert customer.call("SendSms", ONE, x_acs_signature_nonce="same")[1]["Code"] == "OK"
    assert len(list(sandbox.taken())) == 2


def test_a_number_has_codes_by_the_minute_the_hour_and_the_day(
    customer: Customer, clock: Clock
) -> None:
    """Spans roll; what was refused does not count."""
    words = {}
    for _ in range(12):
        _, answer = customer.call("SendSms", ONE)
        _, refused = customer.call("SendSms", ONE)
        words[answer["Message"]] = words.get(answer["Message"], 0) + 1
        assert refused["Code"] == "isv.BUSINESS_LIMIT_CONTROL"
        clock.now += 61 if words.get("OK", 0) % 5 else 3700
    assert words == {"OK": 10, "触发天级流控Permits:10": 2}


def test_what_a_number_was_sent_is_shown_by_the_day_in_beijing(
    sandbox: Sandbox, customer: Customer
) -> None:
    customer.call("SendSms", ONE)
    asked = {"PhoneNumber": "13800138000", "PageSize": "50", "CurrentPage": "1"}
    _, answer = customer.call("QuerySendDetails", asked | {"SendDate": "20231115"})
    (row,) = answer["SmsSendDetailDTOs"]["SmsSendDetailDTO"]
    assert (row["OutId"], row["PhoneNum"], row["SendStatus"]) == ("mine", "13800138000", 3)
    _, other = customer.call("QuerySendDetails", asked | {"SendDate": "20231114"})
    assert other["TotalCount"] == "0"
    sandbox.control.options("aliyun", hides=True)
    _, hidden = customer.call("QuerySendDetails", asked | {"SendDate": "20231115"})
    assert hidden["SmsSendDetailDTOs"] == {"SmsSendDetailDTO": []}
