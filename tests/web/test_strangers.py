"""What strangers and other senders may try with the HTTP API, and what they get for it."""

import json
import socket
from typing import Any

import httpx
import pytest

from tests.support.stage import TEXT, mobiles
from tests.web.conftest import Served
from worker.domain.enums import Scope

TO = "13800138000"
BODY = {"to": TO, "text": TEXT}


#: How a key may be shown, and counts as none; KEY is a good one.
_SHOWN: tuple[dict[str, str], ...] = (
    {},
    {"Authorization": ""},
    {"Authorization": "KEY"},
    {"Authorization": "Basic KEY"},
    {"Authorization": "Token KEY"},
    {"Authorization": "Bearer\tKEY"},
    {"Authorization": "Bearer CUT"},
    {"Authorization": "Bearer CASED"},
    {"Authorization": "Bearer LIVE"},
    {"Authorization": f"Bearer {'a' * 20_000}"},
    {"Cookie": "xinshi_session=KEY; key=KEY; Authorization=KEY"},
    {"X-Api-Key": "KEY"},
)


def test_a_key_counts_whole_and_as_a_bearer_s_alone(served: Served) -> None:
    key = served.key()
    words = {
        "KEY": key,
        "CUT": key[:-1],
        "CASED": key.swapcase(),
        "LIVE": served.key("ci", test=True).replace("_test_", "_live_"),
    }
    address = f"{served.url}/v1/messages"
    for forms in _SHOWN:
        shown = {name: _put(value, words) for name, value in forms.items()}
        with httpx.Client(trust_env=False, headers=shown) as client:
            answers = [
                client.post(address, json=BODY),
                client.get(address, params={"key": key, "access_token": key}),
            ]
        assert [answer.status_code for answer in answers] == [401, 401], forms
        assert all(key not in answer.text for answer in answers)
    assert served.client(key).get(address).status_code == 200


def _put(value: str, words: dict[str, str]) -> str:
    for name, word in words.items():
        value = value.replace(name, word)
    return value


def test_another_sender_finds_nothing_of_ours_by_any_call(served: Served) -> None:
    """Whether it is there or not is the same to it: 404, and no word of what it is."""
    ours, theirs = served.client(), served.client(served.key("mallory"))
    message = ours.post("/v1/messages", json=BODY).json()["ids"][0]
    fields = {"name": "spring", "text": TEXT, "recipients": mobiles(2), "start": False}
    campaign = ours.post("/v1/campaigns", json=fields).json()["id"]
    calls = [
        ("GET", f"/v1/messages/{message}"),
        ("POST", f"/v1/messages/{message}/cancel"),
        ("GET", f"/v1/campaigns/{campaign}"),
        ("GET", f"/v1/campaigns/{campaign}/export"),
        *(
            ("POST", f"/v1/campaigns/{campaign}/{verb}")
            for verb in ("start", "pause", "resume", "cancel")
        ),
    ]
    for method, path in calls:
        answer = theirs.request(method, path)
        absent = theirs.request(
            method, path.replace(f"/{campaign}", "/999").replace(message, "9-9")
        )
        assert (answer.status_code, absent.status_code) == (404, 404), path
        assert TO not in answer.text
    for params in ({}, {"to": TO}, {"campaign": campaign}, {"state": "queued"}):
        assert not theirs.get("/v1/messages", params=params).json().get("messages")
    assert theirs.get("/v1/campaigns").json()["campaigns"] == []
    assert ours.get(f"/v1/messages/{message}").json()["state"] == "queued"


@pytest.mark.parametrize(
    "more",
    [{"sender": "alice"}, {"id": 7}, {"state": "delivered"}, {"test": True}, {"campaign": 1}],
    ids=str,
)
def test_nobody_sets_what_is_ours_to_set(served: Served, more: dict[str, Any]) -> None:
    client = served.client()
    assert client.post("/v1/messages", json=BODY | more).status_code == 422
    assert client.post("/v1/messages", json=BODY, params=more).status_code == 422
    assert client.get("/v1/messages").json()["messages"] == []


