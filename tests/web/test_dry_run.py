"""A dry run over HTTP says what the call would come to, and does nothing; who sees a text."""

import re
from typing import Any

import pytest

from tests.support.stage import TEXT, eventually
from tests.web.conftest import Served
from worker.domain.enums import Scope
from worker.intake.enqueue_request import EnqueueRequest
from worker.intake.send_preview import preview_request

TO = "13800138000"
BODY = {"to": [TO, "+86 138 0013 8000", "13900000000"], "text": TEXT}


def test_it_stores_nothing_and_says_what_the_call_would_come_to(served: Served) -> None:
    client = served.client()
    answer = client.post("/v1/messages?dry_run=true", json=BODY, headers={"Idempotency-Key": "a"})
    assert answer.status_code == 200
    said = answer.json()
    assert (said["messages"], said["segments"], said["held"]) == (2, 1, False)
    assert client.get("/v1/messages").json()["messages"] == []
    assert not client.post("/v1/messages", json=BODY, headers={"Idempotency-Key": "a"}).json()[
        "repeated"
    ]


def test_its_figures_are_the_command_line_s(served: Served) -> None:
    body = {"to": TO, "text": f"{TEXT}{'长' * 100}见 https://a.cn/x，谢谢"}
    said = served.client().post("/v1/messages?dry_run=true", json=body).json()
    preview = preview_request(
        served.stage.engine, served.stage.settings, EnqueueRequest([TO], str(body["text"]))
    )
    assert [(one["name"], one["segments"]) for one in said["accounts"]] == [
        (carrier.account.name, carrier.segments)
        for carrier in preview.accounts
        if not carrier.problems
    ]
    assert said["segments"] == max(carrier.segments for carrier in preview.accounts) > 1
    assert [warning["what"] for warning in said["warnings"]] == [
        one.what for one in preview.warnings
    ]


@pytest.mark.parametrize(
    "body",
    [{"to": "138"}, {"text": ""}, {"text": "【信使】{name}"}, {"account": "nobody"}, {"to": []}],
    ids=str,
)
def test_it_refuses_what_the_call_refuses_in_the_same_words(
    served: Served, body: dict[str, Any]
) -> None:
    client = served.client()
    dry = client.post("/v1/messages?dry_run=true", json=BODY | body)
    assert dry.status_code == 422
    assert dry.json() == client.post("/v1/messages", json=BODY | body).json()


def test_accounts_are_named_to_whoever_operates_alone(served: Served) -> None:
    client = served.client(served.key("shop", Scope.SEND))
    said = client.post("/v1/messages?dry_run=true", json=BODY)
    assert said.json()["accounts"] == []
    assert not set(re.findall(r"\w+", said.text)) & set(served.stage.settings.accounts)


def test_codes_that_are_only_tried_are_not_counted(served: Served) -> None:
    client = served.client()
    body = {"to": TO, "text": TEXT, "class": "otp"}
    for _ in range(3):
        assert client.post("/v1/messages?dry_run=true", json=body).status_code == 200
    assert client.post("/v1/messages", json=body).status_code == 202


def test_a_text_is_shown_to_whoever_operates_and_a_code_s_to_nobody(served: Served) -> None:
    operator = served.client()
    reader = served.client(served.key("shop", Scope.READ))
    ids = {
        message_class: operator.post(
            "/v1/messages",
            json={"to": TO, "text": f"{TEXT}{message_class}", "class": message_class},
        ).json()["ids"][0]
        for message_class in ("notice", "otp")
    }
    shown = operator.get(f"/v1/messages/{ids['notice']}").json()
    assert shown["text"] == f"{TEXT}notice"
    assert operator.get(f"/v1/messages/{ids['otp']}").json()["text"] is None
    assert reader.get(f"/v1/messages/{ids['notice']}").json()["text"] is None


def test_a_text_is_shown_as_its_recipient_reads_it(served: Served) -> None:
    client = served.client()
    body = {"name": "spring", "text": "【信使】{name}", "recipients": [{"to": TO, "name": "小明"}]}
    made = client.post("/v1/campaigns", json=body).json()
    eventually(lambda: client.get(f"/v1/campaigns/{made['id']}").json()["total"] == 1)
    assert client.get(f"/v1/messages/{made['id']}-0").json()["text"] == "【信使】小明"
