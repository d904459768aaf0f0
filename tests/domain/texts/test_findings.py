"""What is found in a text: characters, signatures, links, ways out; it never raises."""

import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.enums import MessageClass, TextLevel, TextRule
from worker.domain.texts import emoji
from worker.domain.texts.findings import lint
from worker.domain.texts.reply_words import ReplyWords
from worker.domain.texts.rules import TextRules, default_rules

MARKETING = MessageClass.MARKETING
PLAIN = "【信使】您的订单已发货"
#: Any character, lone surrogates too.
ANYTHING = st.text(st.characters(), max_size=120) | st.text(
    "【】{}[]#$%@<>｛｝（）回TD退订 .a/:\u200b"
)


def problems(text: str) -> str:
    return "\n".join(map(str, lint(text).problems))


def warnings(text: str, **context: object) -> str:
    return "\n".join(map(str, lint(text, **context).warnings))  # type: ignore[arg-type]


@given(ANYTHING, st.lists(st.text(max_size=8), max_size=3), st.sampled_from(MessageClass))
def test_no_text_makes_it_raise(text: str, names: list[str], message_class: MessageClass) -> None:
    accounts = {
        name: TextRules(
            dict.fromkeys(TextRule, TextLevel.WARN), 1, suffix, added_signature, {"1": "信使"}
        )
        for name, suffix, added_signature in (("bulk", "", ""), ("codes", "回T退订", "【信使】"))
    }
    lint(
        text,
        message_class=message_class,
        given_names=names,
        accounts=accounts,
        extension="1",
    )


HOSTILE = (
    *("{", "{a", "{{", "{url", "｛", "}", "[", "[a ", "【", "【a】", "<%", "<%  ", "#(", "#"),
    *("%", "$", "://", "a.cn", "http://a", ".com，", "回 ", "退订 ", "回T", " ", "\u200b"),
    *("@a.", "_", "*a"),
)


@pytest.mark.parametrize("part", HOSTILE)
@pytest.mark.parametrize("end", ["", "x", " " * 5000 + "x"])
def test_a_long_text_is_read_in_a_time_that_grows_with_its_length(part: str, end: str) -> None:
    text = part * (10_000 // len(part)) + end
    start = time.process_time()
    lint(text, message_class=MARKETING, given_names=["a", "url"])
    ReplyWords().meaning(text)
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    "character",
    [
        *("\0", "\x07", "\x0b", "\x0c", "\x1b", "\x7f", "\x80", "\x85", "\x9f", "\ud800"),
        *("\ufffd", "\uffff", "\ufdd0", "\ue863", "\uf8ff", "\U000f0000", "\U0010fffd"),
        *("\xad", "\u034f", "\u061c", "\u115f", "\u180e", "\u200b", "\u200e", "\u202e", "\u2028"),
        *("\u2029", "\u2060", "\u2066", "\u3164", "\ufe0f", "\ufeff", "\uffa0", "\ufff9"),
        *("\u200c", "\u200d", "\u180b", "\U000e0041", "\U000e0100", "\U0001d173"),
    ],
)
@pytest.mark.parametrize("text", ["{}【信使】您好", "【信使】您{}好", "【信使】您好{}"])
def test_what_nobody_sees_is_refused_with_its_code_and_its_place(text: str, character: str) -> None:
    found = problems(text.replace("{}", character))
    assert f"U+{ord(character):04X}" in found
    assert f"at character {text.index('{}') + 1};" in found


@pytest.mark.parametrize(
    "text",
    [
        *("朱镕", "䶮", "𠮷野", "𬭊", "㛃", "王⻋", "迪丽热巴·迪力木拉提", "李😀", "陈❤️", "赵✅"),
        *("👨‍👩‍👧", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "1️⃣", "☎️"),
        *("ᠮᠣᠩᠭᠣᠯ᠋", "می‌خواهم", "第一行\n第二行", "ئۇيغۇر", "བོད"),
    ],
)
def test_what_people_are_called_and_write_is_no_fault(text: str) -> None:
    assert problems(f"【信使】{text}") == ""


@pytest.mark.parametrize(
    ("text", "first"),
    [
        *(("𠮷𬭊𪚥㛃⻋䶮", None), ("★☆→①㊣℃♀♂№·", None), ("0#*", None), ("©™®", None), ("☎", None)),
        *(("好😀", "😀"), ("❤️", "❤️"), ("赵✅", "✅"), ("⌚", "⌚"), ("☎️", "☎️"), ("©️", "©️")),
        *(("1️⃣", "1️⃣"), ("#⃣", "#⃣"), ("⭐", "⭐"), ("🇨🇳", "🇨"), ("🫨", "🫨"), ("🀄", "🀄")),
    ],
)
def test_an_emoji_is_told_by_its_property_and_not_by_its_plane(
    text: str, first: str | None
) -> None:
    assert emoji.first(text) == first


