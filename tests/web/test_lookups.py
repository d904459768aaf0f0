"""What is known of accounts, and what bounds a call."""

import socket
import time
from typing import Any

import httpx
import pytest

from tests.support.stage import TEXT, mobiles
from tests.web.conftest import Served
from worker.domain.enums import Scope
from worker.feedback import inbound
from worker.gateways.results import InboundMessage
from worker.intake import campaign_numbers
from worker.store import accounts
from worker.store.db import database
from worker.store.feedback import inbox
from worker.store.feedback.inbound import add_replies
from worker.store.feedback.page_pieces import RawPage


def test_a_hold_and_its_reason_are_seen_by_who_operates(served: Served) -> None:
    with database.writing(served.stage.engine) as connection:
        accounts.hold(connection, "bulk", "101", "wrong password", None)
        accounts.write_balance(
            connection,
            "v1",
            {"pools": [{"name": "balance", "remaining": 7, "postpaid": False, "used": True}]},
        )
    client = served.client()
    found = {one["name"]: one for one in client.get("/v1/accounts").json()["accounts"]}
    assert found.keys() == served.stage.settings.accounts.keys()
    assert (found["bulk"]["held"], found["v1"]["held"]) == (True, False)
    assert "wrong password" in found["bulk"]["why"]
    left = {one["account"]: one for one in client.get("/v1/balance").json()["balances"]}
    assert left["v1"]["pools"][0]["remaining"] == 7
    assert left["bulk"] == {"account": "bulk", "pools": [], "sent": None, "at": None}


def _reply(text: str, account: str = "bulk", msisdn: str = "13800138000") -> dict[str, Any]:
    return {
        "account": account,
        "msisdn": msisdn,
        "text": text,
        "extension": None,
        "service_number": None,
        "gateway_id": None,
        "received_at": None,
        "digest": text,
        "inbox_id": 1,
    }


def _came_in(served: Served, *replies: dict[str, Any]) -> None:
    with database.writing(served.stage.engine) as connection:
        add_replies(connection, list(replies))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mysql"])
def test_a_reply_belongs_to_the_sender_of_what_it_answers(served: Served) -> None:
    """That is the newest message to the number by that account; `inbound` shows all of them."""
    shop, crm = (
        served.client(served.key(name, Scope.SEND, Scope.READ)) for name in ("shop", "crm")
    )
    to, other = mobiles(2)

    def send(client: httpx.Client, number: str, account: str) -> str:
        body = {"to": number, "text": TEXT, "account": account}
        return str(client.post("/v1/messages", json=body).json()["ids"][0])

    def texts(client: httpx.Client, **params: str) -> list[tuple[str, str | None]]:
        found = client.get("/v1/inbound", params=params).json()["inbound"]
        return [(one["text"], one["answers"]) for one in found]

    _came_in(served, _reply("before", msisdn=to))
    first = send(shop, to, "bulk")
    _came_in(served, _reply("to the shop", msisdn=to), _reply("elsewhere", "v1", to))
    second = send(crm, to, "bulk")
    third = send(crm, other, "bulk")
    _came_in(served, _reply("to the crm", msisdn=to), _reply("to both", msisdn=other))
    assert texts(shop) == [("to the shop", first)]
    assert texts(crm) == [("to both", third), ("to the crm", second)]
    assert texts(crm, **{"from": to}) == [("to the crm", second)]
    everything = texts(served.client(served.key("all", Scope.INBOUND)))
    assert everything == [
        ("to both", third),
        ("to the crm", second),
        ("elsewhere", None),
        ("to the shop", first),
        ("before", None),
    ]


