"""Excel workbooks are read as CSV is: exactly, row by row, and in bounded memory."""

import io
import tracemalloc
import zipfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.lists import read, refusal, rows, sheet, workbook
from worker.domain.errors import Refused
from worker.intake.lists import cell_formats, reader, xml_stream

HEADER = ["手机号", "姓名"]


def value_of(written: object, format_code: str = "General") -> str:
    """Return what a cell is read as, by the format that it has."""
    table = [HEADER, ["13800138000", written]]
    (row,) = rows(workbook(sheet(table, {1: 1}), formats=[format_code]), "{姓名}")
    assert row.variables is not None
    return row.variables["姓名"]


def test_numbers_and_names_are_read_whatever_kind_of_cell_they_are_in() -> None:
    table = [HEADER, ["13800138000", "小明"], [13800138001, "小红"], [1.3800138002e10, "A&B"]]
    found, facts = read(workbook(sheet(table)), "{姓名}")
    assert [(row.line, row.number, row.variables) for row in found] == [
        (2, "13800138000", {"姓名": "小明"}),
        (3, "13800138001", {"姓名": "小红"}),
        (4, "13800138002", {"姓名": "A&B"}),
    ]
    assert (facts.kind, facts.sheet, facts.header_line) == ("xlsx", "Sheet1", 1)


@pytest.mark.parametrize("written", ["1.3800138E10", "1.3800138000E+10", "13800138000.0"])
def test_a_number_that_is_stored_as_a_float_is_exact(written: str) -> None:
    table = [["phone"], [f"<v>{written}</v>"]]
    assert rows(workbook(sheet(table)))[0].number == "13800138000"


@pytest.mark.parametrize(
    ("written", "code", "shown"),
    [
        (46353, "yyyy-mm-dd", "2026-11-27"),
        (46353.5, 'yyyy"年"m"月"d"日" hh:mm', "2026-11-27 12:00"),
        (0.75, "h:mm AM/PM", "18:00"),
        (1, "yyyy/m/d", "1900-01-01"),
        (12.5, "0.00", "12.50"),
        (1234.5, "#,##0.00", "1,234.50"),
        (0.85, "0%", "85%"),
        (7, "00000", "00007"),
        (-0.5, "0.0", "-0.5"),
        (0.1 + 0.2, "General", "0.3"),
        (1e21, "General", "1000000000000000000000"),
        (True, "General", "TRUE"),
        ("<f>1+1</f><v>2</v>", "General", "2"),
    ],
)
def test_a_cell_is_read_as_a_spreadsheet_writes_it_into_csv(
    written: Any, code: str, shown: str
) -> None:
    assert value_of(written, code) == shown


@settings(deadline=None)
@given(st.integers(0, 10**11) | st.decimals(0, 10**6, places=2))
def test_a_number_is_written_with_all_of_its_digits(number: Any) -> None:
    written = cell_formats.plain(repr(float(number)))
    assert float(written) == float(number)
    assert "e" not in written.lower()


def test_shared_strings_are_found_without_readings_and_with_their_runs() -> None:
    strings = [
        "<si><t>手机号</t></si>",
        "<si><t>姓名</t></si>",
        "<si><r><t>小</t></r><r><t>明</t></r><rPh><t>xiao</t></rPh></si>",
        *(f"<si><t>{'字' * 500}{n}</t></si>" for n in range(400)),
    ]
    lines = "".join(
        f'<row r="{n}"><c r="A{n}"><v>{13800138000 + n}</v></c>'
        f'<c r="B{n}" t="s"><v>{n}</v></c></row>'
        for n in range(2, 403)
    )
    head = '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>'
    part = f"<worksheet><sheetData>{head}{lines}</sheetData></worksheet>"
    found = rows(workbook(part, strings=strings), "{姓名}")
    names = [(row.variables or {})["姓名"] for row in found]
    assert names[0] == "小明"
    assert names[1:] == [f"{'字' * 500}{n}" for n in range(400)]


def test_rows_that_a_sheet_leaves_out_count_as_lines() -> None:
    part = (
        '<worksheet><sheetData><row r="3"><c r="B3" t="inlineStr"><is><t>phone</t></is></c></row>'
        '<row r="9"><c r="B9"><v>13800138000</v></c></row><row r="12"><c r="B12"><v>1</v></c></row>'
        "</sheetData></worksheet>"
    )
    found, facts = read(workbook(part), column="2")
    assert [(row.line, row.number) for row in found] == [(9, "13800138000"), (12, "1")]
    assert facts.header_line == 3


