"""What a call does not take is refused, by its name, in words that say what to write instead."""

import shlex
from typing import Any

import pytest
from typer.testing import CliRunner

from producer.cli.app import app
from tests.support.stage import TEXT
from tests.web.conftest import Served
from worker.domain.enums import Scope

TO = "13800138000"
ZONED = "2026-11-28T08:00:00+08:00"


def test_a_misspelt_query_parameter_is_refused_with_the_nearest_name(served: Served) -> None:
    answer = served.client().get("/v1/messages", params={"sate": "delivered"})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"field": "sate", "what": "is unknown; did you mean state?"},
    ]


def test_no_call_overlooks_a_query_parameter(served: Served) -> None:
    client = served.client()
    paths = client.get("/openapi.json").json()["paths"]
    calls = [(path, method) for path, methods in paths.items() for method in methods]
    for path, method in calls:
        if path.startswith("/v1/"):
            address = path.replace("{message_id}", "1-0")
            for name in ("campaign_id", "callback_id", "template", "binding_id", "signature_id"):
                address = address.replace(f"{{{name}}}", "1")
            answer = client.request(method, address, params={"nonsense": "1"})
            assert (path, method, answer.status_code) == (path, method, 422)
            assert answer.json()["errors"][0]["field"] == "nonsense"


def test_what_may_be_a_number_is_not_repeated(served: Served) -> None:
    answer = served.client().get("/v1/messages", params={TO: "1"})
    assert answer.status_code == 422
    assert TO not in answer.text


def test_whoever_shows_no_key_learns_no_name(served: Served) -> None:
    assert served.client("x").get("/v1/messages", params={"sate": "x"}).status_code == 401


@pytest.mark.parametrize(
    ("body", "field", "what"),
    [
        ({"to": 13800138000}, "to", "must be a number in quotes, or a list of numbers"),
        ({"to": None}, "to", "must be a number in quotes, or a list of numbers"),
        ({"to": [TO, 5]}, "to[1]", "must be a text, in quotes"),
        ({"to": "1" * 65}, "to[0]", "has more than 64 characters"),
        ({"not_before": "2026-11-28T08:00:00"}, "not_before", f"needs a time zone, as {ZONED}"),
        ({"class": "opt"}, "class", "must be otp, notice or marketing"),
        ({"variables": ["a"]}, "variables", "must be a table of names and values"),
        ({"variables": {"a": 1}}, "variables.a", "must be a text, in quotes"),
        ({"client": ""}, "client", "is empty"),
        ({"text": "\0"}, "text", "has a character that may not stand there"),
        ({"txt": "x"}, "txt", "is unknown"),
    ],
)
def test_a_wrong_field_is_named_as_it_was_written(
    served: Served, body: dict[str, Any], field: str, what: str
) -> None:
    answer = served.client().post("/v1/messages", json={"to": TO, "text": TEXT} | body)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": field, "what": what}]


@pytest.mark.parametrize(
    ("recipients", "field", "what"),
    [
        (TO, "recipients", 'must be a list, as ["a", "b"]'),
        (
            [TO, 5],
            "recipients[1]",
            "must be a number in quotes, or an object with `to` and its values",
        ),
        ([{"name": "x"}], "recipients[0].to", "is missing"),
        ([{"to": TO, "name": 5}], "recipients[0].name", "must be a text, in quotes"),
    ],
)
def test_a_wrong_recipient_is_named_as_it_was_written(
    served: Served, recipients: Any, field: str, what: str
) -> None:
    body = {"name": "spring", "text": TEXT, "recipients": recipients}
    answer = served.client().post("/v1/campaigns", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": field, "what": what}]


@pytest.mark.parametrize("number", [TO, [TO], "+86 138 0013 8000"])
def test_one_number_and_a_list_of_it_are_the_same(served: Served, number: Any) -> None:
    answer = served.client().post("/v1/messages", json={"to": number, "text": TEXT})
    assert served.stage.message(answer.json()["ids"][0]).to == TO


def test_a_key_without_the_scope_is_told_the_command_that_makes_one(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = served.client(served.key("shop", Scope.SEND)).get("/v1/campaigns")
    assert refused.status_code == 403
    _, _, command = refused.json()["detail"].partition("make one that has: ")
    monkeypatch.setenv("XINSHI_DATABASE_URL", served.stage.settings.database_url)
    made = CliRunner().invoke(app, shlex.split(command)[1:])
    assert made.exit_code == 0, made.output
    assert served.client(made.stdout.strip()).get("/v1/campaigns").status_code == 200
