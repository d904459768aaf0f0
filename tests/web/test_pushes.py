"""Pushes: kept raw and committed before they are answered, read later, and never a reason to send.

The sandbox pushes as the gateways do; what it sent and was answered is the truth.
"""

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, func, select

from producer.web.peers import Peer
from producer.web.refused_pushes import RefusedPushes
from tests.support.stage import (
    TEXT,
    Stage,
    eventually,
    mobiles,
)
from tests.web.conftest import Served
from worker.feedback import pushes, raw_pages
from worker.store.db import database
from worker.store.feedback import inbox as inbox_store
from worker.store.feedback.inbox import has_unread_pushes
from worker.store.schema.tables import (
    event,
    inbound_message,
    inbox,
    report,
    request,
    submission,
)

TOKEN, NEXT = "first-token-0123456789", "other-token-0123456789"
KINDS = ["sqlite", "postgresql", "mysql"]


@pytest.fixture
def accounts() -> dict[str, dict[str, Any]]:
    """The two gateways that push have tokens; one of them is pushed to only."""
    tokens = {"push_tokens": [TOKEN, NEXT]}
    return {"v1": {**tokens, "reports": "push"}, "codes": {**tokens, "per_msisdn": []}}


@pytest.fixture(scope="module", autouse=True)
def _caller() -> Iterator[None]:
    yield
    CALLER.close()


CALLER = httpx.Client(trust_env=False)


def count(engine: Engine, table: Any, *where: Any) -> int:
    with database.reading(engine) as connection:
        query = select(func.count()).select_from(table).where(*where)
        return int(connection.execute(query).scalar_one())


def kept(engine: Engine) -> list[Any]:
    with database.reading(engine) as connection:
        return list(connection.execute(select(inbox).order_by(inbox.c.id)))


def have_pushed(served: Served, **more: Any) -> None:
    """Have the sandbox push all that it can, to addresses as vendors are given them."""
    for gateway, name in (("apiv1", "v1"), ("ihuyi", "codes")):
        for kind in ("report", "inbound"):
            url = f"{served.url}/push/{name}/{TOKEN}/{kind}"
            served.stage.sandbox.control.push(gateway, kind, url, keep_for_pull=False, **more)


@pytest.mark.parametrize("how", [{"form": "form"}, {"form": "json"}, {"method": "GET"}])
@pytest.mark.parametrize("account", ["v1", "codes"])
def test_a_pushed_report_ends_the_message(
    served: Served, account: str, how: dict[str, str]
) -> None:
    have_pushed(served, **how)
    accepted = served.stage.enqueue(
        mobiles(2), "您的验证码是：1234。请不要把验证码泄露给其他人。", account=account
    )
    with served.stage.working():
        eventually(lambda: served.stage.states(accepted) == {"delivered": 2})
    state = served.stage.sandbox.control.state()
    assert state["pushes"]["done"] == state["pushes"]["tried"]
    assert all(row.parsed_at and not row.damaged for row in kept(served.stage.engine))
    assert TOKEN not in "".join(str(row) for row in kept(served.stage.engine))


@pytest.mark.parametrize("gateway", ["apiv1", "ihuyi"])
def test_a_pushed_reply_comes_in_once_however_often_it_is_pushed(
    served: Served, gateway: str
) -> None:
    have_pushed(served)
    control = served.stage.sandbox.control
    with served.stage.working():
        for _ in range(3):
            control.reply(gateway, msisdn="13800138000", text="好的", at=1_700_000_000)
        eventually(lambda: len(kept(served.stage.engine)) == 3)
        eventually(lambda: all(row.parsed_at for row in kept(served.stage.engine)))
    assert count(served.stage.engine, inbound_message) == 1
    answer = served.client().get("/v1/inbound", params={"from": "13800138000"})
    assert [one["text"] for one in answer.json()["inbound"]] == ["好的"]