def test_the_first_visible_sheet_with_rows_is_read_and_others_are_named() -> None:
    empty, first, second = sheet([]), sheet([["phone"], [13800138000]]), sheet([["notes"]])
    found, facts = read(workbook(empty, first, second))
    assert [row.number for row in found] == ["13800138000"]
    assert (facts.sheet, list(facts.other_sheets)) == ("Sheet2", ["Sheet3"])


def test_an_error_in_a_cell_is_its_text() -> None:
    part = sheet([HEADER, [13800138000, "x"]]).replace(
        '<c r="B2" t="inlineStr"><is><t>x</t></is></c>', '<c r="B2" t="e"><v>#N/A</v></c>'
    )
    assert rows(workbook(part), "{姓名}")[0].variables == {"姓名": "#N/A"}


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    blanks = b" " * (64 << 20)
    bomb = b"<worksheet><sheetData>" + blanks + b"</sheetData></worksheet>"
    raw = workbook(sheet([["phone"]]), **{"xl/worksheets/sheet1.xml": bomb})
    assert len(raw) < 200_000
    tracemalloc.start()
    assert "unpacks to more" in refusal(raw)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("<!DOCTYPE x [<!ENTITY a 'aaaa'>]><worksheet>&a;</worksheet>", "DTD"),
        ("<worksheet>" * 200 + "</worksheet>" * 200, "damaged"),
        ("<worksheet><sheetData><row", "damaged"),
        (f"<worksheet a='{'x' * (9 << 20)}'/>", "damaged"),
        ("<worksheet><row r='2'/><row r='1'/></worksheet>", "not in order"),
        ("<worksheet><row><c r='ZZZ1'><v>1</v></c></row></worksheet>", "not in order"),
        ("<worksheet><row><c t='s'><v>7</v></c></row></worksheet>", "has no text"),
        (f"<worksheet><row><c><v>{'1' * 700_000}</v></c></row></worksheet>", "longer than"),
        ("<worksheet/>", "empty"),
    ],
)
def test_a_part_that_no_spreadsheet_writes_is_refused(part: str, said: str) -> None:
    assert said in refusal(workbook(part))


def test_what_breaks_off_in_the_middle_is_a_bad_row() -> None:
    lines = "".join(f"<row><c><v>{13800000000 + n}</v></c></row>" for n in range(60_000))
    found = rows(workbook(f"<worksheet><sheetData>{lines}<row><c></row>"))
    assert found[0].number == "13800000000"
    assert "cannot be read" in str(found[-1].problem)
    assert len([row for row in found if row.problem]) == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mimetype", "OpenDocument"),
        ("xl/workbook.bin", "xlsb"),
        ("word/document.xml", "Word"),
        ("notes.txt", "no workbook"),
    ],
)
def test_another_archive_is_named(name: str, said: str) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, "x")
    assert said in refusal(file.getvalue())


@settings(deadline=None)
@given(st.data())
def test_a_damaged_workbook_is_refused_or_read_and_nothing_else(data: st.DataObject) -> None:
    raw = bytearray(workbook(sheet([HEADER, [13800138000, "小明"]]), strings=["<si><t>x</t></si>"]))
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(4, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.integers(4, len(raw)))]
    try:
        rows(bytes(raw), "{姓名}")
    except Refused as refused:
        assert refused.problems  # noqa: PT017 - being read is as good


def test_a_directory_that_claims_to_be_huge_is_not_read() -> None:
    raw = bytearray(workbook(sheet([["phone"], [13800138000]])))
    end = raw.rfind(b"PK\x05\x06")
    raw[end + 12 : end + 16] = (1 << 31).to_bytes(4, "little")
    assert "workbook" in refusal(bytes(raw))


def test_a_large_workbook_takes_no_more_memory_than_a_small_one() -> None:
    count = 60_000
    strings = [f"<si><t>客户{n}</t></si>" for n in range(count)]
    lines = "".join(
        f'<row><c><v>{13800000000 + n}</v></c><c t="s"><v>{n}</v></c></row>' for n in range(count)
    )
    head = "".join(f"<c t='inlineStr'><is><t>{name}</t></is></c>" for name in HEADER)
    raw = workbook(f"<worksheet><row>{head}</row>{lines}</worksheet>", strings=strings)
    del strings, lines
    tracemalloc.start()
    with reader.open_list(io.BytesIO(raw), "{姓名}") as found:
        total = sum(1 for _ in found.rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == count
    assert found.line_count >= count
    assert peak < 12_000_000


def test_the_bounds_are_those_of_spreadsheets() -> None:
    assert xml_stream.MAX_DEPTH < 1000
