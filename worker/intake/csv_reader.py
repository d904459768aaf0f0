"""Read recipients from a CSV file as spreadsheets write it: numbers, and values of variables.

The file is UTF-8, with a byte order mark or without, or GBK; its cells are separated by commas,
semicolons or tabs. It is read as a stream: a million rows take no more memory than one. Nothing is
skipped in silence: a row that cannot be understood is handed on with its problem.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from worker.config import problems
from worker.domain import msisdn, placeholders
from worker.domain.errors import Problem, Refused
from worker.domain.texts import unfilled
from worker.intake.recipient_rows import PlainRows, Row

if TYPE_CHECKING:
    from _csv import Reader

#: The headers by which the column of the numbers is recognised, in upper or lower case.
NUMBER_COLUMNS = frozenset(
    {"msisdn", "mobile", "phone", "手机号", "号码", "手机", "手机号码", "电话"}
)
#: The argument that problems of a file name.
_ARGUMENT = "recipients"
#: How much is read at once while lines are counted.
_BLOCK_BYTES = 1 << 20
#: How many characters are read at once where a line is a number: some 50,000 lines.
_CHARACTERS_READ_TOGETHER = 600_000
_WORKBOOK_STARTS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
#: A first line that tells a spreadsheet which character separates the cells.
_SEPARATOR_LINE = re.compile(r"sep=([,;\t])", re.IGNORECASE)
_FORMULA = re.compile(r'="(.*)"', re.DOTALL)
#: A number that a spreadsheet has shortened: 1.38E+10.
_EXPONENT = re.compile(r"\d(?:\.\d+)?[eE]\+?\d+")
_FRACTION = re.compile(r"(\d{11,13})\.0+")


@dataclass(frozen=True, slots=True)
class CsvRecipients:
    """The recipients of a file whose header was understood; rows are read while they are iterated.

    Where lines hold numbers alone, many of them come together.
    """

    rows: Iterator[Row | PlainRows]
    #: The columns by their headers; empty where the file has no header.
    columns: tuple[str, ...]
    encoding: str
    #: How many lines the file has; it has at most as many rows.
    line_count: int


@dataclass(frozen=True, slots=True)
class _Layout:
    """Which columns of a file hold the numbers and the variables."""

    width: int
    number_column: int
    #: The column of each variable that the text names.
    variable_columns: Mapping[str, int]

    @property
    def numbers_only(self) -> bool:
        """Whether a line holds a number and nothing else."""
        return self.width == 1 and not self.variable_columns


@contextmanager
def open_recipients(file: BinaryIO, text: str) -> Iterator[CsvRecipients]:
    """Open a file's recipients for a `with`, for a text with `{name}` in place of a column's value.

    `file` has to be seekable; the caller closes it. Raises `Refused` when it is no CSV text, when
    the column of the numbers is missing or ambiguous, and when the text names what is no column.
    """
    encoding, line_count = _detect_encoding(file)
    stream = io.TextIOWrapper(file, encoding, newline="")
    try:
        yield _parse_file(stream, text, line_count)
    finally:
        stream.detach()


def _parse_file(stream: io.TextIOWrapper, text: str, line_count: int) -> CsvRecipients:
    reader = csv.reader(stream, delimiter=_detect_delimiter(stream), strict=True)
    line, first_row = _first_row(reader)
    layout, has_header = _find_layout(first_row, text)
    rows: Iterator[Row | PlainRows] = (
        _read_lines(stream, reader, layout) if layout.numbers_only else _read_rows(reader, layout)
    )
    if not has_header:
        rows = chain([_read_row(line, first_row, layout)], rows)
    first_recipient = next(rows, None)
    if first_recipient is None:
        _refuse("the file has a header and no rows")
    columns = tuple(map(str.strip, first_row)) if has_header else ()
    return CsvRecipients(chain([first_recipient], rows), columns, stream.encoding, line_count)


def _refuse(reason: str) -> NoReturn:
    raise Refused([Problem(_ARGUMENT, reason)]) from None


# --- the encoding and the delimiter --------------------------------------------------------------


def _detect_encoding(file: BinaryIO) -> tuple[str, int]:
    """Return the encoding of a file and the number of its lines, by reading it once."""
    file.seek(0)
    head = file.read(4)
    if head.startswith(_WORKBOOK_STARTS):
        _refuse("the file is an Excel workbook; save it as CSV UTF-8 and give that")
    encodings = ["utf-16"] if head.startswith(_UTF16_MARKS) else ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        line_count = _count_lines(file, encoding)
        if line_count is not None:
            file.seek(0)
            return encoding, line_count
    _refuse("the file is neither UTF-8 nor GBK text; save it as CSV UTF-8")


def _count_lines(file: BinaryIO, encoding: str) -> int | None:
    """Return the number of lines of a file in an encoding; None when it is in another one."""
    decoder = codecs.getincrementaldecoder(encoding)()
    line_ends = 0
    file.seek(0)
    try:
        while block := file.read(_BLOCK_BYTES):
            line_ends += decoder.decode(block).count("\n")
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return None
    return line_ends + 1


def _detect_delimiter(stream: io.TextIOWrapper) -> str:
    """Return the character that separates the cells of the first line that is not blank."""
    line = next(filter(str.strip, stream), "")
    stream.seek(0)
    if separator_line := _SEPARATOR_LINE.fullmatch(line.strip()):
        return separator_line[1]
    unquoted = re.sub(r'"[^"]*"', "", line)
    return max(",;\t", key=unquoted.count)


# --- the header ----------------------------------------------------------------------------------


def _first_row(reader: "Reader") -> tuple[int, list[str]]:
    """Return the line and the cells of the first row with any, without empty cells at its end."""
    try:
        for cells in reader:
            while cells and not cells[-1].strip():
                cells.pop()
            if cells and not _SEPARATOR_LINE.fullmatch(reader.dialect.delimiter.join([*cells, ""])):
                return reader.line_num, cells
    except csv.Error as error:
        _refuse(f"line {reader.line_num} is no CSV: {error}")
    _refuse("the file is empty")


def _find_layout(first_row: Sequence[str], text: str) -> tuple[_Layout, bool]:
    """Return the layout that the first row says, and whether that row is a header."""
    columns = [cell.strip() for cell in first_row]
    placeholder_names = placeholders.names(text)
    number_columns = [
        index for index, column in enumerate(columns) if column.casefold() in NUMBER_COLUMNS
    ]
    if len(number_columns) > 1:
        candidates = " and ".join(columns[index] for index in number_columns)
        _refuse(f"{candidates} could both be the numbers; rename or remove one of these columns")
    has_header = bool(number_columns) or not any(map(_looks_like_number, columns))
    if not number_columns and len(columns) > 1:
        _refuse(_no_number_column(columns, has_header=has_header))
    unfilled_problems = unfilled.problems(text, columns if has_header else ())
    if unfilled_problems:
        raise Refused(unfilled_problems)
    if placeholder_names and not has_header:
        placeholder_list = ", ".join(f"{{{name}}}" for name in sorted(placeholder_names))
        _refuse(f"the text names {placeholder_list} and the file has no header; write one above")
    variable_columns = {name: _find_column(columns, name) for name in sorted(placeholder_names)}
    return _Layout(
        len(columns), number_columns[0] if number_columns else 0, variable_columns
    ), has_header


def _no_number_column(columns: Sequence[str], *, has_header: bool) -> str:
    """Return that no column holds the numbers, without repeating what may be a recipient's data."""
    advice = "call the column of the numbers msisdn"
    if not has_header:
        return f"the first line is no header; write one above it and {advice}"
    return f"no column holds the numbers; {advice} (the headers are: {', '.join(columns)})"


