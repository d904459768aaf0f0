"""When a rule applies, and what the gateways say when it refuses."""

from typing import Any

import httpx
import pytest

from tests.support.sandbox_customers import Clock, send, send_sms, submit, tx, user_api
from worker.sandbox import Sandbox


def _codes(sandbox: Sandbox, http: httpx.Client, times: int, **more: str) -> list[str]:
    return [tx(sandbox, http, **more) for _ in range(times)]


def test_count_and_after(sandbox: Sandbox, http: httpx.Client) -> None:
    """It leaves the first alone, then applies so often."""
    sandbox.control.rule("refuse", gateway="c123", after=2, count=2, args={"code": "120"})
    assert _codes(sandbox, http, 6) == ["100", "100", "120", "120", "100", "100"]


def test_seconds(sandbox: Sandbox, http: httpx.Client, clock: Clock) -> None:
    """It lives so long."""
    sandbox.control.rule("frozen", seconds=30)
    assert tx(sandbox, http) == "109"
    clock.now += 31
    assert tx(sandbox, http) == "100"


def test_probability_is_repeatable(sandbox: Sandbox, http: httpx.Client) -> None:
    """Chance follows from the seed."""
    sandbox.control.rule("refuse", probability=0.5)
    first = _codes(sandbox, http, 20)
    assert set(first) == {"100", "103"}
    with Sandbox(clock=sandbox.clock) as again:
        again.control.rule("refuse", probability=0.5)
        assert _codes(again, http, 20) == first


@pytest.mark.parametrize(
    ("restriction", "applies"),
    [
        ({"gateway": "c123"}, True),
        ({"gateway": "ihuyi"}, False),
        ({"account": "9999"}, True),
        ({"account": "8888"}, False),
        ({"call": "tx"}, True),
        ({"call": "submit"}, True),
        ({"call": "rx"}, False),
        ({"method": "GET"}, False),
        ({"numbers": ["13800138000"]}, True),
        ({"numbers": ["1380013*"]}, True),
        ({"numbers": ["13900139000", "137*"]}, False),
    ],
)
def test_restrictions(
    sandbox: Sandbox, http: httpx.Client, restriction: dict[str, Any], *, applies: bool
) -> None:
    sandbox.control.rule("refuse", **restriction)
    assert tx(sandbox, http) == ("103" if applies else "100")


