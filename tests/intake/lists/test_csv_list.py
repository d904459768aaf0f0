"""CSV files of recipients: what spreadsheets write is read, or named as bad; nothing is lost."""

import io
import tracemalloc
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.lists import one_by_one, refusal, rows
from worker.domain import msisdn
from worker.intake.lists import csv_list, reader, row_reader, text_encoding
from worker.intake.lists.layout import Layout
from worker.intake.recipient_rows import Row
from worker.intake.value_rules import OddValue

LINE_BREAKS = {OddValue.LINE_BREAK}


@pytest.mark.parametrize(
    "header",
    [
        "msisdn",
        "Mobile",
        "PHONE",
        " phone ",
        "手机号",
        "号码",
        "手机",
        "手机号码",
        "电话",
        '"phone"',
    ],
)
def test_the_numbers_are_found_by_their_header(header: str) -> None:
    assert rows(f"name,{header}\nAnna,13812345678\n") == [Row(2, "13812345678")]


@pytest.mark.parametrize("text", ["13812345678\n", "customer\n13812345678\n", "\n\n13812345678"])
def test_an_only_column_holds_the_numbers_with_a_header_or_without(text: str) -> None:
    (row,) = rows(text)
    assert row.number == "13812345678"


def test_a_bad_number_on_the_first_line_is_no_header() -> None:
    assert [row.line for row in rows("1381234567\n13812345678\n")] == [1, 2]
    assert [row.line for row in rows("1.4E+10\n13812345678\n")] == [1, 2]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_encodings_and_delimiters_are_found_out(encoding: str, delimiter: str) -> None:
    text = f"姓名{delimiter}手机号\r\n王五{delimiter}13812345678\r\n"
    assert rows(text, "{姓名}您好", encoding) == [Row(2, "13812345678", {"姓名": "王五"})]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_first_line_that_names_the_delimiter_is_no_row(delimiter: str) -> None:
    text = f"sep={delimiter}\nname,x{delimiter}phone\nAnna,Li{delimiter}13812345678\n"
    wanted = text if delimiter != "," else f"sep={delimiter}\nname,phone\nAnna,13812345678\n"
    assert rows(wanted) == [Row(3, "13812345678")]


@pytest.mark.parametrize("block", [1, 2, 3, 5])
def test_a_character_across_two_blocks_is_one(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_encoding, "_BLOCK_BYTES", block)
    assert rows("手机号,姓名\n13812345678,王五\n", "{姓名}")[0].variables == {"姓名": "王五"}
    assert rows("手机号,姓名\n13812345678,王五\n", "{姓名}", "gbk")[0].variables == {"姓名": "王五"}


def test_other_columns_are_variables_only_where_the_text_names_them() -> None:
    text = "phone,name,city\n13812345678,Anna,Beijing\n"
    assert rows(text)[0].variables is None
    assert rows(text, "Dear {name }")[0].variables == {"name": "Anna"}


@pytest.mark.parametrize(
    "cell",
    ['"=""13812345678"""', '="13812345678"', "'13812345678", " 13812345678 ", "13812345678.0"],
)
def test_what_spreadsheets_put_around_a_number_is_taken_off(cell: str) -> None:
    (row,) = rows(f"phone,name\n{cell},Anna\n")
    assert (row.line, row.problem) == (2, None)
    assert msisdn.normalise(row.number) == "13812345678"


@pytest.mark.parametrize("cell", ["1.38123E+10", "1.4e10", "1E+10"])
def test_a_number_that_a_spreadsheet_shortened_is_bad(cell: str) -> None:
    (row,) = rows(f"phone\n{cell}\n")
    with pytest.raises(ValueError, match="shortened") as refused:
        msisdn.normalise(row.number)
    assert cell not in str(refused.value)


def test_lines_are_those_of_the_file() -> None:
    text = 'phone,note\n\n13812345678,"two\nlines"\n\n13912345678,x\n,\n\n\n'
    assert [(row.line, row.number) for row in rows(text, allowed=LINE_BREAKS)] == [
        (3, "13812345678"),
        (6, "13912345678"),
    ]


def test_quoted_values_keep_their_line_breaks_and_delimiters() -> None:
    text = 'phone,name\n13812345678,"Anna, ""A""\nLi"\n'
    assert rows(text, "{name}", allowed=LINE_BREAKS)[0].variables == {"name": 'Anna, "A"\nLi'}


