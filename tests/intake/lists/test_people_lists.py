"""Lists as people, phones, offices and scripts make them: read as they are meant, or refused."""

import csv
import io
from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from tests.support.lists import read, refusal, rows
from worker.domain import msisdn
from worker.domain.errors import Refused
from worker.intake.lists import csv_list, text_encoding
from worker.intake.value_rules import OddValue

NAMES = ["小明", "小红", "欧阳小刚", "小明明", "小丽", "张伟", "王芳"]
NUMBERS = [f"1380013800{nth}" for nth in range(len(NAMES))]


def people(header: str = "msisdn,name", end: str = "\r\n") -> str:
    """Return a list of seven people."""
    lines = [f"{number},{name}" for number, name in zip(NUMBERS, NAMES, strict=True)]
    return end.join([header, *lines, ""])


def numbers_of(text: str, **options: Any) -> list[str]:
    """Return the numbers of a file as they are stored."""
    return [msisdn.normalise(row.number) for row in rows(text, **options)]


# --- the encoding --------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.data())
def test_damaged_utf_8_is_never_read_as_another_text(data: st.DataObject) -> None:
    raw = bytearray(people().encode())
    places = [index for index, byte in enumerate(raw) if byte >= 0x80]
    place = data.draw(st.sampled_from(places))
    if data.draw(st.booleans()):
        del raw[place]
    else:
        raw[place] = data.draw(st.integers(0, 255).filter(lambda byte: byte != raw[place]))
    try:
        found = rows(bytes(raw), "{name}")
    except Refused as refused:
        line = bytes(raw[:place]).count(b"\n") + 1
        # A byte that became the end of a line moves what is behind it to the next line.
        assert any(f"line {n} " in str(refused) for n in (line, line + 1))  # noqa: PT017
    else:
        bytes(raw).decode("utf-8")
        assert len(found) >= len(NAMES) - 1


@pytest.mark.parametrize("first", ["utf-8", "gbk"])
def test_two_encodings_that_were_joined_are_refused(first: str) -> None:
    second = "gbk" if first == "utf-8" else "utf-8"
    head = "msisdn,name\n13800138000,小明\n".encode(first)
    assert "two files were joined" in refusal(head + "13800138001,小红\n".encode(second), "{name}")


@pytest.mark.parametrize("encoding", ["utf-8", "gbk", "gb18030", "utf-16-le", "utf-16-be"])
def test_a_file_that_is_cut_within_a_character_is_refused(encoding: str) -> None:
    raw = f"{people().rstrip()}丽".encode(encoding)
    assert "cut off" in refusal(raw[:-1], "{name}")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16", "utf-32"])
def test_which_encoding_was_read_is_said(encoding: str) -> None:
    found, facts = read(people().encode(encoding), "{name}")
    assert [(row.variables or {})["name"] for row in found] == NAMES
    assert facts.encoding == {"utf-8-sig": "utf-8", "gbk": "gb18030"}.get(encoding, encoding)
    assert f"read as {facts.encoding}, separated by commas" in str(facts)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_needs_no_mark(encoding: str) -> None:
    found, facts = read(people().encode(encoding), "{name}")
    assert [(row.variables or {})["name"] for row in found] == NAMES
    assert facts.encoding == encoding


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_utf_8_that_was_read_as_gbk_and_saved_is_refused_with_its_line(encoding: str) -> None:
    damaged = people().encode().decode("gbk", "replace").encode(encoding)
    assert "line 2 and others was damaged before" in refusal(damaged, "{name}")
    rare = people().replace("小明", "灏忔槑").encode(encoding)
    assert len(rows(rare, "{name}")) == len(NAMES)


def test_the_mark_at_the_end_of_old_files_is_no_row() -> None:
    assert numbers_of(people() + "\x1a") == numbers_of(people())


def test_a_header_far_below_blank_lines_is_found() -> None:
    assert numbers_of("\n" * 80 + people()) == numbers_of(people())


