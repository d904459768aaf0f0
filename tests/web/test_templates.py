"""Templates by HTTP: who may see and change what, and what a call that is repeated does."""

from typing import Any

import httpx
import pytest

from tests.web.conftest import Served
from worker.domain.enums import Scope
from worker.store import events
from worker.store.db import database

BODY = "您的验证码是{code}，{minutes}分钟内有效"
TEMPLATE = {"template": "login", "class": "otp", "body": BODY, "limits": {"code": {"digits": True}}}
BINDING = {"account": "bulk"}
READS = ["/v1/templates", "/v1/templates/login"]
OPERATED_READS = ["/v1/signatures"]
WRITES: list[tuple[str, dict[str, Any]]] = [
    ("/v1/templates", TEMPLATE),
    ("/v1/templates/login/bindings", BINDING),
    ("/v1/bindings/1/pause", {}),
    ("/v1/bindings/1/resume", {}),
    ("/v1/signatures", {"account": "bulk", "name": "云雀"}),
    ("/v1/signatures/1/pause", {}),
    ("/v1/signatures/1/resume", {}),
]


@pytest.fixture
def operator(served: Served) -> httpx.Client:
    """A client whose key may operate; `login` is there and one account sends it."""
    client = served.client(served.key("ops", Scope.OPERATE))
    done(client, "/v1/templates", TEMPLATE)
    done(client, "/v1/signatures", {"account": "bulk", "name": "云雀"})
    done(client, "/v1/templates/login/bindings", {**BINDING, "signature": "云雀"})
    return client


