"""/v1/callbacks: a sender says where it wants to be told, and sees no other's."""

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