def test_big5_is_refused_until_it_is_named() -> None:
    raw = "手機號碼,姓名\n13800138000,陳大文\n13800138001,林志明\n".encode("big5")
    assert "encoding" in refusal(raw, "{姓名}")
    (first, second) = rows(raw, "{姓名}", encoding="big5")
    assert (first.variables, second.variables) == ({"姓名": "陳大文"}, {"姓名": "林志明"})


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("手機號碼,name\n13800138000,陳\n", "big5"),
        ("msisdn,name\n13800138000,黃\n13800138001,許美\n", "big5"),
        ("msisdn,name\n13800138000,Muñoz\n", "cp1252"),
        ("msisdn,name\n13800138000,佐藤さくら\n", "shift_jis"),
        ("msisdn,name\n13800138000,小\n", "gbk"),
        ("msisdn,name\n13800138000,José\n", "utf-8"),
    ],
)
def test_bytes_that_may_be_two_texts_are_refused(text: str, encoding: str) -> None:
    assert "encoding" in refusal(text.encode(encoding), "{name}")


def test_private_use_that_gb18030_makes_is_refused_with_its_line_or_is_a_character_today() -> None:
    raw = "手机号,姓名\n13800138000,".encode("gbk")
    assert "line 2 holds U+E000" in refusal(raw + b"\xaa\xa1\n", "{姓名}")
    (row,) = rows(raw + b"\xfe\x59\xa8\xbc\n", "{姓名}")
    assert row.variables == {"姓名": "龴ḿ"}


# --- quotes and the ends of lines ----------------------------------------------------------------


def test_a_stray_quote_is_a_bad_row_that_names_its_lines_and_counts_them() -> None:
    text = people().replace("小红", '"小红').replace("小丽", '小丽"')
    found = rows(text, "{name}")
    (bad,) = [row for row in found if row.problem]
    assert (bad.line, bad.lines) == (3, 4)
    assert "up to line 6" in str(bad.problem)
    assert [row.number for row in found if not row.problem] == [NUMBERS[0], *NUMBERS[5:]]


def test_a_line_end_in_a_value_may_be_allowed_and_hides_no_recipient_even_then() -> None:
    text = 'msisdn,name\n13800138000,"Anna\nLi"\n13800138001,"Bob\n13800138002,Cid"\n'
    assert [bool(row.problem) for row in rows(text, "{name}")] == [True, True]
    first, second = rows(text, "{name}", allowed={OddValue.LINE_BREAK})
    assert first.variables == {"name": "Anna\nLi"}
    assert second.problem


@pytest.mark.parametrize("name", ['27" 显示器', '显示器 27"', '5" x 3"'])
def test_an_inch_mark_is_no_quote(name: str) -> None:
    found = rows(f"msisdn,name\n13800138000,x {name}\n13800138001,小红\n", "{name}")
    assert [row.problem for row in found] == [None, None]
    assert found[0].variables == {"name": f"x {name}"}


def test_quotes_that_nothing_closes_take_no_memory_and_count_to_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(csv_list, "_CHARACTERS_OF_LINES", 100)
    monkeypatch.setattr(csv_list, "_MAX_ROW_CHARACTERS", 1000)
    lines = "".join(f'"x\n{nth}",' for nth in range(2000))
    found = rows(f"msisdn,name\n13800138000,小明\n13800138001,{lines}\n", "{name}")
    assert [bool(row.problem) for row in found] == [False, True]
    assert sum(row.lines for row in found) == 2002


def test_a_line_or_a_header_without_end_is_refused() -> None:
    assert "longer than" in refusal("x" * (text_encoding.MAX_LINE_CHARACTERS + 1))
    assert "columns" in refusal("msisdn," + "a," * 20_000 + "b\n13800138000\n")
    many = ",".join(f"column{nth}" for nth in range(9000))
    assert len(refusal(f"{many}\n13800138000\n")) < 1000
    assert len(refusal(f"msisdn,{many}\n13800138000\n", "{nmae}")) < 1000