def done(client: httpx.Client, address: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(address, json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.parametrize("scope", Scope)
def test_a_key_may_do_what_its_scope_says(
    served: Served, operator: httpx.Client, scope: Scope
) -> None:
    assert operator.get("/v1/templates").status_code == 200
    client = served.client(served.key("some", scope))
    for address in READS:
        expected = 200 if scope in {Scope.SEND, Scope.OPERATE} else 403
        assert client.get(address).status_code == expected, address
    for address in OPERATED_READS:
        assert client.get(address).status_code == (200 if scope is Scope.OPERATE else 403)
    for address, body in WRITES:
        answer = client.post(address, json=body)
        assert answer.status_code == (200 if scope is Scope.OPERATE else 403), address


def test_who_may_only_send_learns_no_account_and_no_body(
    served: Served, operator: httpx.Client
) -> None:
    sender = served.client(served.key("shop", Scope.SEND))
    (listed,) = sender.get("/v1/templates").json()["templates"]
    assert listed == {
        "template": "login",
        "version": 1,
        "class": "otp",
        "values": ["code", "minutes"],
        "limits": operator.get("/v1/templates").json()["templates"][0]["limits"],
        "usable": True,
    }
    shown = sender.get("/v1/templates/login")
    assert shown.json() == {**listed, "versions": [], "bindings": []}
    assert "bulk" not in shown.text + sender.get("/v1/templates/logn").text
    done(operator, "/v1/bindings/1/pause", {"why": "a complaint"})
    assert sender.get("/v1/templates/login").json()["usable"] is False


def test_senders_see_the_version_that_is_sent(operator: httpx.Client) -> None:
    second = {"template": "login", "class": "otp", "body": "{code}是您的验证码"}
    assert done(operator, "/v1/templates", second)["version"] == 2
    (listed,) = operator.get("/v1/templates").json()["templates"]
    assert (listed["version"], listed["values"]) == (1, ["code", "minutes"])
    shown = operator.get("/v1/templates/login").json()
    assert [row["version"] for row in shown["versions"]] == [2, 1]
    done(operator, "/v1/templates/login/bindings", BINDING)
    assert operator.get("/v1/templates/login").json()["version"] == 2


def test_a_call_that_is_repeated_changes_nothing(operator: httpx.Client) -> None:
    before = operator.get("/v1/templates/login").json()
    assert not done(operator, "/v1/templates", TEMPLATE)["added"]
    again = done(operator, "/v1/templates/login/bindings", {**BINDING, "signature": "【云雀】"})
    assert (again["added"], again["id"]) == (False, 1)
    assert not done(operator, "/v1/signatures", {"account": "bulk", "name": "【云雀】"})["added"]
    assert operator.get("/v1/templates/login").json() == before
    first = done(operator, "/v1/bindings/1/pause", {"why": "a complaint"})
    assert done(operator, "/v1/bindings/1/pause", {"why": "again"}) == first


def test_a_state_is_kept_with_the_keys_name_and_the_reason(
    served: Served, operator: httpx.Client
) -> None:
    paused = done(operator, "/v1/bindings/1/pause", {"why": "a complaint"})
    assert (paused["state"], paused["who"], paused["why"], paused["usable"]) == (
        *("paused", "ops", "a complaint", False),
    )
    assert done(operator, "/v1/bindings/1/pause", {"refused": True})["state"] == "refused"
    assert done(operator, "/v1/bindings/1/resume", {})["usable"] is True
    done(operator, "/v1/signatures/1/pause", {"why": "ran out"})
    (binding,) = operator.get("/v1/templates/login").json()["bindings"]
    assert (binding["state"], binding["signature_state"], binding["usable"]) == (
        *("approved", "paused", False),
    )
    assert done(operator, "/v1/signatures/1/resume", {})["state"] == "approved"
    with database.reading(served.stage.engine) as connection:
        rows = events.newest(connection, 20, {"who": "ops"})
    assert [row["name"] for row in reversed(rows)] == [
        *("template.added", "signature.added", "binding.added"),
        *("binding.paused", "binding.refused", "binding.resumed"),
        *("signature.paused", "signature.resumed"),
    ]


@pytest.mark.parametrize(
    ("address", "body", "field"),
    [
        ("/v1/templates", {"template": "a b", "body": "x"}, "template"),
        ("/v1/templates", {"template": "a", "body": "【云雀】x"}, "body"),
        ("/v1/templates", {**TEMPLATE, "limits": {"cod": {}}}, "limits.cod"),
        ("/v1/templates", {**TEMPLATE, "limits": {"code": {"digit": True}}}, "limits.code.digit"),
        ("/v1/templates/login/bindings", {"account": "nobody"}, "account"),
        ("/v1/templates/login/bindings", {"account": "codes", "vendor_id": "1"}, "plan"),
        ("/v1/templates/login/bindings", {**BINDING, "parameters": "x"}, "parameters"),
        ("/v1/templates/login/bindings", {**BINDING, "signature": "别人"}, "signature"),
        ("/v1/signatures", {"account": "bulk", "name": "雀"}, "name"),
        ("/v1/signatures", {"account": "nobody", "name": "云雀"}, "account"),
    ],
)
def test_what_is_wrong_is_named_by_its_field(
    operator: httpx.Client, address: str, body: dict[str, Any], field: str
) -> None:
    answer = operator.post(address, json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_what_is_not_there_is_not_there(operator: httpx.Client) -> None:
    for address in ("/v1/bindings/7/pause", "/v1/signatures/7/resume"):
        assert operator.post(address, json={}).status_code == 404
    answer = operator.post("/v1/templates/logn/bindings", json=BINDING)
    assert answer.status_code == 404
    assert "did you mean login?" in answer.text


@pytest.mark.parametrize("web", [{"test_account": "me"}])
def test_a_test_key_sees_and_changes_the_test_account_alone(
    served: Served, operator: httpx.Client
) -> None:
    tester = served.client(served.key("ci", Scope.OPERATE, test=True))
    assert tester.get("/v1/templates").json()["templates"][0]["usable"] is False
    assert tester.get("/v1/templates/login").json()["bindings"] == []
    assert tester.get("/v1/signatures").json() == {"signatures": []}
    assert tester.post("/v1/bindings/1/pause", json={}).status_code == 404
    refused = tester.post("/v1/templates/login/bindings", json=BINDING)
    assert refused.status_code == 422
    assert "bulk" not in refused.text
    second = {**TEMPLATE, "body": "{code}和{minutes}"}
    done(tester, "/v1/templates", second)
    done(tester, "/v1/templates/login/bindings", {"account": "me"})
    assert tester.get("/v1/templates/login").json()["version"] == 2
    assert operator.get("/v1/templates/login").json()["version"] == 1
