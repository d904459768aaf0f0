"""Replies: who asks for no more is understood however it is written, and a question stays one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.enums import ReplyMeaning
from worker.domain.texts.reply_vocabulary import OPT_IN_WORDS, OPT_OUT_WORDS
from worker.domain.texts.reply_words import ReplyWords

WORDS = ReplyWords()
OUT, IN, NEAR = ReplyMeaning.OUT, ReplyMeaning.IN, ReplyMeaning.NEAR
#: Marks that stand around a word, and change nothing.
MARKS = st.text(
    st.sampled_from(
        " \t\n　“”\"'‘’「」『』【】[]（）()《》<>。.，,！!？?…~-—_*#+=:：;；·\u200b\ufeff😀🙏"
    ),
    max_size=4,
)
WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
TRADITIONAL = str.maketrans("订阅绝发复续", "訂閱絕發復續")


def in_any_hand(word: str) -> st.SearchStrategy[str]:
    """Return how people may write a word."""
    width = st.sampled_from([str, lambda text: text.translate(WIDE)])
    case = st.sampled_from([str, str.lower, str.upper, str.swapcase])
    script = st.sampled_from([str, lambda text: text.translate(TRADITIONAL)])
    changed = st.tuples(width, case, script).map(
        lambda changes: changes[0](changes[1](changes[2](word)))
    )
    spread = st.tuples(changed, st.sampled_from(["", " ", "　", "."])).map(
        lambda pair: pair[1].join(pair[0])
    )
    return st.tuples(MARKS, spread, MARKS, st.booleans(), MARKS).map(
        lambda parts: "".join([*parts[:3], parts[1] if parts[3] else "", parts[4]])
    )


@given(st.sampled_from(OPT_OUT_WORDS).flatmap(in_any_hand))
def test_every_word_is_understood_in_any_combination_of_what_is_forgiven(text: str) -> None:
    assert WORDS.meaning(text) is OUT


@given(st.sampled_from(OPT_IN_WORDS).flatmap(in_any_hand))
def test_so_is_every_word_that_asks_for_more_again(text: str) -> None:
    assert WORDS.meaning(text) is IN


FOOTERS = ["回", "回复", "请回复", "发送", "回:", "编辑短信"]


@given(
    st.sampled_from(FOOTERS),
    st.sampled_from([word for word in OPT_OUT_WORDS if word.isascii()]),
    st.sampled_from(["", "退订", "拒收", "取消"]),
    st.sampled_from(["", "谢谢", "，谢谢！"]),
    st.sampled_from(["{act}{footer}{word}", "{footer}{word}{act}"]),
)
def test_the_footers_own_words_are_understood(
    footer: str, word: str, act: str, politeness: str, order: str
) -> None:
    answer = order.format(act=act, footer=footer, word=word)
    assert WORDS.meaning(answer + politeness) is OUT


@given(st.text(max_size=40), MARKS, MARKS)
def test_marks_around_a_reply_and_its_case_change_nothing_of_an_answer(
    text: str, before: str, behind: str
) -> None:
    meaning = WORDS.meaning(text)
    changed = WORDS.meaning(f"{before}{text.swapcase()}{behind}")
    if meaning in {OUT, IN} or changed in {OUT, IN}:
        # A character like ß has no other case that is its own.
        assert changed is meaning or text.swapcase().casefold() != text.casefold()


@pytest.mark.parametrize(
    "text",
    [
        *(
            "T退订",
            "回T",
            "回复T",
            "退订谢谢",
            "拒收R",
            "td td",
            "取消订阅",
            "STOP",
            "【T】",
            "“T”",
        ),
        *("TDD", "TT", "ttttt", "TD退订", "取消", "退訂", "T\u200b", "Ⓣ", "退 订", "回复“TD”退订"),
        *("拒收请回复R", "退订回T", "取消訂閱，謝謝", "please unsubscribe", "opt-out", "T😀"),
    ],
)
def test_what_people_answer_opts_out(text: str) -> None:
    assert WORDS.meaning(text) is OUT


@pytest.mark.parametrize("text", ["取消退订", "不退订", "START", "恢复订阅", "我要 start"[3:]])
def test_what_takes_it_back_opts_in(text: str) -> None:
    assert WORDS.meaning(text) is IN


@pytest.mark.parametrize(
    "text",
    [
        *(
            "我要退订",
            "不要再发了",
            "别发了",
            "不想再收到你们的短信",
            "不要退订",
            "t 好的",
            "已退订还发？",
        ),
        *(
            "TD吧",
            "T了",
            "td88",
            "TD1",
            "退定",
            "退顶",
            "推订",
            "停",
            "停发",
            "拒接",
            "屏蔽",
            "NO",
            "no!",
        ),
        *(
            "tuiding",
            "qxtd",
            "取消服务",
            "把我删了",
            "不收广告",
            "no more",
            "No thanks",
            "麻烦退订一下",
        ),
        *("回T退订【信使】", "再骚扰就投诉", "stop texting me", "不要", "別再發了", "退订，订阅"),
    ],
)
def test_what_is_near_is_left_to_a_person(text: str) -> None:
    assert WORDS.meaning(text) is NEAR


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "T恤有货吗",
            "Thanks",
            "收到",
            "取消预约",
            "退货",
            "退款怎么办理",
            "4711",
            "rt",
            "nt",
        ),
        *("TTR", "R u ok", "好的，谢谢", "谢谢", "回复", "请问几点到", "vitamin t is good", "N/A"),
        *("停车费多少", "拒签了", "不收现金吗", "not now", "退票", "请停在门口", "no 5"),
        *("trn", "Tom", "订单到了吗", "nonstop", "。。。", "😀"),
    ],
)
def test_a_question_stays_a_question(text: str) -> None:
    assert WORDS.meaning(text) is None


@given(st.text(st.characters(), max_size=200))
def test_no_reply_makes_it_raise(text: str) -> None:
    WORDS.meaning(text)


def test_words_of_a_configuration_stand_in_for_the_defaults() -> None:
    words = ReplyWords(["9", "不订了"], ["要"])
    assert [words.meaning(text) for text in ("9", "回9", "不訂了！", "T", "要", "9要")] == [
        *(OUT, OUT, OUT, None, IN, NEAR)
    ]