def _find_column(columns: Sequence[str], name: str) -> int:
    if columns.count(name) == 1:
        return columns.index(name)
    if name in columns:
        _refuse(f"the text names {{{name}}} and more than one column is called that")
    suggestion = problems.suggestion(name, columns)
    _refuse(f"the text names {{{name}}} and no column is called that{suggestion}")


def _looks_like_number(cell: str) -> bool:
    """Tell whether a cell is meant as a number, even if it is a bad one."""
    return bool(_EXPONENT.fullmatch(cell)) or sum(map(str.isdigit, cell)) >= 5


# --- the rows ------------------------------------------------------------------------------------


def _read_lines(
    stream: io.TextIOWrapper, reader: "Reader", layout: _Layout
) -> Iterator[Row | PlainRows]:
    """Yield the rows of a file with one column, many together where its lines are plain numbers."""
    line = reader.line_num + 1
    while text := stream.read(_CHARACTERS_READ_TOGETHER):
        text += stream.readline()
        if (numbers := msisdn.mobiles_in_lines(text)) is not None:
            yield PlainRows(line, numbers)
            line += len(numbers)
            continue
        # A quoted cell may go on behind this text: then the whole rest is read as any CSV.
        has_quotes = '"' in text
        lines = io.StringIO(text, newline="")
        text_reader = csv.reader(chain(lines, stream) if has_quotes else lines, reader.dialect)
        yield from _read_rows(text_reader, layout, line)
        line += text_reader.line_num


def _read_rows(reader: "Reader", layout: _Layout, first_line: int = 0) -> Iterator[Row]:
    """Yield the rows with any content, each with the line that it begins at.

    `first_line` is the number of the reader's first line, where that is not the file's first.
    """
    number_column, width, no_variables = (
        layout.number_column,
        layout.width,
        not layout.variable_columns,
    )
    lines_before = first_line - 1 if first_line else 0
    while True:
        line = lines_before + reader.line_num + 1
        try:
            for cells in reader:
                # Most rows hold a number without anything that a spreadsheet puts around it.
                if no_variables and len(cells) == width and cells[number_column].isdigit():
                    yield Row(line, cells[number_column])
                elif any(map(str.strip, cells)):
                    yield _read_row(line, cells, layout)
                line = lines_before + reader.line_num + 1
        except csv.Error:
            last_line = lines_before + reader.line_num
            reason = f"its quotes are not closed, or not doubled, up to line {last_line}"
            yield Row(line, "", problem=reason)
            continue
        return


def _read_row(line: int, cells: list[str], layout: _Layout) -> Row:
    """Return the recipient in a row, with its problem where there is one."""
    if any(map(str.strip, cells[layout.width :])):
        reason = (
            f"has {len(cells)} cells and the first line {layout.width}; quote what holds commas"
        )
        return Row(line, "", problem=reason)
    number = _read_cell(cells, layout.number_column).removeprefix("'")
    if _EXPONENT.fullmatch(number):
        reason = "a spreadsheet has shortened the number; format its column as text, export again"
        return Row(line, "", problem=reason)
    variables = {
        name: _read_cell(cells, column) for name, column in layout.variable_columns.items()
    }
    empty_name = next((name for name, value in variables.items() if not value), None)
    if empty_name is not None:
        return Row(line, "", problem=f"has no {empty_name}, which the text names")
    fraction = _FRACTION.fullmatch(number)
    return Row(line, fraction[1] if fraction else number, variables or None)


def _read_cell(cells: Sequence[str], column: int) -> str:
    """Return a cell without what spreadsheets put around it; "" where the row is too short."""
    cell = cells[column].strip() if column < len(cells) else ""
    formula = _FORMULA.fullmatch(cell)
    return formula[1].strip() if formula else cell
