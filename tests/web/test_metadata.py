"""What an application says of a request comes back with its messages, and is kept in bounds."""

import csv
import io
import json
from typing import Any

import pytest

from tests.feedback.test_callbacks import ALLOWED, application
from tests.support.stage import TEXT, Stage, eventually, mobiles
from tests.web.conftest import Served
from worker.domain.errors import KeyConflict

TO = "13800138000"
ORDER = {"order": "1001", "店": "总店"}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mysql"])
def test_the_key_and_the_metadata_come_back_in_answers(served: Served) -> None:
    client = served.client()
    body = {"to": [TO, "13900000000"], "text": TEXT, "metadata": ORDER}
    ids = client.post("/v1/messages", json=body, headers={"Idempotency-Key": "one"}).json()["ids"]
    shown = client.get(f"/v1/messages/{ids[1]}").json()
    listed = client.get("/v1/messages").json()["messages"]
    for message in (shown, *listed, served.stage.message(ids[0]).as_json()):
        assert (message["key"], message["metadata"]) == ("one", ORDER)
    plain = client.post("/v1/messages", json={"to": TO, "text": TEXT}).json()["ids"][0]
    message = client.get(f"/v1/messages/{plain}").json()
    assert (message["key"], message["metadata"]) == (None, {})


def test_a_campaign_and_its_export_say_them_again(served: Served) -> None:
    client = served.client()
    body = {"name": "spring", "text": TEXT, "recipients": [TO, "12"], "metadata": ORDER}
    made = client.post(
        "/v1/campaigns", json=body | {"skip_bad": True}, headers={"Idempotency-Key": "spring"}
    ).json()
    assert (made["key"], made["metadata"]) == ("spring", ORDER)
    export = client.get(f"/v1/campaigns/{made['id']}/export").text
    sent, left_out = csv.DictReader(io.StringIO(export))
    assert (sent["key"], json.loads(sent["metadata"])) == ("spring", ORDER)
    assert (left_out["key"], left_out["metadata"]) == ("", "")


def test_a_callback_says_them_again_and_no_log_does(
    stage: Stage, capfd: pytest.CaptureFixture[str]
) -> None:
    stage.configure("v1", **ALLOWED)
    with application() as app, stage.working():
        stage.enqueue(mobiles(1), callback_url=app.url, key="order-1", metadata={"x": "told-back"})
        eventually(lambda: app.states() == {"delivered": 1})
    told = [one for event in app.taken.values() for one in event["data"]["messages"]]
    assert {(one["key"], one["metadata"]["x"]) for one in told} == {("order-1", "told-back")}
    printed = capfd.readouterr()
    assert "told-back" not in printed.out + printed.err


def test_another_metadata_is_another_request(stage: Stage) -> None:
    stage.enqueue(TO, key="one", metadata=ORDER)
    assert stage.enqueue(TO, key="one", metadata=ORDER).repeated
    with pytest.raises(KeyConflict):
        stage.enqueue(TO, key="one", metadata={"order": "1002"})


@pytest.mark.parametrize(
    ("metadata", "what"),
    [
        ({str(nth): "" for nth in range(17)}, "has more than 16 entries"),
        ({"a": "x" * 1024}, "is larger than 1024 bytes"),
        ({"a": "信" * 340}, "is larger than 1024 bytes"),
        ({"a": "\0"}, "has a character that may not stand there"),
        ({"a": 5}, "must be a text"),
        ({"a": {"b": "c"}}, "must be a text"),
        ("a", "must be a table of names and values"),
    ],
    ids=["entries", "bytes", "bytes of Chinese", "NUL", "number", "nested", "no table"],
)
def test_metadata_is_texts_and_bounded(served: Served, metadata: Any, what: str) -> None:
    body = {"to": TO, "text": TEXT, "metadata": metadata}
    answer = served.client().post("/v1/messages", json=body)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"].startswith("metadata")
    assert error["what"].startswith(what)


@pytest.mark.parametrize(
    "metadata",
    [{"a": "x" * 1015}, {str(nth): "y" for nth in range(16)}],
    ids=["bytes", "entries"],
)
def test_what_fits_is_kept(served: Served, metadata: dict[str, str]) -> None:
    body = {"to": TO, "text": TEXT, "metadata": metadata}
    made = served.client().post("/v1/messages", json=body)
    assert made.status_code == 202
    assert served.stage.message(made.json()["ids"][0]).metadata == metadata