# --- what stands around ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [
        "138·0013·8000", "138.0013.8000", "138‐0013—8000", "138−0013－8000", "（138）0013 8000",
        "[138]0013〔8000〕", "tel:+86-138-0013-8000", "Tel. 138 0013 8000", "手机：13800138000",
        "`13800138000", "'13800138000", "“13800138000”", "<13800138000>", '="13800138000"',
        "\u202a13800138000\u202c", "138\u00ad0013\u20608000", "\ufeff138\u30000013\u20098000",
        "138\U000e00200013\ufe0f8000", "１３８００１３８０００", "𝟏𝟑𝟖𝟎𝟎𝟏𝟑𝟖𝟎𝟎𝟎",
        "(+86)138 0013 8000", "＋８６－13800138000", "13800138000.0", "138_0013_8000",
        "138・0013・8000", "138•0013•8000", "☎13800138000", "☎️ 138 0013 8000", "📱+86 13800138000",
    ],
)  # fmt: skip
def test_what_phones_and_keyboards_put_around_a_number_goes(written: str) -> None:
    assert msisdn.normalise(written) == "13800138000"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("13800138000转123", "extension"),
        ("13800138000 ext. 12", "extension"),
        ("13800138000,,12", "extension"),
        ("021-54188741-801", "extension"),
        ("0755-1234567-1", "extension"),
        ("021-54188741 分机 8", "extension"),
        ("14512345678-12", "extension"),
        ("13800138000/13900139000", r"U\+002F"),
        ("13800138000÷", r"U\+00F7"),
        ("138****8000", r"U\+002A"),
        ("1380013800O", r"U\+004F"),
        ("+86 1380013800", "10 digits"),
        ("0086-138001380000", "12 digits"),
        ("+86 95588", "neither"),
        ("+852 9123 4567", "abroad"),
    ],
)
def test_what_is_left_is_named_and_extensions_are_refused(written: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        msisdn.normalise(written)


@pytest.mark.parametrize(
    "header",
    [
        "tel", "cell", "mobile_phone", "Mobile Phone", "phone_number", "phoneNumber", "TELEPHONE",
        "cell-no.", "联系电话", "电话号码", "移动电话", "手机 号", "手机号码", "*手机号（必填）",
        "【手机号】", "手机号：", "ｍｏｂｉｌｅ", "手機號碼", "聯絡電話", "手机号/Mobile",
        "收货人电话", "\ufeff手机号", "客户手机号", "联系方式", "手机号 (11位)", "Contact Phone",
        "联系电话1", "手机2", "phone1", "Contact Number", "to",
    ],
)  # fmt: skip
def test_headers_are_known_as_people_write_them(header: str) -> None:
    assert numbers_of(f"name,{header}\nAnna,13800138000\n") == ["13800138000"]


@pytest.mark.parametrize(
    "header", ["身份证号", "订单号", "会员号码", "座机", "卡号", "手机型号", "name"]
)
def test_other_headers_are_no_numbers(header: str) -> None:
    assert "no column holds the numbers" in refusal(f"{header},x\n13800138000,13800138001\n")


def test_our_own_exports_are_lists() -> None:
    assert numbers_of("number,state,code\n13800138000,delivered,100\n") == ["13800138000"]


def test_a_variable_is_found_by_its_header_without_marks_and_notes() -> None:
    (row,) = rows("手机号,*姓 名（必填）\n13800138000,小明\n", "{姓名}")
    assert row.variables == {"姓名": "小明"}


@pytest.mark.parametrize("tail", ["", "\t"])
def test_tabs_within_cells_are_no_delimiter(tail: str) -> None:
    text = f"订单号\t,手机号\t,name{tail}\n202611220001\t,13800138000\t,小明{tail}\n"
    (row,) = rows(text, "{name}")
    assert (row.number, row.variables) == ("13800138000", {"name": "小明"})


def test_marks_before_each_cell_go_from_values_too() -> None:
    (row,) = rows("姓名,手机号\n`小明,`13800138000\n", "{姓名}")
    assert row.variables == {"姓名": "小明"}
    (row,) = rows("姓名,手机号\n`小明,13800138000\n", "{姓名}")
    assert row.variables == {"姓名": "`小明"}


def test_titles_sums_and_headers_in_the_middle_are_said() -> None:
    text = (
        "2026年11月会员名单\n\n手机号,姓名,金额\n13800138000,小明,12.5\n合计,,12.5\n"
        "手机号,姓名,金额\n13800138001,小红,0.5\n总笔数,总金额\n2,13\n#导出时间：2026-11-27\n"
    )
    found, facts = read(text.encode(), "{姓名}")
    assert [(row.line, row.number, row.problem) for row in found] == [
        (4, "13800138000", None),
        (7, "13800138001", None),
    ]
    assert [str(lines) for lines in facts.skipped] == [
        "line 1: above the header",
        "line 5: a sum or a note",
        "line 6: the header again",
        "lines 8 to 10: a sum or a note",
    ]
    assert facts.skipped_lines == 6


@pytest.mark.parametrize("text", ["13800138000 小明\n", "13800138000 小明\n13800138001 小红\n"])
def test_a_row_with_a_number_is_no_header_whatever_else_is_in_its_cell(text: str) -> None:
    assert [row.line for row in rows(text)] == list(range(1, text.count("\n") + 1))
    assert "138" not in refusal(text.replace("\n", ",x\n"))


@pytest.mark.parametrize("cell", ['"Li"', ' "Li"', '"Li", ', " Li "])
def test_a_blank_before_a_quote_leaves_no_quote_in_a_value(cell: str) -> None:
    (row,) = rows(f"phone, name\n13800138000,{cell}\n", "{name}")
    assert row.variables == {"name": "Li"}
    (row,) = rows('phone, name\n13800138000, "Li, Anna"\n', "{name}")
    assert row.variables == {"name": "Li, Anna"}


def test_a_bad_row_far_below_a_sum_is_a_bad_row() -> None:
    text = "手机号,姓名\n13800138000,小明\n小计,1\n13800138001,小红\n138,小丽\nx,小芳\n"
    assert [(row.line, row.number) for row in rows(text)][2:] == [(5, "138"), (6, "x")]


def test_another_header_in_the_middle_begins_another_table() -> None:
    head = "手机号,姓名\n13800138000,小明\n"
    found, facts = read(f"{head}姓名,手机号\n小红,13800138001\n".encode(), "{姓名}")
    assert [row.variables for row in found] == [{"姓名": "小明"}, {"姓名": "小红"}]
    assert "another header: 姓名, 手机号" in str(facts.skipped[0])
    found = rows(f"{head}手机号,城市\n13800138001,北京\n", "{姓名}")
    assert [bool(row.problem) for row in found] == [False, True, True]


def test_headers_in_two_languages_are_one_head() -> None:
    for text in ("手机号,姓名\nphone,name\n", "phone,name\n手机号,姓名\n"):
        for name in ("姓名", "name"):
            (row,) = rows(f"{text}13800138000,小明\n", f"{{{name}}}")
            assert (row.line, row.variables) == (3, {name: "小明"})


@pytest.mark.parametrize(
    ("text", "options", "numbers"),
    [
        ("mobile,phone\n1,13800138000\n", {"column": "phone"}, ["13800138000"]),
        ("mobile,phone\n1,13800138000\n", {"column": "2"}, ["13800138000"]),
        ("who,where\n13800138000,x\n", {"column": "Who"}, ["13800138000"]),
        ("13800138000,x\n13800138001,y\n", {"column": "1"}, ["13800138000", "13800138001"]),
        ("phone~x\n13800138000~1\n", {"delimiter": "~"}, ["13800138000"]),
        ("phone|x\n13800138000|1\n", {"delimiter": "pipe"}, ["13800138000"]),
        ("客服电话,13900139000\nphone,x\n13800138000,1\n", {"header_row": 2}, ["13800138000"]),
        ("13800138000\n13800138001\n", {"header_row": 0}, ["13800138000", "13800138001"]),
    ],
)
def test_what_a_file_does_not_tell_can_be_said(
    text: str, options: dict[str, Any], numbers: list[str]
) -> None:
    assert numbers_of(text, **options) == numbers


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"delimiter": "ab"}, "delimiter"),
        ({"delimiter": '"'}, "delimiter"),
        ({"header_row": -1}, "header_row"),
        ({"column": " "}, "column"),
        ({"encoding": "klingon"}, "encoding"),
        ({"column": "nothing"}, "no column is called nothing"),
        ({"column": "9"}, "there is no column 9"),
        ({"header_row": 9}, "line 9"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], where: str) -> None:
    assert where in refusal("phone,x\n13800138000,1\n", **options)


