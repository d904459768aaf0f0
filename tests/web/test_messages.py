"""POST and GET /v1/messages: what is answered is in the database."""

from tests.stage import TEXT
from tests.web.conftest import Served

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
    assert [served.stage.message(one).msisdn for one in ids[:2]] == [TO, "13900000000"]


def test_a_refusal_names_the_field_and_stores_nothing(served: Served) -> None:
    answer = served.client().post("/v1/messages", json={"to": [TO, "138"], "text": " "})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert {one["field"] for one in answer.json()["errors"]} == {"to[1]", "text"}
