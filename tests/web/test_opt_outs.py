"""`/v1/opt-outs`: applications opt numbers out, all or nothing, as often as they like."""

import pytest

from tests.support.stage import mobiles
from tests.web.conftest import Served
from worker.domain.enums import OptOutScope, OptOutSource, Scope
from worker.feedback import opt_out_list
from worker.store.feedback.opt_outs import OptOutOrigin

ONE, OTHER = mobiles(2)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mysql"])
def test_ten_thousand_numbers_opt_out_and_again_without_effect(served: Served) -> None:
    client = served.client(served.key("shop", Scope.OPT_OUTS))
    body = {"to": [*mobiles(9999), f"+86{ONE}"], "why": "unsubscribed"}
    assert client.post("/v1/opt-outs", json=body, timeout=60).json() == {"added": 9999, "kept": 0}
    assert client.post("/v1/opt-outs", json=body, timeout=60).json() == {"added": 0, "kept": 9999}
    shown = client.get("/v1/opt-outs", params={"to": ONE}).json()
    assert (shown["opted_out"], shown["scope"], shown["source"]) == (True, "marketing", "api")
    (line,) = shown["history"]
    assert (line["act"], line["who"], line["why"]) == ("added", "shop", "unsubscribed")
    removed = client.post("/v1/opt-outs/remove", json=body, timeout=60).json()
    assert removed == {"removed": 9999, "kept": 0}
    assert not client.get("/v1/opt-outs", params={"to": ONE}).json()["opted_out"]


def test_where_one_number_is_wrong_nothing_is_stored(served: Served) -> None:
    client = served.client()
    body = {"to": [ONE, "12345678901"], "why": "x"}
    refused = client.post("/v1/opt-outs", json=body)
    assert refused.status_code == 422
    assert [error["field"] for error in refused.json()["errors"]] == ["to[1]"]
    assert "12345678901" not in refused.text
    assert not client.get("/v1/opt-outs", params={"to": ONE}).json()["opted_out"]


@pytest.mark.parametrize(
    "change", [{"why": " "}, {"why": ""}, {"to": []}, {"to": [ONE] * 10_001}, {"scope": "all"}]
)
def test_what_is_missing_too_much_or_a_person_s_to_say_is_refused(
    served: Served, change: dict[str, object]
) -> None:
    body = {"to": [ONE], "why": "x", **change}
    assert served.client().post("/v1/opt-outs", json=body).status_code == 422


def test_a_person_s_opt_out_of_everything_stays(served: Served) -> None:
    origin = OptOutOrigin(OptOutSource.PERSON, "somebody", "by letter")
    opt_out_list.add(served.stage.engine, [ONE], OptOutScope.ALL, origin)
    client = served.client()
    body = {"to": [ONE, OTHER], "why": "asked again"}
    assert client.post("/v1/opt-outs/remove", json=body).json() == {"removed": 0, "kept": 2}
    assert client.post("/v1/opt-outs", json=body).json() == {"added": 1, "kept": 1}
    assert client.get("/v1/opt-outs", params={"to": ONE}).json()["scope"] == "all"


def test_it_needs_its_scope_and_a_test_key_changes_nothing(served: Served) -> None:
    others = [scope for scope in Scope if scope is not Scope.OPT_OUTS]
    body = {"to": [ONE], "why": "x"}
    stranger = served.client(served.key("shop", *others))
    assert stranger.post("/v1/opt-outs", json=body).status_code == 403
    assert stranger.post("/v1/opt-outs/remove", json=body).status_code == 403
    assert stranger.get("/v1/opt-outs", params={"to": ONE}).status_code == 403
    tester = served.client(served.key("ci", Scope.OPT_OUTS, test=True))
    refused = tester.post("/v1/opt-outs", json=body)
    assert refused.status_code in {403, 422}
    assert not served.client().get("/v1/opt-outs", params={"to": ONE}).json()["opted_out"]
