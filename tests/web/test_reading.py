"""What is known of accounts, and what bounds a call."""

import socket
import time

import httpx
import pytest

from tests.web.conftest import Served
from worker import database
from worker.store import accounts, pages, pushed


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


@pytest.mark.parametrize("web", [{"test_account": "v1"}])
def test_test_keys_and_others_do_not_see_each_other_s_replies(served: Served) -> None:
    with database.writing(served.stage.engine) as connection:
        row = {"account": "x", "target": "POST", "headers": {}, "body": b""}
        pushed.keep(connection, [row])
        for account in ("v1", "bulk"):
            pages.add_inbound(
                connection,
                [
                    {
                        "account": account,
                        "msisdn": "13800138000",
                        "text": account,
                        "extension": None,
                        "service_number": None,
                        "gateway_id": None,
                        "received_at": None,
                        "digest": account,
                        "inbox_id": 1,
                    }
                ],
            )
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
