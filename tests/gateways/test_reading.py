"""The laws of what gateways share: forms, mended JSON, salvaged XML, words, times and numbers."""

import json
from urllib.parse import quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.gateways.formats import json_reader, values, xml_reader
from worker.gateways.formats.forms import encode_form, parse_form, quote

FEW = settings(max_examples=100, deadline=None, database=None, derandomize=True)
SAYABLE = st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff"), max_size=30)
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | SAYABLE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SAYABLE, inner, max_size=3),
    max_leaves=10,
)


@FEW
@given(told=st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), SAYABLE))
def test_a_form_is_read_as_it_was_written(told: dict[str, str]) -> None:
    assert parse_form(encode_form(told).encode()) == told


@FEW
@given(text=SAYABLE)
def test_a_form_differs_from_the_usual_quoting_in_the_tilde_alone(text: str) -> None:
    assert quote(text) == quote_plus(text).replace("~", "%7E")


@FEW
@given(text=st.text(st.characters(codec="gbk", min_codepoint=0x80), min_size=1, max_size=30))
def test_each_byte_of_a_gbk_character_is_written_out(text: str) -> None:
    assert quote(text, "gbk") == "".join(f"%{byte:02X}" for byte in text.encode("gbk"))


@FEW
@given(tree=st.dictionaries(SAYABLE, TREES, min_size=1) | st.lists(TREES, min_size=1))
def test_damaged_json_says_what_it_said_before(tree: object) -> None:
    """Last commas, comments, missing commas between fields and junk around do not matter."""
    text = json.dumps(tree, indent=1)
    assert json_reader.parse(text) == tree
    ends = [",", "[", "{"]
    lines = text.split("\n")
    closing = [
        f'{line}, // ] }} " \\'
        if after.strip()[:1] in {"}", "]"} and line[-1] not in ends
        else line
        for line, after in zip(lines, [*lines[1:], ""], strict=True)
    ]
    assert json_reader.parse("\n".join(["<br>", *closing, "; x"])) == tree
    without = [line.removesuffix(",") for line in lines]
    assert json_reader.parse("\n".join(without)) == tree


@pytest.mark.parametrize("text", ["", "null x", "<p>", "{", "[1,2", '{"a" "b"', "{'a': 1}"])
def test_what_is_no_json_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        json_reader.parse(text)


def test_bare_braces_keep_what_is_in_their_strings() -> None:
    assert json_reader.parse('{"a": { [ "{ [", "] }" ] } "b": "//" }') == {
        "a": ["{ [", "] }"],
        "b": "//",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2019-04-12 17:57:08", "2019-04-12T17:57:08+08:00"),
        (" 2012-08-16 01:05:39.0 ", "2012-08-16T01:05:39+08:00"),
        ("2012-08-16 01:05:39.123456789", "2012-08-16T01:05:39.123456+08:00"),
        ("2012/8/6T1:05", "2012-08-06T01:05:00+08:00"),
        ("2012-02-30 01:05:39", None),
        ("0000-00-00 00:00:00", None),
        ("9999-01-01 00:00:00", None),
        ("1555063028", None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_a_time_is_of_beijing_or_none(text: object, expected: str | None) -> None:
    time = values.read_time(text)
    assert (time and time.isoformat()) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("13812345678", "13812345678"),
        (13812345678, "13812345678"),
        ("+86 138-1234-5678", "13812345678"),
        ("135****9831", "135****9831"),
        ("02185418874", "02185418874"),
        ("10086", None),
        ("****", None),
        ("", None),
        (None, None),
        ({}, None),
    ],
)
def test_a_number_is_whole_masked_or_none(value: object, expected: str | None) -> None:
    assert values.read_msisdn(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (7, 7),
        ("22348", 22348),
        (" -3 ", -3),
        ("12.50", 12),
        (12.9, 12),
        (True, None),
        (float("nan"), None),
        (float("inf"), None),
        (10**30, None),
        ("1e5", None),
        ("", None),
        (None, None),
    ],
)
def test_a_count_is_whole_or_none(value: object, expected: int | None) -> None:
    assert values.read_count(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("15870246956696820530", "15870246956696820530"),
        (15870246956696820530, "15870246956696820530"),
        (1.5870246956696820530e19, ""),
        (2.0, "2"),
        (" 2\r\n", "2"),
        (True, "true"),
        (None, ""),
        ([], ""),
        ("x" * 64, "x" * 64),
        ("x" * 1000, "x" * 65),
    ],
)
def test_a_word_keeps_its_digits(value: object, expected: str) -> None:
    assert values.read_word(value) == expected


def test_words_are_one_line_without_whole_numbers() -> None:
    assert (
        values.tidy_words("号码\r\n 13812345678,\0\x1b[31m 错误" + "长" * 500)
        == ("号码 138****5678,[31m 错误" + "长" * 500)[:200]
    )


def test_rows_of_a_damaged_page_are_read_one_by_one() -> None:
    page = "<p><r><a>1</a></r><r><a>&nbsp;</a></r><r><a>2</a></r></p>"
    assert xml_reader.rows(page, "p", "r", dict) == ([{"a": "1"}, {"a": "2"}], 1)
    assert xml_reader.rows("<q/>", "p", "r", dict) is None


@pytest.mark.parametrize("damage", ["", "&nbsp;", "<r>"])
def test_a_row_that_is_not_closed_takes_no_other_with_it(damage: str) -> None:
    page = f"<p><r><a>1</a></r>{damage}<r><a>2</a></r><r><a>3</a></r></p>"
    assert xml_reader.rows(page, "p", "r", dict) == (
        [{"a": "1"}, {"a": "2"}, {"a": "3"}],
        1 if damage else 0,
    )


def test_no_document_type_reaches_the_parser() -> None:
    with pytest.raises(ValueError, match="undefined entity"):
        xml_reader.child_texts('<!DOCTYPE p [<!ENTITY a "b">]><p>&a;</p>', "p")