def test_a_quote_that_is_never_closed_hides_nothing() -> None:
    found = rows('phone,note\n13812345678,"open\n13912345678,x\n13712345678,y\n')
    assert [row.line for row in found] == [2]
    assert found[0].problem is not None
    assert "quotes" in found[0].problem


def test_rows_too_long_or_without_a_value_are_bad() -> None:
    found = rows("phone,name\n13812345678,Li, Anna\n13912345678\n13712345678,\n", "{name}")
    assert [bool(row.problem) for row in found] == [True, True, True]
    assert "quote what holds" in str(found[0].problem)
    assert "has no name" in str(found[1].problem)


def test_a_row_without_a_number_is_handed_on_to_be_refused() -> None:
    assert rows("name,phone\nAnna,\n") == [Row(2, "")]


@pytest.mark.parametrize(
    ("text", "wanted", "said"),
    [
        ("name,city\nAnna,Beijing\n", "", "the headers are: name, city"),
        ("mobile,手机\n1,2\n", "", "mobile and 手机 could both be the numbers"),
        ("phone,name,name\n1,2,3\n", "{name}", "more than one column"),
        ("phone,name\n1,2\n", "{nmae}", "did you mean name?"),
        ("13812345678\n", "{name}", "no header"),
        ("", "", "empty"),
        ("\n\n", "", "empty"),
        ("phone\n\n", "", "no rows"),
        (b"PK\x03\x04rest", "", "damaged workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "", "an Excel workbook of the old kind"),
        (b"phone\n\xff\xff\xff\n", "", "neither UTF-8 nor GBK"),
    ],
)
def test_a_file_that_is_not_understood_is_refused(
    text: str | bytes, wanted: str, said: str
) -> None:
    assert said in refusal(text, wanted)


def test_a_refusal_repeats_no_recipients_data() -> None:
    said = refusal("13812345678,Anna\n13912345678,Li\n")
    assert "no header" in said
    assert "138" not in said
    assert "Anna" not in said


_CELLS = ["13812345678", "13912345678", "138 1234 5678", '"13712345678"', "", "bad", '"open', '"']


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(_CELLS)), st.sampled_from([1, 13, 30, 400]), st.sampled_from("\n\r")
)
def test_lines_that_are_read_together_are_the_rows_that_they_are_one_by_one(
    cells: list[str], together: int, end: str
) -> None:
    text = "".join(f"{cell}{end}\n" for cell in ["msisdn", "13612345678", *cells])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_list, "_CHARACTERS_READ_TOGETHER", together)
        found = rows(text)
        patch.setattr(Layout, "numbers_only", False)
        assert found == rows(text)


def test_a_large_file_takes_no_more_memory_than_a_small_one() -> None:
    raw = io.BytesIO(b"phone\n" + b"13812345678\n" * 1_000_000)
    tracemalloc.start()
    with reader.open_list(raw, "") as found:
        count = sum(sum(1 for _ in one_by_one(some)) for some in found.rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 1_000_000
    assert found.line_count >= count
    assert not raw.closed
    # Two blocks of 50,000 numbers and their texts, not the file, which would be 70 MB.
    assert peak < 25_000_000


_TABLE_LINES = [
    *("13800138000,a,b", "13900139000,a,b", " 13800138001 ,a,b", "138,a,b", "", "  ", ",,"),
    *(",a,b", '"13800138002","a",b', '13800138003,"a\nb",c', "02187654321,a,b"),
    *("１３８００１３８００４,a,b", "13800138005,a", "13800138006,a,b,c", "手机号,x,y"),
    *("合计,2,3", "12345678901,a,b", '138,"a,b'),
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(_TABLE_LINES), max_size=12), st.sampled_from([1, 2, 3, 20_000]))
def test_rows_are_the_same_whether_the_text_names_a_column_or_none(
    lines: list[str], block_size: int
) -> None:
    content = "\n".join(["手机号,x,y", "13700137000,a,b", *lines, ""])
    with mock.patch.object(row_reader, "BLOCK_SIZE", block_size):
        without = rows(content)
    with_column = rows(content, "{x}")
    assert [(row.line, row.number, row.lines) for row in without] == [
        (row.line, row.number, row.lines) for row in with_column
    ]
    assert [row.problem for row in without] == [row.problem for row in with_column]
    assert all(row.variables is None for row in without)