ODD_BODIES: dict[str, bytes] = {
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"to":' * 900 + b"1" + b"}" * 900,
    "less deep": b'{"to":"13800138000","text":"x","options":{"a":%s}}' % (b"[" * 150 + b"]" * 150),
    "a large number": b'{"to":%s,"text":"x"}' % (b"9" * 5000),
    "no number": b'{"to":"13800138000","text":"x","variables":{"a":NaN}}',
    "infinite": b'{"to":"13800138000","text":"x","not_after":Infinity}',
    "a lone surrogate": b'{"to":"13800138000","text":"\\ud800"}',
    "a lone surrogate as a name": b'{"to":"13800138000","text":"{a}","variables":{"\\udfff":"x"}}',
    "NUL": b'{"to":"13800138000","text":"a\\u0000"}',
    "bad UTF-8": b'{"to":"13800138000","text":"\xff\xfe"}',
    "a long text": json.dumps(BODY | {"text": "x" * 10_001}).encode(),
    "a long account": json.dumps(BODY | {"account": "x" * 65}).encode(),
    "a long extension": json.dumps(BODY | {"extension": "9" * 21}).encode(),
    "a long template": json.dumps(BODY | {"template": "x" * 65}).encode(),
    "a second line in the extension": json.dumps(BODY | {"extension": "1\r\nX: 1"}).encode(),
    "a field in the extension": json.dumps(BODY | {"account": "v1", "extension": "1&a=1"}).encode(),
}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_odd_bodies_are_faults_of_their_own_calls_alone(served: Served) -> None:
    client = served.client()
    words = {"Content-Type": "application/json"}
    for name, body in ODD_BODIES.items():
        answer = client.post("/v1/messages", content=body, headers=words)
        assert answer.status_code in {400, 422}, name
        assert answer.headers["content-type"] == "application/problem+json", name
    assert client.get("/v1/messages").json()["messages"] == []
    assert client.post("/v1/messages", json=BODY).status_code == 202


