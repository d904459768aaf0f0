"""Who may do what: keys, scopes, rates, allowances for codes, test keys."""

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.stage import (
    TEXT,
    eventually,
    mobiles,
    section,
)
from tests.web.conftest import Served
from tests.web.raw_http import connected
from worker.domain.enums import Scope
from worker.domain.errors import ConfigurationError
from worker.store import keys
from worker.store.db import database

TO = "13800138000"
BODY = {"to": TO, "text": TEXT}
CODE = {"to": TO, "text": TEXT, "class": "otp"}


@pytest.mark.parametrize("shown", ["", "xinshi_live_" + "A" * 43, "' OR 1=1", "xinshi"])
def test_who_shows_no_key_is_told_so_and_nothing_else(served: Served, shown: str) -> None:
    answer = served.client(shown or "none").post("/v1/messages", json=BODY)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert len(shown) < 20 or shown not in answer.text


@pytest.mark.parametrize("key", ["", "xinshi_live_" + "a" * 43])
def test_no_body_is_read_before_the_key_is_known(served: Served, key: str) -> None:
    described = served.client().get("/openapi.json").json()["paths"]
    addresses = [
        re.sub(r"{\w+}", "1", path)
        for path, methods in described.items()
        if "requestBody" in methods.get("post", {})
    ]
    assert len(addresses) >= 5
    for address in addresses:
        head = f"POST {address} HTTP/1.1\r\nAuthorization: Bearer {key}\r\nContent-Length: 2000\r\n"
        media_type = "Content-Type: application/json\r\n\r\n"
        with connected(served.url) as connection:
            connection.sendall((head + media_type).encode())
            assert connection.recv(12) == b"HTTP/1.1 401"


def test_a_key_may_do_what_its_scopes_say(served: Served) -> None:
    paths = {
        Scope.SEND: ("POST", "/v1/messages"),
        Scope.READ: ("GET", "/v1/messages"),
        Scope.CAMPAIGNS: ("GET", "/v1/campaigns"),
        Scope.INBOUND: ("GET", "/v1/inbound"),
        Scope.OPERATE: ("GET", "/v1/accounts"),
    }
    for scope in paths:
        client = served.client(served.key("some", scope))
        for needed, (method, path) in paths.items():
            answer = client.request(method, path, json=BODY if method == "POST" else None)
            # Replies to its own messages are shown to whoever may read these.
            opens = {needed, Scope.READ} if needed is Scope.INBOUND else {needed}
            assert (answer.status_code == 403) == (scope not in opens), (scope, path)


