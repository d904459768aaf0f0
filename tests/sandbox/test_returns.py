"""Reports and replies: on time, and in every wrong way that was asked for."""

from collections import Counter
from typing import Any

import httpx
import pytest

from tests.support.sandbox_customers import C123, Clock, api, eventually, send
from worker.sandbox import Sandbox

NUMBERS = "13800138000,13800138001"


def _rows(sandbox: Sandbox, http: httpx.Client) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = api(sandbox, http, "report")["data"]
    return rows


def test_reports_wait_their_time(ledger: Any, http: httpx.Client, clock: Clock) -> None:
    with Sandbox(ledger=ledger, report_delay=2, clock=clock) as sandbox:
        send(sandbox, http, NUMBERS)
        clock.now += 1.9
        assert _rows(sandbox, http) == []
        clock.now += 0.2
        assert [row["status"] for row in _rows(sandbox, http)] == ["DELIVER", "DELIVER"]


@pytest.mark.parametrize(
    ("what", "args", "found"),
    [
        ("lose_reports", {}, {}),
        ("double_reports", {"times": 3}, {("13800138000", "t1", "DELIVER"): 3}),
        ("report_status", {"status": "failed"}, {("13800138000", "t1", "UNDELIV"): 1}),
        ("report_status", {"status": "MK:0001"}, {("13800138000", "t1", "MK:0001"): 1}),
        ("unknown_id_reports", {"id": "x"}, {("13800138000", "x", "DELIVER"): 1}),
        ("masked_numbers", {}, {("138****8000", "t1", "DELIVER"): 1}),
        ("delay_reports", {"seconds": 100}, {}),
    ],
)
def test_shapes(
    sandbox: Sandbox,
    http: httpx.Client,
    what: str,
    args: dict[str, Any],
    found: dict[tuple[str, str, str], int],
) -> None:
    """A rule with `numbers` shapes these reports, and leaves the others of the submission."""
    sandbox.control.rule(what, numbers=["13800138000"], args=args)
    send(sandbox, http, NUMBERS, taskId="t1")
    rows = Counter((row["mobile"], row["sendId"], row["status"]) for row in _rows(sandbox, http))
    assert rows == Counter({("13800138001", "t1", "DELIVER"): 1, **found})


def test_late_reports_come_late(sandbox: Sandbox, http: httpx.Client, clock: Clock) -> None:
    """Three days, say; with `shown` they look older than they are."""
    sandbox.control.rule("delay_reports", args={"seconds": 259_200, "shown": -259_200})
    send(sandbox, http, "13800138000")
    clock.now += 259_200
    (row,) = _rows(sandbox, http)
    assert row["times"] == "2023-11-15 06:13:20"


def test_reports_out_of_order(sandbox: Sandbox, http: httpx.Client, clock: Clock) -> None:
    numbers = [f"138001380{n:02d}" for n in range(50)]
    sandbox.control.rule("reorder_reports", args={"spread": 10})
    send(sandbox, http, ",".join(numbers))
    clock.now += 5
    some = [row["mobile"] for row in _rows(sandbox, http)]
    clock.now += 5
    rest = [row["mobile"] for row in _rows(sandbox, http)]
    assert some
    assert rest
    assert some + rest != numbers
    assert sorted(some + rest) == numbers


def test_a_report_for_each_part(sandbox: Sandbox, http: httpx.Client) -> None:
    """A long text may get one for each segment, of which one may have failed."""
    sandbox.control.rule("part_reports", args={"failed": [2]})
    api(sandbox, http, "send", mobiles="13800138000", content="字" * 150)
    assert [row["status"] for row in _rows(sandbox, http)] == ["DELIVER", "UNDELIV", "DELIVER"]


def test_a_share_of_the_numbers(sandbox: Sandbox, http: httpx.Client) -> None:
    sandbox.control.rule("report_status", args={"status": "failed", "share": 0.3})
    send(sandbox, http, ",".join(f"138001{n:05d}" for n in range(1000)))
    failed = Counter(row["status"] for row in _rows(sandbox, http))["UNDELIV"]
    assert 200 < failed < 400