@pytest.mark.parametrize("character", ["¥", "\xa0", "•", "\u2009", "\t", "\r", "・", "−"])
def test_what_gbk_lacks_and_looks_like_something_else_is_warned_about(character: str) -> None:
    assert problems(f"{PLAIN}{character}") == ""
    assert f"U+{ord(character):04X}" in warnings(f"{PLAIN}{character}")


def test_a_good_text_has_no_finding() -> None:
    for text in (
        PLAIN,
        f"{PLAIN}，详情 https://a.cn/x?y=1 ，退订回T",
        "【信使】3#楼5#单元，满50%减60%，A+B=C，a@b.com。v1.com2",
    ):
        assert lint(text) == ([], [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("您的订单已发货", "has no signature"),
        ("[信使]您的订单已发货", "other brackets"),
        ("〖信使〗您的订单已发货", "other brackets"),
        ("（信使）您的订单已发货", "other brackets"),
        ("您的订单已发货［信使］", "other brackets"),
        ("您的订单已发货【信使】", "not at the beginning"),
        (" 【信使】您的订单已发货", "blank before"),
        ("【信使】【商城】您的订单已发货", "second"),
        ("【信使】您的订单已发货【商城】", "second"),
        ("【信使您的订单已发货", "other half at character 1;"),
        ("信使】您的订单已发货", "other half at character 3;"),
        ("【 信使 】您的订单已发货", "2 to 20 characters"),
        ("【】您的订单已发货", "2 to 20 characters"),
    ],
)
def test_a_signature_that_a_gateway_may_not_see_is_warned_about(text: str, said: str) -> None:
    assert said in warnings(text)
    assert problems(text) == ""


def test_the_platforms_own_signature_beside_the_texts_is_two_and_stands_in_for_none() -> None:
    plain = default_rules(MessageClass.NOTICE)
    adding = replace(plain, added_signature="【信使】")
    two = warnings(PLAIN, accounts={"bulk": adding})
    assert "brings a signature beside 【信使】, which the account adds" in two
    assert "bulk" not in two
    assert warnings("您的订单已发货", accounts={"bulk": adding}) == ""
    both = warnings("您的订单已发货", accounts={"bulk": adding, "v1": plain})
    assert both.startswith("text: has no signature")
    assert both.endswith("(account v1)")


@pytest.mark.parametrize(
    ("text", "at"),
    [
        *(("点https://a.cn/x，谢谢", 16), ("点a.cn/x退订", 8), ("www.abc.com。好", 12)),
        *(("HTTP://A.CN/中文", 13), ("https://a.cn/{code}退订", 20), ("{link}，谢谢", 7)),
        *(("见t.cn/Ab1（新）", 10),),
    ],
)
def test_what_stands_directly_behind_a_link_is_warned_about(text: str, at: int) -> None:
    assert f"directly behind a link, at character {at}" in warnings(text)
    assert "directly behind" not in warnings(text[: at - 1] + " " + text[at - 1 :])


@pytest.mark.parametrize("text", ["邮箱a@b.com。", "共3.5元", "见 https://a.cn/x\n谢谢", "a.cn/x!"])
def test_what_is_no_link_or_ends_well_is_not(text: str) -> None:
    assert "link" not in warnings(text)


@pytest.mark.parametrize(
    "text",
    [
        "http：//a.cn",
        "https:／／a.cn",
        "https://a。cn",
        "ｈｔｔｐ://a.cn",
        "ｈｔｔｐ：／／ａ．ｃｎ",
    ],
)
def test_a_link_in_full_width_marks_is_warned_about(text: str) -> None:
    assert "full-width" in warnings(text)


@pytest.mark.parametrize(
    "way",
    [
        "退订回T",
        "回TD退订",
        "拒收请回复R",
        "TD退订",
        "回复“T”退订",
        "T退",
        "回TD退",
        "退T",
        "拒R",
        "Text STOP to end",
    ],
)
def test_advertising_with_a_way_out_that_is_understood_is_no_fault(way: str) -> None:
    assert warnings(f"{PLAIN} {way}", message_class=MARKETING) == ""


def test_advertising_without_a_way_out_is_warned_about_and_a_notice_is_not() -> None:
    assert "way out" in warnings(PLAIN, message_class=MARKETING)
    assert warnings(PLAIN) == ""


@pytest.mark.parametrize("way", ["T退货", "T恤可退T恤", "全场退款", "nonSTOP", "卡T退税"])
def test_what_only_looks_like_a_way_out_is_none(way: str) -> None:
    assert "way out" in warnings(f"【信使】{way}", message_class=MARKETING)


@pytest.mark.parametrize("way", ["退订回XZ", "回66退订", "拒收请回复“QZ”"])
def test_a_way_out_that_would_not_be_understood_is_warned_about(way: str) -> None:
    assert "none of opt_out_words" in warnings(f"{PLAIN} {way}", message_class=MARKETING)
