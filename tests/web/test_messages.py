"""POST and GET /v1/messages: what is answered is in the database."""

import re
from typing import Any

import pytest

from tests.support.stage import TEXT, eventually, mobiles
from tests.web.conftest import Served
from worker.domain.enums import Scope

TO = "13800138000"


def test_what_is_answered_202_is_in_the_database_once(served: Served) -> None:
    client = served.client()
    body = {"to": [TO, "+86 139 0000 0000", TO], "text": TEXT}
    first = client.post("/v1/messages", json=body, headers={"Idempotency-Key": "one"})
    assert first.status_code == 202
    again = client.post("/v1/messages", json=body, headers={"Idempotency-Key": "one"})
    assert again.json() == first.json() | {"repeated": True}
    ids = first.json()["ids"]
    assert ids[0] == ids[2]
    assert [served.stage.message(one).to for one in ids[:2]] == [TO, "13900000000"]


def test_a_refusal_names_the_field_and_stores_nothing(served: Served) -> None:
    answer = served.client().post("/v1/messages", json={"to": [TO, "138"], "text": " "})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert {one["field"] for one in answer.json()["errors"]} == {"to[1]", "text"}


@pytest.mark.parametrize(
    "body",
    [
        *({"account": "zzz"}, {"account": "zzz", "class": "otp"}, {"to": "02012345678"}),
        *(
            {"text": "【信使】😀"},
            {"text": "长" * 5000},
            {"text": "【信使】\u20ac", "class": "marketing"},
        ),
    ],
)
def test_no_refusal_names_an_account_that_the_caller_did_not_name(
    served: Served, body: dict[str, str]
) -> None:
    client = served.client(served.key("shop", Scope.SEND))
    answer = client.post("/v1/messages", json={"to": TO, "text": TEXT} | body)
    if answer.status_code != 202:
        words = set(re.findall(r"\w+", answer.text))
        assert not words & (set(served.stage.settings.accounts))


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_address_leads_to_another_one_by_a_slash(served: Served, method: str) -> None:
    """It would be at http:// behind a proxy with TLS: the number and the text would go in clear."""
    body = {"to": TO, "text": TEXT} if method == "POST" else None
    for address in ("/v1/messages/", "/v1/campaigns/", "/v1/accounts/", "/healthz/"):
        answer = served.client().request(method, address, json=body)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert "location" not in answer.headers


def test_what_is_doubtful_in_a_text_is_answered_and_holds_nothing_up(served: Served) -> None:
    text = "【信使】见 https://a.cn/x，谢谢"
    answer = served.client().post("/v1/messages", json={"to": TO, "text": text})
    assert answer.status_code == 202
    (warning,) = answer.json()["warnings"]
    assert warning["field"] == "text"
    assert "character 21" in warning["what"]


def test_a_name_without_a_value_is_refused_by_its_field(served: Served) -> None:
    answer = served.client().post("/v1/messages", json={"to": TO, "text": "【信使】{name}您好"})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["variables.name"]


def test_a_part_of_a_number_is_not_searched_for_and_the_answer_says_so(served: Served) -> None:
    answer = served.client().get("/v1/messages", params={"to": "8000"})
    assert answer.status_code == 422
    assert "only whole numbers" in answer.json()["errors"][0]["what"]


def test_a_sender_sees_its_own_messages_and_no_others(served: Served) -> None:
    mine, theirs = served.client(), served.client(served.key("crm"))
    one = mine.post("/v1/messages", json={"to": TO, "text": TEXT}).json()["ids"][0]
    served.stage.enqueue(TO)
    assert mine.get(f"/v1/messages/{one}").json()["to"] == TO
    assert [found["id"] for found in mine.get("/v1/messages").json()["messages"]] == [one]
    nothing = {"messages": [], "after": None, "unsearched_campaigns": 0}
    assert theirs.get("/v1/messages").json() == nothing
    for answer in (
        theirs.get(f"/v1/messages/{one}"),
        theirs.post(f"/v1/messages/{one}/cancel"),
        theirs.get("/v1/messages/999999999999999999-0"),
        theirs.get("/v1/messages/nonsense"),
    ):
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


def test_pages_show_each_message_once_while_more_come_in(served: Served) -> None:
    client = served.client()
    numbers = mobiles(7)
    for start in (0, 3, 5):
        body = {"to": numbers[start : start + 3], "text": TEXT}
        assert client.post("/v1/messages", json=body).status_code == 202
    seen: list[str] = []
    after = None
    while True:
        page = client.get("/v1/messages", params={"limit": 2} | ({"after": after} if after else {}))
        seen += [one["id"] for one in page.json()["messages"]]
        client.post("/v1/messages", json={"to": TO, "text": TEXT})
        after = page.json()["after"]
        if after is None:
            break
    assert len(seen) == len(set(seen)) == 8
    assert [one.partition("-")[0] for one in seen] == sorted(
        (one.partition("-")[0] for one in seen), key=int, reverse=True
    )


def test_filters_find_what_they_say(served: Served) -> None:
    client = served.client()
    for number, kind in ((TO, "otp"), ("13900000000", "notice")):
        client.post("/v1/messages", json={"to": number, "text": TEXT, "class": kind})
    for params, count in (
        ({"to": "+86 138-0013-8000"}, 1),
        ({"class": "notice"}, 1),
        ({"state": "queued"}, 2),
        ({"state": "delivered"}, 0),
        ({"since": "2020-01-01T00:00:00Z"}, 2),
        ({"until": "2020-01-01T00:00:00+08:00"}, 0),
        ({"account": "nobody"}, 0),
    ):
        answer = client.get("/v1/messages", params=params)
        assert len(answer.json()["messages"]) == count, params


def test_a_message_is_taken_back_once_and_only_in_time(served: Served) -> None:
    client = served.client()
    one = client.post("/v1/messages", json={"to": TO, "text": TEXT}).json()["ids"][0]
    assert client.post(f"/v1/messages/{one}/cancel").json()["state"] == "cancelled"
    sent = client.post("/v1/messages", json={"to": TO, "text": TEXT}).json()["ids"][0]
    with served.stage.working():
        eventually(lambda: client.get(f"/v1/messages/{sent}").json()["state"] != "queued")
        eventually(lambda: client.post(f"/v1/messages/{sent}/cancel").status_code == 409)
    shown = client.get(f"/v1/messages/{sent}").json()
    assert shown["submissions"]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_a_database_cannot_hold_is_a_fault_of_the_request(served: Served) -> None:
    """It is told so at once, by every database, and not to come again."""
    client = served.client()
    bodies: list[dict[str, Any]] = [
        {"text": "a\0b"},
        {"text": "{x}", "variables": {"x": "\0"}},
        {"text": TEXT, "class": "otp", "client": "\0"},
    ]
    for body in bodies:
        answer = client.post("/v1/messages", json={"to": "13800138000", **body})
        assert answer.status_code == 422, body
    assert client.get("/v1/messages").json()["messages"] == []