def test_two_columns_of_numbers_are_asked_about() -> None:
    assert "say which" in refusal("手机号,联系电话\n13800138000,13800138001\n")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"<html><table>", "HTML"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><Workbook>", "XML"),
        (b"%PDF-1.7", "PDF"),
        (b'[{"msisdn": "1"}]', "JSON"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"BEGIN:VCARD\r\n", "vCard"),
    ],
)
def test_other_files_are_named(raw: bytes, said: str) -> None:
    assert said in refusal(raw)


# --- any spreadsheet, any encoding ---------------------------------------------------------------

_DIALECTS = [
    {"delimiter": delimiter, "quoting": quoting, "lineterminator": end}
    for delimiter, quoting, end in [
        (",", csv.QUOTE_MINIMAL, "\r\n"),
        (",", csv.QUOTE_ALL, "\n"),
        (",", csv.QUOTE_NONNUMERIC, "\r"),
        (";", csv.QUOTE_MINIMAL, "\r\n"),
        (";", csv.QUOTE_ALL, "\n"),
        ("\t", csv.QUOTE_MINIMAL, "\r\n"),
        ("\t", csv.QUOTE_ALL, "\n"),
        ("|", csv.QUOTE_MINIMAL, "\n"),
        ("|", csv.QUOTE_ALL, "\r\n"),
        ("，", csv.QUOTE_MINIMAL, "\n"),
    ]
]
_VALUES = st.text(st.sampled_from("小明红刚张伟 a,;|\t\"'`，=.5·é\n陳\u3000（"), max_size=8)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(NUMBERS), _VALUES, _VALUES), min_size=1, max_size=8),
    st.sampled_from(_DIALECTS),
    st.sampled_from(["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"]),
    st.permutations(["手机号", "姓名", "城市"]),
)
def test_a_spreadsheet_in_any_dialect_and_encoding_is_read_as_it_was_meant_or_refused(
    table: list[tuple[str, str, str]], dialect: dict[str, Any], encoding: str, header: list[str]
) -> None:
    file = io.StringIO(newline="")
    writer = csv.writer(file, **dialect)
    writer.writerow(header)
    for number, name, city in table:
        cells = {"手机号": number, "姓名": name, "城市": city}
        writer.writerow([cells[column] for column in header])
    try:
        raw = file.getvalue().encode(encoding)
    except UnicodeEncodeError:
        reject()
    try:
        found, facts = read(raw, "{姓名}")
    except Refused:
        return
    good = [row for row in found if row.problem is None]
    meant = [(number, name.strip()) for number, name, _ in table]
    read_back = [(row.number, (row.variables or {})["姓名"]) for row in good]
    for number, name in read_back:
        assert any(
            number == meant_number and name in {meant_name, unwrapped(meant_name)}
            for meant_number, meant_name in meant
        )
    lines = sum(row.lines for row in found) + facts.skipped_lines
    assert lines >= len(table)
    plain = all(
        name.strip() and "\n" not in name + city and "=" not in name for _, name, city in table
    )
    assert len(good) == len(table) or not plain


def unwrapped(name: str) -> str:
    """Return a value without the formula that a spreadsheet writes around it."""
    return name[2:-1].strip() if name.startswith('="') and name.endswith('"') else name


@pytest.mark.parametrize("dialect", _DIALECTS, ids=str)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
def test_usual_lists_are_read_in_every_dialect(dialect: dict[str, Any], encoding: str) -> None:
    file = io.StringIO(newline="")
    table = [[name, number, "a;b,c"] for number, name in zip(NUMBERS, NAMES, strict=True)]
    csv.writer(file, **dialect).writerows([["姓名", "手机号", "城市"], *table])
    found = rows(file.getvalue(), "{姓名}", encoding)
    assert [(row.variables or {})["姓名"] for row in found] == NAMES


def test_quotes_may_be_apostrophes() -> None:
    (row,) = rows("'phone','name'\n'13800138000','Li, Anna'\n", "{name}")
    assert (row.number, row.variables) == ("13800138000", {"name": "Li, Anna"})


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        rows(raw)
    except Refused as refused:
        assert refused.problems  # noqa: PT017 - being read is as good
