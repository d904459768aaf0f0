"""What rules find in a text, and that a level decides what is done about it."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.enums import MessageClass, TextLevel, TextRule
from worker.domain.texts import links
from worker.domain.texts.checked_text import CheckedText
from worker.domain.texts.findings import lint, refusals
from worker.domain.texts.rules import TextRules, default_rules

PLAIN = "【信使】您的订单已发货"
LEVELS = list(TextLevel)
#: Texts of parts in which rules find something, beside any others.
PARTS = st.sampled_from(
    [
        *("【信使】", "【商城】", "您的订单", "a.cn/x", "https://b.com/x，", "13800000001", "😀"),
        *("¥", "回T退订", "拒收请回复R", "长" * 40, " ", "[信使]"),
    ]
)
TEXTS = st.lists(PARTS, max_size=6).map("".join) | st.text(max_size=100)
LEVELS_BY_RULE = st.fixed_dictionaries({rule: st.sampled_from(LEVELS) for rule in TextRule})
RULES = st.builds(
    TextRules,
    LEVELS_BY_RULE,
    st.sampled_from([None, 1, 2]),
    st.sampled_from(["", "拒收请回复R"]),
    st.sampled_from(["", "【信使】"]),
    st.sampled_from([{}, {"01": "信使"}, {"01": "商城", "02": "信使"}]),
)
ACCOUNTS = st.dictionaries(st.sampled_from(["bulk", "codes", "v1"]), RULES, min_size=1)
EXTENSIONS = st.sampled_from([None, "01", "02", "03"])


def rules_at(level: TextLevel, *looked_at: TextRule, **values: object) -> TextRules:
    """Return rules of which some are at a level, and all others off."""
    levels = dict.fromkeys(TextRule, TextLevel.OFF) | dict.fromkeys(looked_at, level)
    return TextRules(levels, **values)  # type: ignore[arg-type]


def found(text: str, rule: TextRule, extension: str | None = None, **values: object) -> str:
    """Return what one rule says of a text, having looked at nothing else."""
    accounts = {"bulk": rules_at(TextLevel.WARN, rule, **values)}
    findings = lint(text, accounts=accounts, extension=extension)
    assert findings.problems == []
    return "; ".join(map(str, findings.warnings))


@pytest.mark.parametrize("message_class", MessageClass)
def test_nothing_is_refused_by_rules_that_nobody_set(message_class: MessageClass) -> None:
    rules = default_rules(message_class)
    assert rules.refusing.looked_at == ()
    assert rules.levels.keys() == set(TextRule)


@given(TEXTS, ACCOUNTS, EXTENSIONS, st.data())
def test_a_lower_level_refuses_nothing_that_a_higher_one_lets_through(
    text: str, accounts: Mapping[str, TextRules], extension: str | None, data: st.DataObject
) -> None:
    lower = {}
    for name, rules in accounts.items():
        levels = {
            rule: data.draw(st.sampled_from(LEVELS[: LEVELS.index(level) + 1]))
            for rule, level in rules.levels.items()
        }
        lower[name] = replace(rules, levels=levels)
        assert set(refusals(text, lower[name], extension)) <= set(refusals(text, rules, extension))
    if not lint(text, accounts=accounts, extension=extension).problems:
        assert lint(text, accounts=lower, extension=extension).problems == []


@given(TEXTS, ACCOUNTS, EXTENSIONS)
def test_a_text_is_refused_by_rules_when_every_account_refuses_it(
    text: str, accounts: Mapping[str, TextRules], extension: str | None
) -> None:
    off = {"": rules_at(TextLevel.OFF)}
    findings = lint(text, accounts=accounts, extension=extension)
    by_rules = len(findings.problems) - len(lint(text, accounts=off).problems)
    refusing = [name for name, rules in accounts.items() if refusals(text, rules, extension)]
    assert bool(by_rules) == (len(refusing) == len(accounts))


@given(TEXTS, ACCOUNTS, EXTENSIONS)
def test_a_finding_says_where_and_never_repeats_the_text(
    text: str, accounts: Mapping[str, TextRules], extension: str | None
) -> None:
    findings = lint(text, accounts=accounts, extension=extension)
    for problem in (*findings.problems, *findings.warnings):
        assert problem.where in {"text", "extension"}
        assert ";" in problem.what or "rule" in problem.what or "2 to 20" in problem.what
        assert "13800000001" not in problem.what
        assert len(text) <= 24 or text not in problem.what


@given(TEXTS, EXTENSIONS)
def test_rules_that_are_off_find_nothing(text: str, extension: str | None) -> None:
    off = rules_at(TextLevel.OFF, max_parts=1, suffix="回T退订", extensions={"01": "商城"})
    assert refusals(text, off, extension) == []
    assert off.looked_at == ()


@given(TEXTS, RULES, EXTENSIONS)
def test_a_level_decides_what_is_done_and_not_what_is_found(
    text: str, rules: TextRules, extension: str | None
) -> None:
    warn = replace(rules, levels=dict.fromkeys(TextRule, TextLevel.WARN))
    refuse = replace(rules, levels=dict.fromkeys(TextRule, TextLevel.REFUSE))
    off = lint(text, accounts={"": rules_at(TextLevel.OFF)}, extension=extension)
    warned = lint(text, accounts={"": warn}, extension=extension)
    refused = lint(text, accounts={"": refuse}, extension=extension)
    assert warned.warnings[len(off.warnings) :] == refused.problems[len(off.problems) :]
    assert (warned.problems, refused.warnings) == off


@pytest.mark.parametrize(
    ("text", "at"),
    [
        *(
            ("点 https://a.cn/x 看", 3),
            ("http://10.0.0.1/x", 1),
            ("见t.cn/Ab1", 2),
            ("www.x.中国", 1),
        ),
        *(
            ("A.COM", 1),
            ("看 bit.ly/x", 3),
            ("看www。a。cn", 2),
            ("WWW．a", 1),
            ("https：//a", 1),
            ("ｈｔｔｐ：／／ａ", 1),
            ("a@b.com 或 b.com", 11),
        ),
    ],
)
def test_a_link_is_found_where_it_begins(text: str, at: int) -> None:
    assert f"has a link at character {at};" in found(text, TextRule.LINK)


@given(st.text("aAwW.。．:：/／hｈtｔpｐ{}url@ ，", max_size=30))
def test_a_glance_at_a_text_overlooks_no_link(text: str) -> None:
    if not links.may_hold_link(text):
        assert list(links.problems(text)) == []
        assert list(links.broken_link_problems(text)) == []


@given(TEXTS, RULES)
def test_an_ordinary_text_is_looked_at_by_fewer_rules_and_found_the_same_in(
    text: str, rules: TextRules
) -> None:
    checked = CheckedText(text)
    found_at_once = checked.findings(rules)
    checked._is_ordinary = False
    assert found_at_once == checked.findings(rules)


@pytest.mark.parametrize("text", [PLAIN, "a@b.com", "共3.5元", "v1.com2", "and/or", "见附件.doc"])
def test_what_is_no_link_is_not(text: str) -> None:
    assert found(text, TextRule.LINK) == ""


@pytest.mark.parametrize(
    ("text", "at"),
    [
        *(("致电13800000001", 3), ("+86 138 0000 0001", 1), ("电话：010-12345678。", 4)),
        *(
            ("(0755)12345678", 1),
            ("热线400-123-4567", 3),
            ("8008101234", 1),
            ("１３８００００００００", 1),
        ),
        ("02112345678或13800000001", 1),
    ],
)
def test_a_phone_number_is_found_where_it_begins(text: str, at: int) -> None:
    assert f"has a phone number at character {at};" in found(text, TextRule.PHONE_NUMBER)


@pytest.mark.parametrize(
    "text",
    ["验证码123456", "单号138000000012", "SF13800000001", "订单1138000000010000", "2026-11-28"],
)
def test_other_digits_are_no_phone_number(text: str) -> None:
    assert found(text, TextRule.PHONE_NUMBER) == ""


def test_an_emoji_is_found_where_it_stands() -> None:
    assert "has an emoji at character 6;" in found("【信使】好😀", TextRule.EMOJI)
    assert found("【信使】好☎", TextRule.EMOJI) == ""


@pytest.mark.parametrize(
    ("length", "added_signature", "parts"), [(70, "", 1), (71, "", 2), (67, "【信使】", 2)]
)
def test_parts_are_counted_with_the_signature_that_the_account_adds(
    length: int, added_signature: str, parts: int
) -> None:
    said = found("长" * length, TextRule.PARTS, max_parts=1, added_signature=added_signature)
    assert said == (f"text: has {parts} segments, and max_parts is 1; shorten it" * (parts > 1))
    assert found("长" * length, TextRule.PARTS, added_signature=added_signature) == ""


@pytest.mark.parametrize(
    "text", ["周年庆 回T退订", "周年庆 拒收请回复R ", "拒收请回复R！", "拒收请回复r"]
)
def test_with_a_suffix_no_other_way_out_will_do(text: str) -> None:
    suffix = "拒收请回复R"
    assert f"“{suffix}”" in found(text, TextRule.WAY_OUT, suffix=suffix)
    assert found(f"{text}{suffix}", TextRule.WAY_OUT, suffix=suffix) == ""


@pytest.mark.parametrize(
    ("text", "extension", "said"),
    [
        ("【信使】好", "01", ""),
        ("好【信使】", "01", ""),
        ("【商城】好", "01", "extension: belongs to 【信使】, and the text has another signature"),
        ("好", "01", "extension: belongs to 【信使】, and the text has no signature"),
        ("【商城】好", "02", ""),
        ("【商城】好", None, ""),
    ],
)
def test_an_extension_belongs_to_one_signature(text: str, extension: str | None, said: str) -> None:
    extensions = {"01": "信使"}
    finding = found(text, TextRule.EXTENSION, extension, extensions=extensions)
    assert finding.split(";")[0] == said


def test_the_signature_that_the_account_adds_may_be_that_of_the_extension() -> None:
    values = {"extensions": {"01": "信使"}, "added_signature": "【信使】"}
    assert found("好", TextRule.EXTENSION, "01", **values) == ""


def test_accounts_that_are_left_warn_and_say_whose_it_is() -> None:
    link, emoji = TextRule.LINK, TextRule.EMOJI
    warning = rules_at(TextLevel.WARN, link, emoji)
    accounts = {
        "bulk": replace(warning, levels={**warning.levels, link: TextLevel.REFUSE}),
        "codes": rules_at(TextLevel.WARN, link),
        "v1": warning,
    }
    findings = lint("【信使】a.cn 😀", accounts=accounts)
    assert findings.problems == []
    shared, only_v1 = findings.warnings
    assert shared.what.endswith("registered with it")
    assert only_v1.what.endswith("(account v1)")


def test_where_no_account_is_left_each_refusal_is_said() -> None:
    accounts = {
        "bulk": rules_at(TextLevel.REFUSE, TextRule.LINK),
        "v1": rules_at(TextLevel.REFUSE, TextRule.EMOJI),
    }
    problems = lint("【信使】a.cn 😀", accounts=accounts).problems
    assert [problem.what.partition(" (")[2] for problem in problems] == [
        "account bulk)",
        "account v1)",
    ]
    del accounts["v1"]
    (problem,) = lint("【信使】a.cn 😀", accounts=accounts).problems
    assert "bulk" not in problem.what
