"""A fault of the configuration is told in our words: what to write, and never pydantic's."""

from pathlib import Path
from typing import Any

import pytest

from worker.config.settings import parse
from worker.domain.errors import ConfigurationError

ACCOUNT = {"gateway": "c123", "uid": "9999", "password": "x"}


def faults(raw: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(ConfigurationError) as raised:
        parse(raw, Path(), {})
    return [(problem.where, problem.what) for problem in raised.value.problems]


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        ("classes", "otp", 'must be a list, as ["a", "b"]'),
        ("concurrency", "eight", "must be a whole number, as 8"),
        ("uid", 123, "must be a text, in quotes"),
        ("weight", 0, "must be more than 0"),
        ("weight", "much", "must be a number, as 1.5"),
    ],
)
def test_a_wrong_value_of_an_account_is_told_what_to_write(
    key: str, value: object, what: str
) -> None:
    assert faults({"accounts": {"bulk": ACCOUNT | {key: value}}}) == [
        (f"accounts.bulk.{key}", what)
    ]


@pytest.mark.parametrize(
    ("raw", "where", "what"),
    [
        (
            {"accounts": {"b": ACCOUNT | {"classes": ["opt"]}}},
            "accounts.b.classes.0",
            "must be otp, notice or marketing",
        ),
        ({"account": {"codes": ACCOUNT}}, "account", "is unknown; did you mean accounts?"),
        ({"web": 3}, "web", "must be a table of names and values"),
        ({"web": {"prt": 1}}, "web.prt", "is unknown; did you mean port?"),
        ({"web": {"port": 99999}}, "web.port", "must be at most 65535"),
        ({"celery_door": "maybe"}, "celery_door", "must be true or false"),
        (
            {"callback_networks": ["x"]},
            "callback_networks.0",
            "must be a network, as 10.0.0.0/8 or fd00::/8",
        ),
    ],
)
def test_a_wrong_value_is_told_what_to_write(raw: dict[str, Any], where: str, what: str) -> None:
    assert faults(raw) == [(where, what)]


def test_no_sentence_repeats_a_value() -> None:
    secret = "not-to-be-seen"
    raw = {"celery_door": secret, "lease": secret, "web": {"port": secret, "key_rate": secret}}
    assert secret not in str(faults(raw))
