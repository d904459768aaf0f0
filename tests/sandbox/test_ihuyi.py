"""ihuyi: codes in their order, dynamic passwords, limits for each number."""

import hashlib

import httpx
import pytest

from tests.support.sandbox_customers import CODE, IHUYI, Clock, submit
from worker.sandbox import Sandbox


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, 2),
        ({"account": ""}, 401),
        ({"account": "", "password": "", "mobile": "", "content": ""}, 401),
        ({"password": ""}, 402),
        ({"mobile": ""}, 403),
        ({"content": ""}, 404),
        ({"password": "wrong"}, 405),
        ({"account": "nobody"}, 405),
        ({"mobile": "13800138000,13800138001"}, 406),
        ({"mobile": "86 13800138000"}, 406),
        ({"content": "字" * 301}, 4073),
        ({"content": "字" * 300}, 2),
        ({"content": "好👍"}, 4074),
        ({"content": "1234", "templateid": "1"}, 2),
        ({"content": "a|123456789", "templateid": "7"}, 40722),
    ],
)
def test_submit(sandbox: Sandbox, http: httpx.Client, fields: dict[str, str], code: int) -> None:
    """`code` is a number, `smsid` a string: twenty digits, or 0 where nothing was taken."""
    found = submit(sandbox, http, **fields)
    assert found["code"] == code
    assert len(found["smsid"]) == (20 if code == 2 else 1)
    assert bool(next(sandbox.entries()).taken) == (code == 2)


def test_xml_refusal(sandbox: Sandbox, http: httpx.Client) -> None:
    """The captured body of a failed call, byte for byte (gateways.md §2)."""
    answer = http.post(sandbox.url("ihuyi") + "/webservice/sms.php?method=Submit")
    assert answer.text == (
        '<?xml version="1.0" encoding="utf-8"?>\n<SubmitResult xmlns="http://106.ihuyi.com/">\n'
        "<code>401</code>\n<msg>帐号不能为空</msg>\n<smsid>0</smsid>\n</SubmitResult>\n"
    )


def test_dynamic_password(sandbox: Sandbox, http: httpx.Client, clock: Clock) -> None:
    """The published vectors are accepted at their time, and 40501 five minutes later."""
    sandbox.control.account("ihuyi", "test", "1q784322ba1d9bb88d50cf5cdfd89k7d")
    clock.now = 1451544941.0
    fields = {"account": "test", "time": "1451544941"}
    right = fields | {"password": "34fbd71aa722b22200eb984adfe01fba", "content": ""}
    right["content"] = "您的验证码是：2546。请不要把验证码泄露给其他人。"
    assert submit(sandbox, http, **right)["code"] == 2
    assert submit(sandbox, http, **right | {"content": CODE})["code"] == 40502
    assert submit(sandbox, http, **right | {"time": ""})["code"] == 405
    clock.now += 301
    assert submit(sandbox, http, **right)["code"] == 40501


def test_balance(sandbox: Sandbox, http: httpx.Client, clock: Clock) -> None:
    """GetNum, plain and with the published dynamic vector."""
    sandbox.control.account("ihuyi", "test", "1q784322ba1d9bb88d50cf5cdfd89k7d", funds=3)
    clock.now = 1451544941.0
    where = sandbox.url("ihuyi") + "/webservice/sms.php?method=GetNum"
    fields = {"account": "test", "password": "73f6e7a36e0fd30ad7eea940ca1896b2"}
    answer = http.post(where, data=fields | {"time": "1451544941"})
    assert "<GetNumResult" in answer.text
    assert "<num>3</num>" in answer.text
    json = http.post(where, data=IHUYI | {"format": "json"}).json()
    assert (json["code"], json["num"]) == (2, "100000000")


def test_no_funds(sandbox: Sandbox, http: httpx.Client) -> None:
    sandbox.control.account("ihuyi", "cf_demo", IHUYI["password"], funds=1)
    assert submit(sandbox, http, content="字" * 71)["code"] == 4051
    assert submit(sandbox, http)["code"] == 2


def test_once_a_second_and_five_a_day(sandbox: Sandbox, http: httpx.Client, clock: Clock) -> None:
    """4080 and 4082; the day is Beijing's; other numbers are free."""
    clock.now = 1_700_063_990.0  # ten seconds before midnight there
    assert submit(sandbox, http)["code"] == 2
    assert submit(sandbox, http)["code"] == 4080
    assert submit(sandbox, http, mobile="13800138001")["code"] == 2
    for _ in range(4):
        clock.now += 1
        assert submit(sandbox, http)["code"] == 2
    clock.now += 1
    assert submit(sandbox, http)["code"] == 4082
    clock.now += 5
    assert submit(sandbox, http)["code"] == 2


def test_limits_can_be_off(sandbox: Sandbox, http: httpx.Client) -> None:
    sandbox.control.options("ihuyi", limits=False)
    assert {submit(sandbox, http)["code"] for _ in range(7)} == {2}


def test_trial_accounts_send_one_template(sandbox: Sandbox, http: httpx.Client) -> None:
    """Items 4 and 5 of the interface notes; off unless told."""
    sandbox.control.options("ihuyi", trial=True)
    assert submit(sandbox, http, content="你好")["code"] == 4072
    assert submit(sandbox, http, content="【互亿无线】" + CODE)["code"] == 2


def test_key_in_a_hash_of_its_own_is_wrong(sandbox: Sandbox, http: httpx.Client) -> None:
    key = hashlib.md5(IHUYI["password"].encode()).hexdigest()
    assert submit(sandbox, http, password=key)["code"] == 405