def test_removing(sandbox: Sandbox, http: httpx.Client) -> None:
    one = sandbox.control.rule("refuse")
    sandbox.control.rule("frozen")
    assert [rule["what"] for rule in sandbox.control.state()["rules"]] == ["refuse", "frozen"]
    assert sandbox.control.clear(one) == 1
    assert tx(sandbox, http) == "109"
    assert sandbox.control.clear() == 1
    assert tx(sandbox, http) == "100"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"what": "explode"}, "no rule is called 'explode'"),
        ({"what": "refuse", "cuont": 1}, "a rule has no 'cuont'"),
        ({"what": "refuse", "count": "1"}, "'count' is int"),
        ({"what": "hang", "gateway": "c123"}, "no rule is called 'hang'"),
        ({"what": "refuse", "gateway": "c124"}, "gateway is one of"),
        ({"what": "take_then_hang", "args": {"second": 1}}, "has no 'second'"),
        ({"what": "latency", "args": {"seconds": "1"}}, "'seconds' is int or float"),
        ({}, "no rule is called None"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(
    sandbox: Sandbox, rule: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        sandbox.control.call("POST", "rules", **rule)


def test_unknown_controls_are_answered_with_the_known_ones(
    sandbox: Sandbox, http: httpx.Client
) -> None:
    answer = http.get(sandbox.base_url + "/_control/nothing")
    assert answer.status_code == 404
    assert "POST rules" in answer.json()["there is"]
    assert http.post(sandbox.base_url + "/_control/rules", content=b"[").status_code == 400
    assert http.post(sandbox.base_url + "/_control/rules", content=b"[]").status_code == 400


def test_refusals_in_each_gateways_words(sandbox: Sandbox, http: httpx.Client) -> None:
    """The account's faults have their documented code, where there is one."""
    for what, c123, ihuyi, apiv1, jzyyun in (
        ("auth_fail", "101", 405, "01", "用户名或密码错误"),
        ("no_funds", "102", 4051, "05", "余额不足"),
        ("frozen", "109", 4050, "08", "账号已冻结"),
        ("locked", "114", 0, "08", "账号已锁定"),
        ("refuse_number", "112", 406, "04", "手机号码错误"),
        ("blacklisted", "112", 4030, "04", "黑名单号码"),
    ):
        rule = sandbox.control.rule(what)
        assert tx(sandbox, http) == c123
        assert submit(sandbox, http)["code"] == ihuyi
        assert send(sandbox, http, "13800138000")["code"] == apiv1
        assert send_sms(sandbox, http, "13800138000").strip() == f"failure;{jzyyun}"
        sandbox.control.clear(rule)
    assert not list(sandbox.taken())


def test_refuse_with_any_words(sandbox: Sandbox, http: httpx.Client) -> None:
    """A reseller's own text, charset and status."""
    body = {"body": "failure;通道维护", "charset": "gbk", "status": 200}
    sandbox.control.rule("refuse", gateway="jzyyun", args=body)
    assert user_api(sandbox, http, "getRestMoney").content == "failure;通道维护".encode("gbk")


def test_throttle_by_code(sandbox: Sandbox, http: httpx.Client, clock: Clock) -> None:
    """So many in any window, each account for itself; refused ones do not count."""
    sandbox.control.account("c123", "8888", "9999")
    sandbox.control.rule("throttle", gateway="c123", args={"rate": 3})
    assert _codes(sandbox, http, 5) == ["100", "100", "100", "107", "107"]
    assert tx(sandbox, http, uid="8888") == "100"
    clock.now += 0.99
    assert tx(sandbox, http) == "107"
    clock.now += 0.02
    assert _codes(sandbox, http, 4) == ["100", "100", "100", "107"]


def test_throttle_in_other_units(sandbox: Sandbox, http: httpx.Client) -> None:
    args = {"rate": 10, "window": 2, "unit": "segments"}
    sandbox.control.rule("throttle", gateway="c123", args=args)
    numbers = ",".join(f"1380013800{n}" for n in range(8))
    assert tx(sandbox, http, numbers, content="字" * 71) == "100"
    assert tx(sandbox, http, numbers, content="字") == "107"
    assert tx(sandbox, http, "13800138000,13800138001", content="字" * 71) == "100"


def test_throttle_by_http(sandbox: Sandbox, http: httpx.Client) -> None:
    """Where the document has no code for it: 429 and when to come back."""
    sandbox.control.rule("throttle", gateway="jzyyun", args={"rate": 0, "retry_after": 7})
    answer = user_api(sandbox, http, "getRestMoney")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    sandbox.control.rule("throttle", gateway="ihuyi", args={"rate": 0})
    assert submit(sandbox, http)["code"] == 4081


def test_too_many_singles(sandbox: Sandbox, http: httpx.Client, clock: Clock) -> None:
    """110: single submissions are limited, larger ones are not."""
    sandbox.control.rule("too_many_singles", gateway="c123", args={"n": 2, "window": 10})
    assert _codes(sandbox, http, 3) == ["100", "100", "110"]
    assert tx(sandbox, http, "13800138000,13800138001") == "100"
    clock.now += 10
    assert tx(sandbox, http) == "100"


def test_one_bad_number(sandbox: Sandbox, http: httpx.Client) -> None:
    """112 with none taken, or with all others taken: the same answer."""
    numbers = "13800138000,13800138001,13800138002"
    rule = sandbox.control.rule("refuse_number", numbers=["13800138001"])
    assert tx(sandbox, http, numbers) == "112"
    assert not list(sandbox.taken())
    sandbox.control.clear(rule)
    sandbox.control.rule("take_others", numbers=["13800138001"])
    assert tx(sandbox, http, numbers) == "112"
    assert [one.msisdn for one in sandbox.taken()] == ["13800138000", "13800138002"]
    assert tx(sandbox, http, "13800138001") == "112"
    assert tx(sandbox, http, "13800138000") == "100"


def test_fetion_drops_a_stranger_without_a_word(sandbox: Sandbox, http: httpx.Client) -> None:
    fields = {"from": "13900000000", "pswd": "fetion", "msg": "a", "to": "13800138000,19999992100"}
    assert http.get(sandbox.url("fetion"), params=fields).json()["sendCode"] == "200"
    assert [one.msisdn for one in sandbox.taken()] == ["13800138000"]


def test_options_are_checked(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="has no option 'spacing'"):
        sandbox.control.options("c123", spacing=1)
    with pytest.raises(ValueError, match="is a bool"):
        sandbox.control.options("ihuyi", limits=1)


def test_state(sandbox: Sandbox, http: httpx.Client) -> None:
    """Counts by gateway, call and code; what was taken by account."""
    tx(sandbox, http, "13800138000,13800138001", content="字" * 71)
    tx(sandbox, http, pwd="x")
    state = sandbox.control.state()
    assert state["calls"] == {"c123": {"tx": {"100": 1, "101": 1}}}
    assert state["taken"] == {"c123": {"9999": {"messages": 2, "segments": 4}}}
    assert state["accounts"]["fetion"] == ["13900000000"]