def test_pages_of_replies_miss_none_however_few_are_one_s_own(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.store.feedback.inbound.MAX_SEARCHED_ROWS", 3)
    client = served.client(served.key("shop", Scope.SEND, Scope.READ))
    body = {"to": "13800138000", "text": TEXT, "account": "bulk"}
    client.post("/v1/messages", json=body)
    strangers = [_reply(f"stranger {nth}", msisdn=f"1390000000{nth}") for nth in range(4)]
    own = [_reply(f"own {nth}") for nth in range(5)]
    _came_in(served, *own[:1], *strangers, *own[1:])
    found: list[str] = []
    params: dict[str, int] = {"limit": 2}
    for _ in range(10):
        page = client.get("/v1/inbound", params=params).json()
        found += [one["text"] for one in page["inbound"]]
        if page["before"] is None:
            break
        params["before"] = page["before"]
    assert found == ["own 4", "own 3", "own 2", "own 1", "own 0"]


def test_a_campaign_is_found_by_number_page_by_page_and_until_then_said_to_lack(
    served: Served,
) -> None:
    client = served.client(served.key("shop", Scope.SEND, Scope.READ, Scope.CAMPAIGNS))
    to, other = mobiles(2)
    client.post("/v1/messages", json={"to": to, "text": TEXT, "account": "bulk"})
    for name in ("spring", "summer"):
        body = {"name": name, "text": TEXT, "recipients": [other, to], "start": False}
        assert client.post("/v1/campaigns", json=body).status_code == 201
    page = client.get("/v1/messages", params={"to": to}).json()
    assert (len(page["messages"]), page["unsearched_campaigns"]) == (1, 2)
    stranger = served.client(served.key("crm", Scope.READ))
    assert stranger.get("/v1/messages", params={"to": to}).json()["unsearched_campaigns"] == 0
    while campaign_numbers.store_part(served.stage.engine):
        pass
    found: list[str] = []
    params: dict[str, Any] = {"to": to, "limit": 1}
    while True:
        page = client.get("/v1/messages", params=params).json()
        found += [message["id"] for message in page["messages"]]
        assert page["unsearched_campaigns"] == 0
        if page["after"] is None:
            break
        params["after"] = page["after"]
    assert len(found) == 3
    assert found == sorted(found, key=lambda name: -int(name.partition("-")[0]))
    assert stranger.get("/v1/messages", params={"to": to}).json()["messages"] == []


@pytest.mark.parametrize("web", [{"test_account": "v1"}])
def test_test_keys_and_others_do_not_see_each_other_s_replies(served: Served) -> None:
    with database.writing(served.stage.engine) as connection:
        inbox.add_pushes(connection, [RawPage("x", "push", b"", target="POST")])
        for account in ("v1", "bulk"):
            add_replies(connection, [_reply(account, account)])
    for test, sees in ((True, "v1"), (False, "bulk")):
        client = served.client(served.key("ci" if test else "shop", test=test))
        found = client.get("/v1/inbound").json()
        assert [one["text"] for one in found["inbound"]] == [sees]
        assert client.get("/v1/inbound", params={"account": "nobody"}).json()["inbound"] == []


@pytest.mark.parametrize("web", [{"max_body": 2048}])
def test_a_body_that_is_too_large_is_refused_whether_it_says_so_or_not(served: Served) -> None:
    body = b'{"to": "13800138000", "text": "' + b"x" * 4000 + b'"}'
    client = served.client()
    for content in (body, (body[nth : nth + 100] for nth in range(0, len(body), 100))):
        answer = client.post("/v1/messages", content=content)
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"
    assert client.get("/v1/messages").json()["messages"] == []


@pytest.mark.parametrize("web", [{"body_timeout": "0.3s"}])
def test_a_body_that_does_not_arrive_is_not_waited_for(served: Served) -> None:
    host, _, port = served.url.removeprefix("http://").partition(":")
    head = (
        "POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {served.key()}\r\nContent-Length: 100\r\n\r\n{{"
    )
    begun = time.monotonic()
    with socket.create_connection((host, int(port)), 10) as line:
        line.sendall(head.encode())
        assert line.recv(200).startswith(b"HTTP/1.1 408")
    assert time.monotonic() - begun < 8


@pytest.mark.parametrize("web", [{"max_recipients": 2}])
def test_numbers_in_one_call_are_bounded(served: Served) -> None:
    answer = served.client().post("/v1/messages", json={"to": ["13800138000"] * 3, "text": "x"})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "to", "what": "has 3 numbers and may have 2"}]


def test_what_is_no_json_is_told_so(served: Served) -> None:
    client = served.client()
    for content, status in ((b"{", 400), (b"\xff", 400), (b"[]", 422), (b"", 422)):
        headers = {"Content-Type": "application/json"}
        answer = client.post("/v1/messages", content=content, headers=headers)
        assert answer.status_code == status, content
        assert answer.headers["content-type"] == "application/problem+json"


def test_an_address_that_is_none_is_a_problem_document_too(served: Served) -> None:
    for answer in (httpx.get(f"{served.url}/v2"), httpx.put(f"{served.url}/v1/messages")):
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code


def test_a_reply_says_what_it_asks_for(served: Served) -> None:
    texts = ["回T退订", "START", "我要退订", "T恤有货吗"]
    replies = [(1, InboundMessage(to, text)) for to, text in zip(mobiles(4), texts, strict=True)]
    with database.writing(served.stage.engine) as connection:
        inbound.take_pages(connection, served.stage.settings, "v1", replies)
    page = served.client(served.key("all", Scope.INBOUND)).get("/v1/inbound").json()["inbound"]
    meanings = {reply["text"]: reply["meaning"] for reply in page}
    assert meanings == dict(zip(texts, ["out", "in", "near", None], strict=True))