@pytest.mark.parametrize("path", ["v1/wrong", "v1", "nobody/" + TOKEN, "bulk/" + TOKEN, "v1/"])
def test_a_wrong_token_is_told_that_nothing_is_there(served: Served, path: str) -> None:
    here, nowhere = (CALLER.post(f"{served.url}/{one}") for one in (f"push/{path}", "elsewhere"))
    assert (here.status_code, here.json()) == (404, nowhere.json())
    assert kept(served.stage.engine) == []


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_pushed_is_kept_byte_for_byte_and_answered(served: Served) -> None:
    """Also what nobody can read: it is read as far as can be, and holds nothing up."""
    url = f"{served.url}/push/codes/{NEXT}"
    good = {"smsid": "7", "mobilephone": "13800138000", "code": "2", "msg": "成功"}
    bodies = [
        b"",
        b"\x00\xff\xfe nothing",
        "smsid=1&mobilephone=13800138000&content=好\x00的".encode(),
        "smsid=1&mobilephone=13800138000&content=好的".encode("gbk"),
        b"[" * 5000,
        b'{"smsid": "1", "mobilephone": "13800138000", "code": "\\u0000"}',
        b"x" * 200_000,
    ]
    for body in bodies:
        answer = CALLER.post(url, content=body, headers={"Content-Type": "text/weird; charset=?"})
        assert (answer.status_code, answer.text) == (200, "success")
    assert CALLER.post(url, data=good).status_code == 200
    assert CALLER.get(f"{url}?smsid=8&mobilephone=13800138000&code=2").status_code == 200
    raw = b"GET /push/codes/" + NEXT.encode() + b"/a?content=\xba\xc3 HTTP/1.1\r\nHost: x\r\n\r\n"
    _speak(served, raw.replace(b"\xba\xc3", b"%BA%C3"))
    with database.reading(served.stage.engine) as connection:
        kept_pushes = inbox_store.unread_pushes(connection, inbox_store.find_ids(connection))
    assert [push.body for push in kept_pushes][: len(bodies)] == bodies
    assert pushes.drain(served.stage.engine, served.stage.settings) == len(bodies) + 3
    assert count(served.stage.engine, inbox, inbox.c.parsed_at.is_(None)) == 0
    assert count(served.stage.engine, report, report.c.gateway_id.in_(["7", "8"])) == 2


def _speak(served: Served, raw: bytes) -> None:
    import socket

    host, _, port = served.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), 5) as line:
        line.sendall(raw)
        assert line.recv(100).startswith(b"HTTP/1.1 200")


def test_a_push_that_is_too_large_is_refused_and_not_kept(served: Served) -> None:
    url = f"{served.url}/push/v1/{TOKEN}"
    most = served.stage.settings.top.web.max_body

    def endless() -> Any:
        for _ in range(most // 1024 + 2):
            yield b"x" * 1024

    for content in (b"x" * (most + 1), endless()):
        assert CALLER.post(url, content=content).status_code == 413
    assert kept(served.stage.engine) == []


def test_a_push_never_sends_anything(served: Served) -> None:
    """Not even one that looks like an order, or like an answer of the gateway."""
    for body in (
        b'{"to": "13800138000", "text": "hello", "class": "otp"}',
        b'{"mobile": "13800138000", "content": "hello", "taskId": "x", "code": "00"}',
    ):
        assert CALLER.post(f"{served.url}/push/v1/{TOKEN}", content=body).status_code == 200
    pushes.drain(served.stage.engine, served.stage.settings)
    assert count(served.stage.engine, request) == count(served.stage.engine, submission) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_many_at_once_doubled_and_out_of_order_end_right(served: Served) -> None:
    """Reports of messages that were submitted one by one: delivered wins, each counts once."""
    stage = served.stage
    numbers = mobiles(30)
    accepted = [stage.enqueue(one, TEXT, account="v1") for one in numbers]
    with stage.working():
        eventually(lambda: all(stage.message(one).state == "submitted" for one in accepted))
    references = {row.request_id: row.reference for row in _submissions(stage)}

    def push(nth: int, status: str, second: int) -> None:
        row = {
            "sendId": references[accepted[nth].request_id],
            "mobile": numbers[nth],
            "status": status,
            "times": f"2026-11-24 08:00:{second:02}",
        }
        assert CALLER.post(f"{served.url}/push/v1/{TOKEN}", json=row).status_code == 200

    said = [(nth, "DELIVRD" if nth % 3 else "UNDELIV", 1) for nth in range(30)] * 2
    said += [(nth, "UNKNOWN", 2) for nth in range(30)]
    random.Random(7).shuffle(said)
    with ThreadPoolExecutor(16) as pool:
        assert len(list(pool.map(lambda one: push(*one), said))) == 90
    assert pushes.drain(stage.engine, stage.settings) == 90
    states = Counter(stage.message(one).state.value for one in accepted)
    assert states == {"delivered": 20, "undelivered": 10}
    assert count(stage.engine, report) == 60


def _submissions(stage: Stage) -> list[Any]:
    with database.reading(stage.engine) as connection:
        return list(connection.execute(select(submission)))


@pytest.mark.parametrize("kind", KINDS)
def test_one_that_cannot_be_stored_holds_up_no_other(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, settings = served.stage.engine, served.stage.settings
    for nth in range(5):
        row = {"smsid": str(nth), "mobilephone": "13800138000", "code": "2"}
        assert CALLER.post(f"{served.url}/push/codes/{TOKEN}", data=row).status_code == 200
    whole = raw_pages.take

    def bad(connection: Any, settings: Any, account: str, contents: Any) -> int:
        if any(row.gateway_id == "3" for _, page in contents for row in page.reports):
            raise ValueError
        return whole(connection, settings, account, contents)

    monkeypatch.setattr(raw_pages, "take", bad)
    assert pushes.drain(engine, settings) == 5
    assert count(engine, report) == 4
    assert [row.damaged for row in kept(engine)] == [0, 0, 0, 1, 0]
    assert [row.problem for row in kept(engine)][3] == "cannot be read: ValueError"


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({}, 404),
        ({"X-Forwarded-For": "203.0.113.9"}, 200),
        ({"X-Forwarded-For": "203.0.113.9, 198.51.100.1"}, 404),
        ({"X-Forwarded-For": "198.51.100.1, 203.0.113.9"}, 200),
        ({"X-Forwarded-For": "nonsense"}, 404),
        ({"X-Forwarded-For": "203.0.113.7:50123"}, 200),
        ({"X-Forwarded-For": "[2001:db8::1]:443"}, 200),
        ({"X-Forwarded-For": '"[2001:db8::1]:443"'}, 200),
        ({"X-Forwarded-For": "[2001:db8::1]"}, 200),
        ({"X-Forwarded-For": "2001:db8::1"}, 200),
        ({"X-Forwarded-For": "[::ffff:203.0.113.7]:1"}, 200),
        ({"X-Forwarded-For": '198.51.100.1 ,\t"203.0.113.7" ,'}, 200),
        ({"X-Forwarded-For": "203.0.113.7,,"}, 200),
        ({"X-Forwarded-For": "203.0.113.7, 127.0.0.9:80"}, 200),
        ({"X-Forwarded-For": "198.51.100.1:203"}, 404),
        ({"X-Forwarded-For": "203.0.113.7:50123:1"}, 404),
        ({"X-Forwarded-For": "[203.0.113.7"}, 404),
        ({"X-Forwarded-For": "203.0.113.7, unknown"}, 404),
    ],
)
@pytest.mark.parametrize("web", [{"trusted_proxies": ["127.0.0.0/8"]}])
@pytest.mark.parametrize(
    "accounts",
    [{"v1": {"push_tokens": [TOKEN], "push_from": ["203.0.113.0/24", "2001:db8::/32"]}}],
)
def test_who_may_push_can_be_listed(served: Served, said: dict[str, str], status: int) -> None:
    answer = CALLER.post(f"{served.url}/push/v1/{TOKEN}", headers=said)
    assert answer.status_code == status


