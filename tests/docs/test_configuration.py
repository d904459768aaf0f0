"""docs/configuration.md names every setting, with its default, and no other."""

import inspect
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from tests.support import documents
from worker.config.metrics_settings import MetricsSettings
from worker.config.settings import TopSettings, parse
from worker.config.web_settings import WebSettings
from worker.domain.enums import MessageClass, TextRule
from worker.domain.texts.rule_tables import RuleTable
from worker.domain.texts.rules import default_rules
from worker.gateways.account_settings import AccountSettings
from worker.gateways.code_table import CodeMeaning
from worker.gateways.registry import gateway_classes
from worker.runtime import broker

PAGE = documents.read("docs/configuration.md")
TEXTS_PAGE = documents.read("docs/texts.md")
#: What a required field is given where another one is looked at.
GIVEN = {"codes": {}, "outcome": "rejected", "base_url": "https://sms.example"}


def own(model: type[BaseModel]) -> dict[str, Any]:
    """Return the fields that a model states itself, by the name that a configuration writes."""
    stated = inspect.get_annotations(model)
    return {
        field.alias or name: field for name, field in model.model_fields.items() if name in stated
    }


def push_fields() -> type[BaseModel]:
    kind: type[BaseModel] = (
        gateway_classes()["ihuyi"].Settings.model_fields["push_fields"].annotation
    )
    return kind


MODELS: dict[str, type[BaseModel]] = {
    "Top level": TopSettings,
    "Metrics": MetricsSettings,
    "The web process": WebSettings,
    "Every account": AccountSettings,
    "Codes of your own": CodeMeaning,
    "Push fields": push_fields(),
    "Rules for texts": RuleTable,
    **{name: kind.Settings for name, kind in gateway_classes().items()},
}


def described(heading: str) -> dict[str, str]:
    return {
        documents.coded(row[0]): row[1] for row in documents.rows(documents.section(PAGE, heading))
    }


@pytest.mark.parametrize("heading", MODELS)
def test_every_setting_is_described_and_no_other(heading: str) -> None:
    assert described(heading).keys() == own(MODELS[heading]).keys()


@pytest.mark.parametrize(
    ("heading", "key"), [(one, key) for one, model in MODELS.items() for key in own(model)]
)
def test_a_default_is_what_the_page_says(heading: str, key: str) -> None:
    model, told = MODELS[heading], described(heading)[key]
    field = own(model)[key]
    if heading == "Rules for texts":
        assert re.findall(r'`"(\w+)"`', told) == default_levels_of(key)
        return
    assert field.is_required() == (told == "required")
    if field.is_required():
        return
    usual = required(model)
    written = {} if told == "–" else tomllib.loads(f"value = {documents.coded(told)}")
    if told == "–":
        default = field.get_default(call_default_factory=True)
        assert not default or isinstance(default, BaseModel)
        return
    name = next(each for each, known in model.model_fields.items() if known is field)
    said = model.model_validate({**usual, key: written["value"]})
    assert getattr(said, name) == getattr(model.model_validate(usual), name)


def default_levels_of(key: str) -> list[str]:
    """Return the default level of a rule, and behind it that for marketing where it is another."""
    if key not in set(TextRule):
        return []
    levels = [default_rules(each).levels[TextRule(key)].value for each in MessageClass]
    return list(dict.fromkeys(levels))


def required(model: type[BaseModel]) -> dict[str, Any]:
    """Return something for each field that has to be given."""
    return {
        field.alias or name: GIVEN.get(name, "13900000000")
        for name, field in model.model_fields.items()
        if field.is_required()
    }


def test_every_gateway_has_its_section_and_is_named_as_a_choice() -> None:
    headings = {words for _, words in documents.headings(PAGE)}
    choice = next(
        row
        for row in documents.rows(documents.section(PAGE, "Every account"))
        if "`gateway`" in row[0]
    )
    for name in gateway_classes():
        assert name in headings
        assert f'`"{name}"`' in choice[2]


def test_every_rule_for_texts_is_a_setting() -> None:
    assert {rule.value for rule in TextRule} | {"suffix", "max_parts"} == own(RuleTable).keys()


def test_the_rules_of_an_example_are_a_configuration(tmp_path: Path) -> None:
    example = next(block for block in documents.blocks(TEXTS_PAGE) if block.language == "toml")
    account = {"gateway": "c123", "uid": "9999", "password": "0" * 8}
    raw = tomllib.loads(example.text)
    raw["accounts"]["bulk"] |= account
    settings = parse(raw, tmp_path, {}).accounts["bulk"].settings
    rules = settings.text_rules[MessageClass.MARKETING]
    assert (rules.suffix, rules.levels[TextRule.WAY_OUT]) == ("拒收请回复R", "refuse")
    assert rules.extensions == {"01": "信使", "02": "信使商城"}


def test_each_example_is_a_configuration(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "bulk").write_text("9999\n", "utf-8")
    for block in documents.blocks(PAGE):
        if block.language == "toml":
            made = parse(tomllib.loads(block.text), tmp_path, {"IHUYI_API_KEY": "0" * 32})
            if made.accounts:
                assert set(made.accounts) == {"codes", "bulk"}
            broker.check(made)
