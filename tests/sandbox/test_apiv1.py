"""apiv1: strings for codes, queues that reading drains, and what the document leaves open."""

import httpx
import pytest

from tests.support.sandbox_customers import APIV1, api, send
from worker.sandbox import Sandbox


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "00"),
        ({"pwd": "demo"}, "01"),
        ({"pwd": APIV1["pwd"].upper()}, "00"),
        ({"content": ""}, "02"),
        ({"extNo": "0"}, "02"),
        ({"extNo": "-1"}, "02"),
        ({"extNo": "12"}, "00"),
        ({"mobiles": ",".join(["13800138000"] * 3001)}, "03"),
        ({"mobiles": "1380013800"}, "04"),
        ({"mobiles": ""}, "02"),
    ],
)
def test_send(sandbox: Sandbox, http: httpx.Client, fields: dict[str, str], code: str) -> None:
    every = {"mobiles": "13800138000", "content": "【信使】通知"} | fields
    found = api(sandbox, http, "send", **every)
    assert found["code"] == code
    assert (found["data"] is None) == (code != "00")
    assert bool(next(sandbox.entries()).taken) == (code == "00")


def test_only_forms_by_post(sandbox: Sandbox, http: httpx.Client) -> None:
    """协议 HTTP POST, x-www-form-urlencoded: neither GET, nor a query, nor JSON."""
    where = sandbox.url("apiv1") + "/api/v1/queryBalance"
    assert http.get(where, params=APIV1).status_code == 405
    assert http.post(where, params=APIV1).json()["code"] == "01"
    assert http.post(where, json=APIV1).json()["code"] == "01"


def test_balance(sandbox: Sandbox, http: httpx.Client) -> None:
    sandbox.control.account("apiv1", "demo", "demo", funds=2)
    assert send(sandbox, http, "13800138000")["code"] == "00"
    data = {"balance": 1, "payment": 0, "paymentName": "预付"}
    assert api(sandbox, http, "queryBalance")["data"] == data
    assert send(sandbox, http, "13800138000,13800138001")["code"] == "05"
    sandbox.control.account("apiv1", "demo", "demo", funds=0, postpaid=True)
    assert api(sandbox, http, "queryBalance")["data"]["paymentName"] == "后付"
    assert send(sandbox, http, "13800138000")["code"] == "00"


@pytest.mark.parametrize(
    ("rule", "codes", "times"),
    [("twice", ["00", "00"], 2), ("idempotent", ["00", "00"], 1), ("refuse", ["00", "06"], 1)],
)
def test_a_repeated_task(
    sandbox: Sandbox, http: httpx.Client, rule: str, codes: list[str], times: int
) -> None:
    """The document does not say what happens: three ways."""
    sandbox.control.options("apiv1", repeated_task=rule)
    found = [send(sandbox, http, "13800138000", taskId="t1")["code"] for _ in range(2)]
    assert found == codes
    assert len(list(sandbox.taken())) == times


def test_the_task_id_is_echoed_made_or_withheld(sandbox: Sandbox, http: httpx.Client) -> None:
    assert send(sandbox, http, "13800138000", taskId="t1")["data"] == {"taskId": "t1"}
    made = send(sandbox, http, "13800138000")["data"]["taskId"]
    assert len(made) == 36
    sandbox.control.options("apiv1", answer_task_id="empty")
    assert send(sandbox, http, "13800138000")["data"] == {"taskId": ""}
    assert [entry.id for entry in sandbox.entries()][:2] == ["t1", made]


def test_reports_leave_when_read(sandbox: Sandbox, http: httpx.Client) -> None:
    """短信状态查询: rows by page, each once, with the task's identifier."""
    sandbox.control.options("apiv1", page=2)
    send(sandbox, http, "13800138000,13800138001,13800138002", taskId="t1", extNo="7")
    pages = [api(sandbox, http, "report")["data"] for _ in range(3)]
    assert [len(page) for page in pages] == [2, 1, 0]
    assert pages[0][0] == {
        "sendId": "t1",
        "status": "DELIVER",
        "times": "2023-11-15 06:13:20",
        "mobile": "13800138000",
        "extNo": "7",
    }


def test_replies_leave_when_read(sandbox: Sandbox, http: httpx.Client) -> None:
    """短信上行查询: here `extNo` is a number."""
    sandbox.control.reply("apiv1", "13800138000", "端午节快乐", extension=10)
    row = {"mobile": "13800138000", "content": "端午节快乐", "times": "2023-11-15 06:13:20"}
    assert api(sandbox, http, "mo")["data"] == [row | {"extNo": 10}]
    assert api(sandbox, http, "mo")["data"] == []


def test_no_rows_in_three_ways(sandbox: Sandbox, http: httpx.Client) -> None:
    sandbox.control.options("apiv1", empty="null")
    assert api(sandbox, http, "report")["data"] is None
    sandbox.control.options("apiv1", empty="missing")
    assert "data" not in api(sandbox, http, "report")
