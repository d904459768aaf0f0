"""What every gateway promises, by what was recorded of it. See `cases` for the files."""

from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from tests.support import recorded_cases
from worker.gateways.code_table import TABLE_OUTCOMES
from worker.gateways.registry import gateway_classes


def test_each_gateway_has_its_recorded_cases_and_no_case_is_nobodys() -> None:
    assert {path.stem for path in recorded_cases.FOLDER.glob("*.json")} == set(gateway_classes())


@recorded_cases.every("requests")
def test_a_request_is_built_byte_for_byte(name: str, case: dict[str, Any]) -> None:
    built = recorded_cases.request(recorded_cases.gateway(name, case.get("account")), case)
    assert built is not None
    expected = case["expect"]
    assert built.method == expected.get("method", "POST")
    assert str(built.url) == expected["url"]
    assert built.content.decode("utf-8") == expected.get("body", "")
    for header, value in expected.get("headers", {}).items():
        assert built.headers[header] == value
    if built.method == "POST":
        usual = "application/x-www-form-urlencoded"
        assert built.headers.get("content-type") == expected.get("content_type", usual)
        assert built.headers["content-length"] == str(len(built.content))
    else:
        assert "content-type" not in built.headers


@recorded_cases.every("capabilities")
def test_an_account_says_what_it_can_carry(name: str, case: dict[str, Any]) -> None:
    can = recorded_cases.gateway(name, case.get("account")).capabilities
    told = {key: getattr(can, key) for key in case["expect"]}
    assert {k: sorted(v) if isinstance(v, frozenset) else v for k, v in told.items()} == case[
        "expect"
    ]


@recorded_cases.every("settings")
def test_wrong_settings_are_refused_by_their_key(name: str, case: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        recorded_cases.build(name, case["with"])
    assert {".".join(map(str, fault["loc"])) for fault in refused.value.errors()} == set(
        case["expect"]
    )


@recorded_cases.every("problems")
def test_what_cannot_be_carried_is_named(name: str, case: dict[str, Any]) -> None:
    found = recorded_cases.gateway(name, case.get("account")).problems(recorded_cases.content(case))
    assert [str(problem) for problem in found] == case["expect"]


@recorded_cases.every("answers")
def test_an_answer_means_what_the_documents_say(name: str, case: dict[str, Any]) -> None:
    of = recorded_cases.gateway(name, case.get("account"))
    answer = recorded_cases.response(case)
    read = recorded_cases.read(of, case.get("reader", "results"), answer, case)
    assert recorded_cases.plain(read) == case["expect"]


@pytest.mark.parametrize("case", recorded_cases.front_ends(), ids=lambda case: case["law"])
@pytest.mark.parametrize(("name", "account"), recorded_cases.accounts())
def test_a_front_end_proves_nothing(name: str, account: str, case: dict[str, Any]) -> None:
    """A status outside of 2xx is no answer to any call; a strange page is none to a submission."""
    of = recorded_cases.gateway(name, account)
    for reader in recorded_cases.readers(of) if "status" in case else ["results"]:
        read = recorded_cases.read(of, reader, recorded_cases.response(case))
        assert recorded_cases.plain(getattr(read, "refusal", read)) == case["expect"]


@recorded_cases.every("pushes")
def test_a_push_means_what_the_documents_say(name: str, case: dict[str, Any]) -> None:
    pushed = httpx.Request(
        case.get("method", "POST"),
        case.get("url", "https://push.example/p/token"),
        headers=case.get("headers"),
        content=recorded_cases.body(case),
    )
    of = recorded_cases.gateway(name, case.get("account"))
    assert recorded_cases.plain(of.read_push(pushed)) == case["expect"]


@pytest.mark.parametrize("name", recorded_cases.NAMES)
def test_a_push_is_answered_as_the_gateway_expects(name: str) -> None:
    expected = recorded_cases.book(name).get("push_answer")
    if expected is None:
        with pytest.raises(NotImplementedError):
            recorded_cases.gateway(name).push_answer()
        return
    answer = recorded_cases.gateway(name).push_answer()
    assert (answer.status_code, answer.text) == (expected["status"], expected["text"])


@pytest.mark.parametrize("name", recorded_cases.NAMES)
def test_each_code_has_a_meaning_a_source_and_an_answer_that_says_it(name: str) -> None:
    """No code stands in a table without somebody who said so, and none that cannot be read."""
    meanings = recorded_cases.CLASSES[name].codes.meanings
    ways = recorded_cases.book(name)["codes"]
    for code, meaning in meanings.items():
        assert meaning.source, code
        assert meaning.meaning, code
        assert meaning.outcome in TABLE_OUTCOMES, code
        (way,) = [way for way in ways if code in way["codes"] or way["codes"] == "*"]
        text = way["text"].replace("{code}", way.get("as", {}).get(code, code))
        answer = recorded_cases.response({**way, "text": text})
        result = recorded_cases.read(
            recorded_cases.gateway(name, way.get("account")), way["reader"], answer
        )
        result = getattr(result, "refusal", result)
        assert (result.outcome, result.code) == (meaning.outcome, code)
        assert (result.fault, result.advice, result.hold, result.wait) == (
            meaning.fault,
            meaning.advice,
            meaning.hold,
            meaning.wait,
        )
        assert result.mapped


@pytest.mark.parametrize(("name", "account"), recorded_cases.accounts())
def test_what_an_account_offers_it_can_ask_for(name: str, account: str) -> None:
    of = recorded_cases.gateway(name, account)
    can = of.capabilities
    assert (of.balance_request(recorded_cases.AT) is not None) == can.balance
    assert (of.sent_count_request(recorded_cases.AT) is not None) == can.sent_count
    assert (of.reports_request(recorded_cases.AT) is not None) == ("pull" in can.reports)
    if not can.inbound:
        assert of.inbound_request(recorded_cases.AT) is None


@pytest.mark.parametrize("name", recorded_cases.NAMES)
def test_an_account_names_its_own_codes_and_words(name: str) -> None:
    """An operator can map what a reseller says: by HTTP status, and by words in any page."""
    settings = next(iter(recorded_cases.book(name)["accounts"].values()))
    own = {"HTTP 403": "account_held", "/余额不足/": {"outcome": "account_held"}}
    of = recorded_cases.build(name, {**settings, "codes": own})
    for status, text in ((403, "denied"), (200, "<html>余额不足</html>")):
        result = recorded_cases.read(
            of, "results", recorded_cases.response({"status": status, "text": text})
        )
        assert (result.outcome, result.mapped) == ("account_held", True)