@pytest.mark.parametrize(
    "accounts", [{"v1": {"push_tokens": [TOKEN], "push_from": ["203.0.113.0/24"]}}]
)
def test_nobody_is_believed_who_is_no_trusted_proxy(served: Served) -> None:
    said = {"X-Forwarded-For": "203.0.113.9"}
    assert CALLER.post(f"{served.url}/push/v1/{TOKEN}", headers=said).status_code == 404


@pytest.mark.parametrize("web", [{"trusted_proxies": ["127.0.0.0/8"]}])
@pytest.mark.parametrize(
    "accounts", [{"v1": {"push_tokens": [TOKEN], "push_from": ["203.0.113.0/24"]}}]
)
def test_refused_pushes_are_counted_and_written_down_now_and_then(served: Served) -> None:
    """A wrong token is no push: what anybody may send writes nothing."""
    for said in ("unknown\t\u00e9" + "x" * 90, "198.51.100.1"):
        CALLER.post(
            f"{served.url}/push/v1/{TOKEN}", headers={"X-Forwarded-For": said.encode("utf-8")}
        )
    CALLER.post(f"{served.url}/push/v1/wrong-token-0123456789")
    with database.reading(served.stage.engine) as connection:
        (refused,) = connection.execute(select(event).where(event.c.name == "push.refused"))
    assert refused.account == "v1"
    assert (refused.detail["count"], refused.detail["peer"]) == (1, "127.0.0.1")
    assert refused.detail["forwarded"].startswith("unknown")
    assert refused.detail["forwarded"].isascii()
    assert len(refused.detail["forwarded"]) <= 45


def test_refusals_between_two_events_are_counted_in_the_next() -> None:
    times = iter([0.0, 1.0, 59.0, 60.5, 61.0])
    refusals = RefusedPushes(lambda: next(times))
    details = [refusals.note("v1", Peer(None)) for _ in range(5)]
    assert [detail and detail["count"] for detail in details] == [1, None, None, 3, None]


def test_a_push_is_not_read_as_a_page(served: Served) -> None:
    from worker.feedback import unread_pages

    CALLER.post(f"{served.url}/push/v1/{TOKEN}", json={"mobile": "13800138000"})
    unread_pages.read_waiting(served.stage.engine, served.stage.settings)
    with database.reading(served.stage.engine) as connection:
        assert has_unread_pushes(connection, ["v1"])
