"""Placeholders: ours are filled, and what only looks like one is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain import placeholders
from worker.domain.texts import findings, unfilled

NAMES = st.text(st.sampled_from("abcxyz姓名验证码0_9"), min_size=1, max_size=8)
#: Text as people write it around placeholders.
PROSE = st.text(st.sampled_from("您好，订单已发货。【】（）!?3.5元 \nabc"), max_size=20)


@given(st.lists(st.tuples(PROSE, NAMES), max_size=5), PROSE, st.text(max_size=8))
def test_a_text_that_names_all_its_placeholders_has_no_finding_and_no_braces_left(
    parts: list[tuple[str, str]], end: str, value: str
) -> None:
    text = "".join(f"{prose}{{{name}}}" for prose, name in parts) + end
    names = {name for _, name in parts}
    assert placeholders.names(text) == names
    assert unfilled.problems(text, names) == []
    plain_value = value.replace("{", "").replace("}", "")
    filled = placeholders.fill(text, dict.fromkeys(names, plain_value))
    assert filled == "".join(prose + plain_value for prose, _ in parts) + end
    assert "{" not in filled


@given(st.text(max_size=60), st.dictionaries(NAMES, st.text(max_size=5), max_size=3))
def test_what_is_escaped_is_sent_as_it_was(text: str, values: dict[str, str]) -> None:
    assert placeholders.fill(placeholders.escape(text), values) == text


@given(st.text(max_size=60))
def test_a_text_without_a_finding_keeps_only_braces_that_were_escaped(text: str) -> None:
    if unfilled.problems(text):
        return
    values = dict.fromkeys(placeholders.names(text), "")
    assert placeholders.fill(text, values).count("{") == text.count("{{")


def test_each_name_needs_a_value_and_values_are_not_filled_again() -> None:
    assert placeholders.names("您好{name }，{code}{}{ }{ x}{{y}") == {"name", "code"}
    assert placeholders.fill("{a }{b}", {"a": "{b}", "b": "{{"}) == "{b}{{"
    assert placeholders.fill("{{a} 是 {a}", {"a": "x"}) == "{a} 是 x"
    with pytest.raises(KeyError, match="code"):
        placeholders.fill("{name}{code}", {"name": "x"})


@pytest.mark.parametrize(
    "written",
    [
        *("{ name }", "{{name}}", "{{ name }}", "{{{name}}}", "${name}", "{}"),
        *("{ }", "{", "｛name｝", "｛ name ｝", "{name｝", "｛name}", "﹛name﹜"),
        *("#name#", "##name##", "%name%", "%%name%%", "$name$", "$name", "@name@", "$(name)"),
        *(
            "%(name)s",
            "%s",
            "%1$s",
            "%d",
            "<%= name %>",
            "#(name)",
            "$[name]",
            "[name]",
            "[[name]]",
        ),
        *(
            "<name>",
            "<<name>>",
            "《name》",
            "〈name〉",
            "［name］",
            "＜name＞",
            "「name」",
            "『name』",
        ),
        *("〔name〕", "〖name〗", "【name】", "*name*", "**name**", "~name~", "^name^", "|name|"),
        *("（name）", "(name)", "_name_", "&name&", "!name!", "::name::", "--name--", "=name="),
        *("$name您好", "＄name", "＄{name}", "\\{name\\}", "<?=name?>", "<? name ?>"),
        *("__name__", "＃name＃", "％name％", "[ Name ]", "<NAME>", "[ｎａｍｅ]"),
    ],
)
def test_a_columns_name_between_other_marks_is_refused_with_its_place(written: str) -> None:
    found = unfilled.problems(f"您好{written}，您的订单", ["name", "city"])
    assert found, written
    assert "at character 3;" in found[0].what


@pytest.mark.parametrize(
    "text",
    [
        *(
            "#code#是您的验证码",
            "尊敬的%name%",
            "尊敬的[姓名]",
            "<验证码>",
            "《姓名》您好",
            "$姓名您好",
        ),
        *(
            "｛姓名｝",
            "【信使】#会员等级#您好",
            "您好{{姓名}}",
            "您好${user}",
            "@user_name@您好",
            "{%code%}",
        ),
    ],
)
def test_what_other_platforms_write_is_refused_where_no_name_is_known(text: str) -> None:
    assert unfilled.problems(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "3#楼5#单元",
            "#618#大促",
            "满50%减60%",
            "100%s",
            "【验证码】1234",
            "《红楼梦》",
            "[信使]您好",
        ),
        *(
            "$AAPL 上涨",
            "a@b.com",
            "US$100",
            "价格$5.00",
            "1*2*3",
            "（姓名）",
            "a_b_c",
            "|",
            "}",
            "a } b",
        ),
        *(
            "【信使】您好{name}",
            "￥{price}",
            "{{name}",
            "#{order}号",
            "A座#B座",
            "c.a~b~",
            "50%起,60%",
        ),
    ],
)
def test_what_people_mean_as_it_stands_is_not(text: str) -> None:
    assert unfilled.problems(text) == []


@pytest.mark.parametrize(
    ("written", "is_doubtful"), [("#{name}", True), ("@{name}", True), ("订单#{name}", False)]
)
def test_a_mark_of_another_platform_before_a_placeholder_of_ours_is_warned_about(
    written: str, *, is_doubtful: bool
) -> None:
    found = findings.lint(f"【信使】{written}您好", given_names=["name"])
    assert found.problems == []
    assert bool(found.warnings) is is_doubtful


@pytest.mark.parametrize("text", ["（城市）的店", "(A)组", "A-B-C", "见（注）", "a=b=c"])
def test_marks_around_what_is_no_name_are_no_fault(text: str) -> None:
    assert unfilled.problems(f"{text}，您好{{name}}", ["name", "A", "B", "b"]) == []


def test_a_name_that_the_text_also_gives_in_braces_may_stand_between_marks() -> None:
    assert unfilled.problems("【验证码】您的{验证码}", ["验证码"]) == []
    assert unfilled.problems("【验证码】您的code", ["验证码"])
