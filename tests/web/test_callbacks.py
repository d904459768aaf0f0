"""/v1/callbacks: a sender says where it wants to be told, and sees no other's."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.feedback.test_callbacks import ALLOWED, MASTER, application
from tests.support.stage import TEXT, eventually
from tests.web.conftest import Served
from worker.domain.enums import Scope
from worker.feedback import callback_signatures

URL = "https://app.example.com/xinshi"


@pytest.fixture
def web() -> dict[str, Any]:
    """Nothing that is not usual."""
    return {}


@pytest.fixture
def stage(stage: Any) -> Any:
    """A stage that signs."""
    stage.configure(**ALLOWED)
    return stage


def test_a_callback_is_made_once_and_told_what_becomes_of_messages(served: Served) -> None:
    client = served.client()
    with application() as app, served.stage.working():
        made = client.post("/v1/callbacks", json={"url": app.url}).json()
        assert made == client.post("/v1/callbacks", json={"url": app.url}).json()
        assert made["secret"] == callback_signatures.derive_secret(MASTER, made["id"])
        body = {"to": "13800138000", "text": TEXT, "account": "v1"}
        assert client.post("/v1/messages", json=body).status_code == 202
        eventually(lambda: app.states() == {"delivered": 1})
        eventually(lambda: client.get("/v1/callbacks").json()["callbacks"][0]["waiting"] == 0)


def test_a_callback_is_its_sender_s_alone(served: Served) -> None:
    mine, other = served.client(), served.client(served.key("other"))
    made = mine.post("/v1/callbacks", json={"url": URL}).json()["id"]
    assert other.get("/v1/callbacks").json() == {"callbacks": []}
    assert other.delete(f"/v1/callbacks/{made}").status_code == 404
    assert other.post(f"/v1/callbacks/{made}/replay").status_code == 404
    assert mine.post(f"/v1/callbacks/{made}/replay").json() == {"events": 0}
    assert mine.delete(f"/v1/callbacks/{made}").status_code == 204
    assert mine.get("/v1/callbacks").json() == {"callbacks": []}


def test_a_url_that_cannot_be_told_is_refused_by_its_field(served: Served) -> None:
    answer = served.client().post("/v1/callbacks", json={"url": "ftp://a.example"})
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == ["url"]


def test_replies_are_told_only_to_whoever_may_read_them(served: Served) -> None:
    client = served.client(served.key("shop", Scope.SEND))
    answer = client.post("/v1/callbacks", json={"url": URL, "inbound": True})
    assert answer.status_code == 403


def test_a_second_standing_callback_is_refused_and_the_first_is_told_on(served: Served) -> None:
    shop = served.key("shop", Scope.SEND)
    first = served.client(shop).post("/v1/callbacks", json={"url": URL}).json()
    for key in (shop, served.key("shop", Scope.SEND)):
        answer = served.client(key).post("/v1/callbacks", json={"url": f"{URL}/mallory"})
        assert answer.status_code == 422
        assert f"replace callback {first['id']}" in answer.json()["errors"][0]["what"]
    (only,) = served.client(shop).get("/v1/callbacks").json()["callbacks"]
    assert (only["id"], only["url"]) == (first["id"], URL)


def test_a_secret_is_shown_to_no_other_key_that_names_the_same_url(served: Served) -> None:
    made = served.client(served.key("shop", Scope.SEND)).post("/v1/callbacks", json={"url": URL})
    other = served.client(served.key("shop", Scope.SEND))
    answer = other.post("/v1/callbacks", json={"url": URL})
    assert answer.status_code == 422
    assert made.json()["secret"] not in answer.text
    shown = {"Callback-Secret": made.json()["secret"]}
    assert other.post("/v1/callbacks", json={"url": URL}, headers=shown).json() == made.json()
    operator = served.client(served.key("shop", Scope.SEND, Scope.OPERATE))
    assert operator.post("/v1/callbacks", json={"url": URL}).json() == made.json()


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_standing_callback_is_changed_by_its_key_its_secret_or_an_operator_alone(
    served: Served, method: str
) -> None:
    adding = served.key("shop", Scope.SEND)
    other = served.key("shop", Scope.SEND, Scope.READ)
    operator = served.key("shop", Scope.SEND, Scope.OPERATE)
    moved = {"url": f"{URL}/moved"}
    body = moved if method == "PUT" else None
    for key, is_shown in ((adding, False), (other, True), (operator, False)):
        made = served.client(adding).post("/v1/callbacks", json={"url": URL}).json()
        path = f"/v1/callbacks/{made['id']}"
        for wrong in ({}, {"Callback-Secret": ""}, {"Callback-Secret": "whsec_AAAA"}):
            refused = served.client(other).request(method, path, json=body, headers=wrong)
            assert refused.status_code == 403
            assert refused.json()["type"].endswith("not-entitled")
        shown = {"Callback-Secret": made["secret"]} if is_shown else {}
        answer = served.client(key).request(method, path, json=body, headers=shown)
        assert answer.status_code == (200 if method == "PUT" else 204)
        if method == "PUT":
            assert answer.json() == made
            assert (
                served.client(adding).get("/v1/callbacks").json()["callbacks"][0]["url"]
                == (moved["url"])
            )
            served.client(adding).delete(path)


def test_a_callback_is_replaced_by_no_url_that_another_one_has(served: Served) -> None:
    client = served.client()
    body = {"to": "13800138000", "text": TEXT, "account": "v1", "callback_url": f"{URL}/named"}
    assert client.post("/v1/messages", json=body).status_code == 202
    made = client.post("/v1/callbacks", json={"url": URL}).json()
    (named,) = [
        one for one in client.get("/v1/callbacks").json()["callbacks"] if not one["standing"]
    ]
    for callback_id, url in ((made["id"], f"{URL}/named"), (named["id"], f"{URL}/other")):
        answer = client.put(f"/v1/callbacks/{callback_id}", json={"url": url})
        assert answer.status_code == 422
        assert f"callback {named['id']}" in answer.json()["errors"][0]["what"]
    assert client.delete(f"/v1/callbacks/{named['id']}").status_code == 204


@pytest.mark.parametrize(
    "url",
    ["https://10.0.0.1/x", "http://app.example.com/x", "https://a..b/", "https://[fec0::1]/"],
)
def test_a_url_to_which_nothing_is_delivered_is_refused_when_it_is_added(
    served: Served, url: str
) -> None:
    served.stage.settings.top.__dict__["callback_networks"] = ()
    client = served.client()
    assert client.post("/v1/callbacks", json={"url": url}).status_code == 422
    body = {"to": "13800138000", "text": TEXT, "account": "v1", "callback_url": url}
    answer = client.post("/v1/messages", json=body)
    assert [one["field"] for one in answer.json()["errors"]] == ["callback_url"]


def test_calls_that_share_a_commit_are_refused_alone_when_their_sender_has_too_many(
    served: Served,
) -> None:
    served.stage.settings.top.__dict__["max_callbacks"] = 2
    client = served.client()

    def send(nth: int) -> int:
        body = {"to": "13800138000", "text": TEXT, "account": "v1"}
        named = {"callback_url": f"{URL}/{nth}"} if nth else {}
        return client.post("/v1/messages", json=body | named).status_code

    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(send, [1, 2, 1, 2, 0, 0, 1, 2]))
    assert statuses == [202] * 8
    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(send, [3, 0, 1, 4, 0, 2, 3, 0]))
    assert statuses == [422, 202, 202, 422, 202, 202, 422, 202]