@pytest.mark.parametrize(
    ("kind_of_body", "body"),
    [
        ("text/plain", json.dumps(BODY).encode()),
        ("application/x-www-form-urlencoded", b"to=13800138000&text=x"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="to"\r\n',
        ),
        ("application/xml", b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>'),
        ("", json.dumps(BODY).encode()),
    ],
)
def test_a_call_is_json_and_says_so(served: Served, kind_of_body: str, body: bytes) -> None:
    answer = served.client().post(
        "/v1/messages", content=body, headers={"Content-Type": kind_of_body}
    )
    assert answer.status_code in {400, 415, 422}
    assert "root:" not in answer.text


@pytest.mark.parametrize("key", ["a\x00b", "a\tb", " ", "", "x" * 300, "ключ".encode()])
def test_an_idempotency_key_is_plain_or_refused(served: Served, key: str | bytes) -> None:
    raw = key if isinstance(key, bytes) else key.encode()
    assert _status(served, b"Idempotency-Key: " + raw) in {400, 422}


def test_of_two_keys_that_are_shown_one_counts_or_none(served: Served) -> None:
    assert _status(served, b"Authorization: Bearer nothing") in {202, 400, 401}


def test_a_field_that_is_given_twice_is_its_last(served: Served) -> None:
    """As JSON is read everywhere; what checks a call and what sends it see the same."""
    client = served.client()
    body = b'{"to": "13900000000", "text": "a", "to": "13800138000", "text": "b"}'
    for content in (body, b"\xef\xbb\xbf" + body, body.decode().encode("utf-16")):
        words = {"Content-Type": "application/json"}
        answer = client.post("/v1/messages", content=content, headers=words)
        assert answer.status_code in {202, 400, 422}
    shown = client.get("/v1/messages").json()["messages"]
    assert {message["to"] for message in shown} == {TO}


_NO_QUESTIONS = (
    {"after": "x"},
    {"after": "' OR 1=1 --"},
    {"after": "1-1; DROP TABLE xinshi_message"},
    {"after": "-1"},
    {"limit": "0"},
    {"limit": "100000"},
    {"limit": "x"},
    {"state": "nothing"},
    {"class": "otp' --"},
    {"to": "138"},
    {"campaign": "x"},
)


def test_a_question_that_is_none_is_refused(served: Served) -> None:
    client = served.client()
    for params in _NO_QUESTIONS:
        assert client.get("/v1/messages", params=params).status_code == 422, params


def test_nothing_lies_beside_the_api(served: Served) -> None:
    with httpx.Client(base_url=served.url, trust_env=False) as client:
        for path in (
            *("/.env", "/redoc", "/xinshi.toml", "/static/../xinshi.toml"),
            *("/static/%2e%2e/app.py", "/static//etc/passwd", "/static/..%2fapp.py", "/v1"),
        ):
            answer = client.get(path)
            assert answer.status_code == 404, path
        for method in ("PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "HEAD"):
            assert client.request(method, "/v1/messages/1-0/cancel").status_code == 405, method
        overriding = {"X-HTTP-Method-Override": "DELETE", "Authorization": f"Bearer {served.key()}"}
        assert client.get("/v1/callbacks", headers=overriding).status_code == 200


def test_what_the_api_describes_holds_no_name_of_ours(served: Served) -> None:
    said = httpx.get(f"{served.url}/openapi.json", trust_env=False).text
    settings = served.stage.settings
    words = [account.settings.base_url for account in settings.accounts.values()]
    words += [f'"{name}"' for name in settings.accounts if name not in {"codes", "me"}]
    assert not [word for word in words if word in said]


@pytest.mark.parametrize("web", [{"otp_per_recipient": ["1/1h"]}])
@pytest.mark.parametrize(
    "spelling",
    [
        *("+8613800138000", "008613800138000", "86 138 0013 8000", "138-0013-8000"),
        *("(138)00138000", "１３８００１３８０００", " 13800138000 ", "13800138000\n"),
        *("138\u200b00138000", "+86-138-0013-8000", "tel:13800138000", "13800138000,13900000000"),
    ],
)
def test_a_number_is_one_however_it_is_written_or_it_is_none(served: Served, spelling: str) -> None:
    client = served.client()
    code = BODY | {"class": "otp"}
    assert client.post("/v1/messages", json=code).status_code == 202
    assert client.post("/v1/messages", json=code | {"to": spelling}).status_code in {422, 429}
    both = client.post("/v1/messages", json=code | {"to": ["13900000000", TO]})
    assert both.status_code == 429
    assert client.post("/v1/messages", json=code | {"to": "13900000000"}).status_code == 202


def test_a_door_that_was_told_once_stays_shut_to_others(served: Served) -> None:
    """A key that may only read sends by no call, and one that may only send reads by none."""
    reader = served.client(served.key("li", Scope.READ))
    sender = served.client(served.key("wang", Scope.SEND))
    sent = sender.post("/v1/messages", json=BODY).json()["ids"][0]
    for client, method, path in (
        (reader, "POST", "/v1/messages"),
        (reader, "POST", f"/v1/messages/{sent}/cancel"),
        (reader, "POST", "/v1/callbacks"),
        (reader, "POST", "/v1/campaigns"),
        (sender, "GET", f"/v1/messages/{sent}"),
        (sender, "GET", "/v1/balance"),
        (sender, "GET", "/v1/inbound"),
        (sender, "GET", "/v1/campaigns"),
    ):
        fields = {"url": "https://a.example/"} if "callbacks" in path else BODY
        answer = client.request(method, path, json=fields if method == "POST" else None)
        assert answer.status_code == 403, (method, path)


def _status(served: Served, *lines: bytes) -> int:
    """Make a call with lines of a head that no client would write; return the answer's status."""
    host, _, port = served.url.removeprefix("http://").partition(":")
    body = json.dumps(BODY).encode()
    head = [b"POST /v1/messages HTTP/1.1", b"Host: x", b"Content-Type: application/json"]
    head += [f"Authorization: Bearer {served.key()}".encode(), *lines]
    head += [b"Content-Length: %d" % len(body), b"", body]
    with socket.create_connection((host, int(port)), 10) as line:
        line.sendall(b"\r\n".join(head))
        return int(line.recv(200).split(b" ")[1])