def test_a_revoked_key_is_refused_within_seconds(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("producer.web.api.keyring.KEY_CACHE_SECONDS", 0.2)
    client = served.client()
    assert client.get("/v1/messages").status_code == 200
    with database.writing(served.stage.engine) as connection:
        (key,) = keys.list_keys(connection)
        assert key.used_at is not None
        assert keys.revoke(connection, key.id)
    eventually(lambda: client.get("/v1/messages").status_code == 401)


def test_a_key_that_calls_too_fast_is_told_when_to_come_again(served: Served) -> None:
    client = served.client(served.key("slow", rate=2))
    answers = [client.get("/v1/messages").status_code for _ in range(4)]
    assert answers[:2] == [200, 200]
    assert 429 in answers
    assert int(client.get("/v1/messages").headers.get("retry-after", 1)) >= 1
    eventually(lambda: client.get("/v1/messages").status_code == 200)


@pytest.mark.parametrize("web", [{"otp_per_recipient": ["2/1h"], "otp_per_client": ["3/1h"]}])
@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mysql"])
def test_a_number_is_sent_so_many_codes_and_no_more(served: Served) -> None:
    """Refused before anything is stored; a repeated call and a notice count nothing."""
    client = served.client()
    again = {"Idempotency-Key": "code-1"}
    for headers in (again, again, {}):
        assert client.post("/v1/messages", json=CODE, headers=headers).status_code == 202
    refused = client.post("/v1/messages", json=CODE)
    assert refused.status_code == 429
    assert 3500 < int(refused.headers["retry-after"]) <= 3600
    assert client.post("/v1/messages", json=CODE, headers=again).json()["repeated"]
    assert client.post("/v1/messages", json=BODY).status_code == 202
    other = served.client(served.key("crm"))
    assert other.post("/v1/messages", json=CODE).status_code == 429
    assert len(client.get("/v1/messages", params={"class": "otp"}).json()["messages"]) == 2


@pytest.mark.parametrize("web", [{"otp_per_recipient": ["3/1h"]}])
@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mysql"])
def test_at_the_same_time_no_more_codes_go_through_than_one_by_one(served: Served) -> None:
    client = served.client()

    def send(_nth: int) -> int:
        return client.post("/v1/messages", json=CODE, timeout=30).status_code

    with ThreadPoolExecutor(12) as pool:
        answers = Counter(pool.map(send, range(12)))
    # A database may refuse one of two that wait for each other: then nothing is stored.
    assert answers[202] + answers[429] + answers[503] == 12
    assert answers[202] <= 3
    stored = client.get("/v1/messages").json()["messages"]
    assert len(stored) == answers[202]
    assert answers[202] == 3 or answers[503]


@pytest.mark.parametrize("web", [{"otp_per_recipient": [], "otp_per_client": ["2/1h"]}])
@pytest.mark.parametrize(
    ("clients", "other"),
    [
        (["203.0.113.7", "::ffff:203.0.113.7", " 203.0.113.7"], "203.0.113.8"),
        (["203.0.113.7:5123", "203.0.113.007", "2002:cb00:7107::1"], "203.0.113.8"),
        (["2a01:db8::1", "2A01:DB8::2", "[2a01:db8:0:ff:ffff::]:443"], "2a01:db8:0:100::1"),
        (["session-1"] * 3, "session-2"),
    ],
)
def test_a_client_is_sent_so_many_codes_to_whatever_numbers(
    served: Served, clients: list[str], other: str
) -> None:
    client = served.client()
    answers = [
        client.post("/v1/messages", json=CODE | {"to": number, "client": name}).status_code
        for number, name in zip(mobiles(4), [*clients, other], strict=True)
    ]
    assert answers == [202, 202, 429, 202]


@pytest.mark.parametrize("web", [{"otp_per_recipient": [], "otp_per_client": ["3/1h"]}])
def test_a_list_takes_of_a_client_s_codes_what_its_numbers_are(served: Served) -> None:
    client = served.client()

    def send(numbers: list[str]) -> int:
        body = CODE | {"to": numbers, "client": "session-1"}
        return client.post("/v1/messages", json=body).status_code

    assert send(mobiles(4)) == 422, "no client may ever have so many"
    counts = [2, 2, 1, 1]
    assert [send(mobiles(count)) for count in counts] == [202, 429, 202, 429]


@pytest.mark.parametrize("web", [{"otp_per_recipient": ["1/1h"]}])
def test_a_mobile_with_a_trunk_zero_is_sent_no_more_codes_than_without(served: Served) -> None:
    client = served.client()
    answers = [
        client.post("/v1/messages", json=CODE | {"to": to, "account": "bulk"}).status_code
        for to in (TO, f"0{TO}", f"+86 0{TO}")
    ]
    assert answers == [202, 429, 429]


def test_a_test_key_without_a_sandbox_is_refused_and_sends_nothing(served: Served) -> None:
    client = served.client(served.key("ci", test=True))
    answer = client.post("/v1/messages", json=BODY)
    assert answer.status_code == 422
    assert "web.test_account" in answer.json()["errors"][0]["what"]
    assert client.get("/v1/messages").json()["messages"] == []


@pytest.mark.parametrize("web", [{"test_account": "v1"}])
def test_what_a_test_key_sends_goes_to_the_sandbox_whole_path(served: Served) -> None:
    test, live = served.client(served.key("ci", test=True)), served.client()
    assert test.post("/v1/messages", json=BODY | {"account": "bulk"}).status_code == 422
    assert live.post("/v1/messages", json=BODY | {"account": "v1"}).status_code == 422
    one = test.post("/v1/messages", json=BODY).json()["ids"][0]
    with served.stage.working():
        eventually(lambda: test.get(f"/v1/messages/{one}").json()["state"] == "delivered")
    assert [line.gateway for line in served.stage.lines()] == ["apiv1"]
    campaign = {"name": "x", "text": TEXT, "recipients": [TO], "class": "notice", "start": False}
    assert test.post("/v1/campaigns", json=campaign).json()["account"] == "v1"


def test_a_test_account_has_to_be_on_this_machine(served: Served) -> None:
    far = section(served.stage.sandbox, "bulk") | {"base_url": "https://sms.example.com"}
    with pytest.raises(ConfigurationError, match=r"web\.test_account"):
        served.stage.configure(accounts={"far": far}, web={"test_account": "far"})
    with pytest.raises(ConfigurationError, match=r"classes = \[\]"):
        served.stage.configure("v1", web={"test_account": "v1"})