def test_a_report_before_the_answer(sandbox: Sandbox, http: httpx.Client) -> None:
    """Reports do not wait for a slow answer."""
    sandbox.control.rule("take_then_hang", call="send", count=1)
    with pytest.raises(httpx.ReadTimeout):
        http.post(
            sandbox.url("apiv1") + "/api/v1/send",
            data={
                "account": "demo",
                "pwd": "fe01ce2a7fbac8fafaed7c982a04e229",
                "mobiles": "13800138000",
                "content": "a",
            },
            timeout=0.1,
        )
    eventually(lambda: len(_rows(sandbox, http)) == 1)


def test_a_hundred_thousand_at_once(sandbox: Sandbox, http: httpx.Client) -> None:
    """Forged or late ones in any number, under any identifier."""
    sandbox.control.report("apiv1", [f"138{n:08d}" for n in range(100_000)], id="t9")
    assert sandbox.control.state()["waiting"]["reports"]["apiv1/demo"] == 100_000
    sizes = [len(_rows(sandbox, http)) for _ in range(6)]
    assert sizes == [20_000] * 5 + [0]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("01", ["UNDELIV"]),
        ("02", []),
        ("03", []),
        ("04", ["DELIVER"] * 2),
        ("05", ["UNKNOWN"]),
        ("06", ["DELIVER"]),
        ("07", ["DELIVER"]),
        ("08", ["MBBLACK"]),
        ("09", ["DELIVER"] * 10),
    ],
)
def test_magic_reports(
    sandbox: Sandbox, http: httpx.Client, code: str, status: list[str], clock: Clock
) -> None:
    send(sandbox, http, f"1999999{code}00")
    rows = _rows(sandbox, http)
    assert [row["status"] for row in rows] == status
    assert [row["mobile"] == "199****0700" for row in rows] == [code == "07"] * len(rows)
    clock.now += 6
    assert len(_rows(sandbox, http)) == (1 if code == "03" else 0)


@pytest.mark.parametrize(
    ("code", "text"),
    [("11", "T"), ("12", "TD"), ("13", "退订"), ("14", "好的，谢谢")],
)
def test_magic_replies(sandbox: Sandbox, http: httpx.Client, code: str, text: str) -> None:
    """The handset texts back, to the extension it was sent from."""
    send(sandbox, http, f"13800138000,1999999{code}00", extNo="7")
    (row,) = api(sandbox, http, "mo")["data"]
    assert (row["content"], row["extNo"], row["mobile"]) == (text, 7, f"1999999{code}00")


def test_a_reply_that_looks_like_records(sandbox: Sandbox, http: httpx.Client) -> None:
    """Free text may hold c123's separators; nothing escapes them (§五)."""
    fields = C123 | {"mobile": "19999991500", "content": "test"}
    http.post(sandbox.url("c123") + "/tx/", data=fields)
    body = http.post(sandbox.url("c123") + "/rx/", data=C123).text
    assert body.count("{&}") == 2
    assert body.count("||") == 5


def test_replies_by_rule(sandbox: Sandbox, http: httpx.Client) -> None:
    sandbox.control.rule("reply", gateway="apiv1", args={"text": "收到", "share": 0.5})
    send(sandbox, http, ",".join(f"138001{n:05d}" for n in range(200)))
    assert 60 < len(api(sandbox, http, "mo")["data"]) < 140


def test_nobody_could_read_it(sandbox: Sandbox) -> None:
    """A reply or report that no call and no push would bring is refused, not lost."""
    with pytest.raises(ValueError, match="nobody can read it"):
        sandbox.control.reply("fetion", "13800138000", "T")
    with pytest.raises(ValueError, match="no push URL is set"):
        sandbox.control.reply("ihuyi", "13800138000", "T")
    with pytest.raises(ValueError, match="nobody can read it"):
        sandbox.control.report("c123", ["13800138000"])
    with pytest.raises(ValueError, match="has no account"):
        sandbox.control.reply("c123", "13800138000", "T", account="8888")


def test_forgetting(sandbox: Sandbox, http: httpx.Client) -> None:
    sandbox.control.rule("frozen", gateway="c123")
    send(sandbox, http, "13800138000")
    sandbox.control.forget()
    assert _rows(sandbox, http) == []
    assert sandbox.control.state()["rules"] == []
