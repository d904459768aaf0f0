"""The rules for texts as a configuration sets them: which table wins, and what is no table."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.config.settings import Settings, parse
from worker.domain.enums import MessageClass, TextLevel, TextRule
from worker.domain.errors import ConfigurationError
from worker.domain.texts.rule_tables import TextTables
from worker.domain.texts.rules import TextRules, default_rules

BULK = {"gateway": "c123", "uid": "9999", "password": "0" * 8}
MARKETING = MessageClass.MARKETING
#: Any of the keys is merged as these are.
TABLES = st.fixed_dictionaries(
    {},
    optional={
        "link": st.sampled_from(TextLevel),
        "way_out": st.sampled_from(TextLevel),
        "suffix": st.sampled_from(["", "拒收请回复R", "回T退订"]),
        "max_parts": st.sampled_from([1, 2]),
    },
)


def read(general: Mapping[str, Any] | None = None, **more: Any) -> Settings:
    """Return settings with general tables, and an account that has more keys."""
    return parse({"texts": general or {}, "accounts": {"bulk": BULK | more}}, Path("/"), {})


def rules(settings: Settings, message_class: MessageClass = MARKETING) -> TextRules:
    return settings.accounts["bulk"].settings.text_rules[message_class]


@given(TABLES, TABLES, TABLES, TABLES)
def test_the_table_nearest_to_account_and_class_wins(
    of_account_and_class: dict[str, Any],
    of_account: dict[str, Any],
    of_class: dict[str, Any],
    general: dict[str, Any],
) -> None:
    tables = TextTables.model_validate({**of_account, "marketing": of_account_and_class})
    below = TextTables.model_validate({**general, "marketing": of_class})
    rules_by_class = tables.over(below).rules_by_class()
    expected = general | of_class | of_account | of_account_and_class
    effective = rules_by_class[MARKETING]
    default = default_rules(MARKETING).levels
    assert effective.levels == {rule: expected.get(rule.value, default[rule]) for rule in TextRule}
    assert effective.suffix == expected.get("suffix", "")
    assert effective.max_parts == expected.get("max_parts")
    assert rules_by_class[MessageClass.OTP].levels == {
        **default_rules(MessageClass.OTP).levels,
        **{TextRule(key): level for key, level in (general | of_account).items() if key in default},
    }


def test_an_accounts_table_is_laid_over_the_general_ones() -> None:
    effective = rules(
        read(
            {"link": "warn", "marketing": {"emoji": "refuse", "parts": "off"}},
            texts={"parts": "refuse", "marketing": {"link": "off"}},
        )
    )
    rules_set = (TextRule.LINK, TextRule.EMOJI, TextRule.PARTS)
    assert [effective.levels[rule] for rule in rules_set] == ["off", "refuse", "refuse"]


def test_without_tables_an_account_has_the_default_rules() -> None:
    settings = read()
    for message_class in MessageClass:
        assert rules(settings, message_class) == default_rules(message_class)
        assert settings.shared_text_rules[message_class] == default_rules(message_class)


def test_rules_are_shared_where_no_account_differs() -> None:
    other = {**BULK, "uid": "1"}
    raw: dict[str, Any] = {"accounts": {"bulk": BULK, "other": {**other, "texts": {"otp": {}}}}}
    assert parse(raw, Path("/"), {}).shared_text_rules.keys() == set(MessageClass)
    raw["accounts"]["other"]["texts"]["otp"]["link"] = "warn"
    assert parse(raw, Path("/"), {}).shared_text_rules.keys() == set(MessageClass) - {
        MessageClass.OTP
    }
    raw["accounts"]["other"]["extensions"] = {"01": "信使"}
    assert parse(raw, Path("/"), {}).shared_text_rules == {}


def test_a_signature_is_written_with_its_brackets_or_without() -> None:
    assert rules(read(extensions={"01": "【信使】", "2": "商城"})).extensions == {
        "01": "信使",
        "2": "商城",
    }


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"lnik": "warn"}, "texts.lnik: is unknown; did you mean link?"),
        (
            {"marketing": {"way-out": "warn"}},
            "texts.marketing.way-out: is unknown; did you mean way_out?",
        ),
        ({"marketting": {}}, "texts.marketting: is unknown; did you mean marketing?"),
        ({"link": "error"}, "texts.link: must be off, warn or refuse"),
        ({"max_parts": 0}, "texts.max_parts: must be at least 1"),
        ({"suffix": "回T退订 "}, "texts.suffix: begins or ends with a blank"),
        (
            {"suffix": "回\u200bT退订"},
            "texts.suffix: has a character that every text is refused for",
        ),
    ],
)
def test_what_is_no_rule_is_said_with_its_key(texts: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as general:
        read(texts)
    assert [str(problem).startswith(said) for problem in general.value.problems] == [True]
    with pytest.raises(ConfigurationError) as of_account:
        read(texts=texts)
    assert f"accounts.bulk.{said}" in str(of_account.value)


@pytest.mark.parametrize(
    ("extensions", "said"),
    [
        ({"x": "信使"}, "accounts.bulk.extensions.x: is no extension; write 1 to 20 digits"),
        ({"01": "信"}, "accounts.bulk.extensions.01: write a signature of 2 to 20 characters"),
        ({"01": "信【使】"}, "accounts.bulk.extensions.01: write a signature"),
    ],
)
def test_what_is_no_extension_or_no_signature_is_said(
    extensions: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        read(extensions=extensions)
