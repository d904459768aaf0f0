"""Find the header among the first rows of a file, and what stands above it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import takewhile

from worker.domain import number_names
from worker.intake.lists.cells import MIN_DIGITS, Record, holds_number, names_number
from worker.intake.lists.facts import shown
from worker.intake.lists.layout import Layout, find_layout, refuse
from worker.intake.lists.options import ListOptions


@dataclass(frozen=True, slots=True)
class Head:
    """What stands above the recipients of a file."""

    layout: Layout
    header: Record | None
    #: Rows above the recipients that are neither blank nor the header.
    others: Sequence[Record]
    #: Whether a column's name told the header.
    recognised: bool

    @property
    def last_line(self) -> int:
        """The last line that is no recipient; 0 where the first one is."""
        above = [*self.others, *([self.header] if self.header else [])]
        return max((record.last_line for record in above), default=0)

    @property
    def columns(self) -> Sequence[str]:
        """The headers; empty where there are none."""
        return self.header.cells if self.header else ()


def find_head(records: Sequence[Record], names: Collection[str], options: ListOptions) -> Head:
    """Return what stands above the recipients, for a text's variables.

    Raises `Refused` when the header, or a column, cannot be told for certain.
    """
    filled = [record for record in records if record.cells]
    if not filled:
        refuse("the file is empty")
    if options.header_row is not None:
        return _given_head(filled, names, options)
    above = _above_numbers(filled)
    headers = _recognised_headers(above, options)
    if headers:
        header = _best(headers, names)
        end = above.index(headers[-1])
        others = [record for record in above[: end + 1] if record is not header]
        return Head(find_layout(header.cells, names, options), header, others, recognised=True)
    # A row with that many digits is a recipient's, whatever else is in the cell: no header.
    above = list(takewhile(_has_few_digits, above))
    width = max(len(record.cells) for record in filled)
    if width > 1 and options.position is None:
        _refuse_unknown(above, names, options)
    if above:
        header = _widest(above)
        others = above[: above.index(header)]
        return Head(find_layout(header.cells, names, options), header, others, recognised=False)
    return _without_header(filled, names, options)


def _above_numbers(filled: Sequence[Record]) -> list[Record]:
    """Return the rows before the first that holds a number, in one column even a bad one."""
    above: list[Record] = []
    for record in filled:
        if holds_number(record.cells) or (len(record.cells) == 1 and _is_digits(record.cells[0])):
            break
        above.append(record)
    return above


def _is_digits(cell: str) -> bool:
    return sum(map(str.isdigit, cell)) >= 5 and not any(map(str.isalpha, cell))


def _has_few_digits(record: Record) -> bool:
    return all(sum(map(str.isdigit, cell)) < MIN_DIGITS for cell in record.cells)


def _recognised_headers(above: Sequence[Record], options: ListOptions) -> list[Record]:
    """Return the first row that names the column of the numbers, and those below that do too.

    Two rows may name the columns in two languages.
    """
    headers: list[Record] = []
    for record in above:
        if _names_number_column(record, options):
            headers.append(record)
        elif headers:
            break
    return headers


def _names_number_column(record: Record, options: ListOptions) -> bool:
    if options.column is not None and options.position is None:
        plain = number_names.plain_name(options.column)
        return any(number_names.plain_name(cell[:200]) == plain for cell in record.cells)
    return any(map(names_number, record.cells)) or _is_weak_header(record)


def _is_weak_header(record: Record) -> bool:
    return len(record.cells) > 1 and any(map(number_names.may_name_number, record.cells))


def _best(headers: Sequence[Record], names: Collection[str]) -> Record:
    """Return the header that has the text's variables; the last one where none has."""
    for header in reversed(headers):
        plain = set(map(number_names.plain_name, header.cells)) | set(header.cells)
        if all(name in plain or number_names.plain_name(name) in plain for name in names):
            return header
    return headers[-1]


def _given_head(filled: Sequence[Record], names: Collection[str], options: ListOptions) -> Head:
    """Return the head of a file whose header's line is given."""
    line = options.header_row or 0
    if line == 0:
        return _without_header(filled, names, options)
    header = next((r for r in filled if r.first_line <= line <= r.last_line), None)
    if header is None:
        refuse(f"line {line} is blank or not there; the header is to stand in it")
    others = [record for record in filled if record.last_line < header.first_line]
    return Head(find_layout(header.cells, names, options), header, others, recognised=True)


def _widest(above: Sequence[Record]) -> Record:
    """Return the first of the rows with most cells: a header that no name tells."""
    return max(above, key=lambda record: len(record.cells))


def _without_header(filled: Sequence[Record], names: Collection[str], options: ListOptions) -> Head:
    """Return the head of a file that has no header."""
    width = max(len(record.cells) for record in filled)
    _require_no_names(names)
    if width > 1 and options.position is None:
        refuse("the file has no header and several columns; say the position of the numbers")
    position = options.position or 0
    if position >= width:
        refuse(f"there is no column {position + 1}; the file has {width}")
    return Head(Layout(width, position, {}), None, (), recognised=False)


def _require_no_names(names: Collection[str]) -> None:
    """Refuse a text with placeholders for a file without a header."""
    if names:
        placeholder_list = ", ".join(f"{{{name}}}" for name in sorted(names))
        refuse(f"the text names {placeholder_list} and the file has no header; write one above")


def _refuse_unknown(above: Sequence[Record], names: Collection[str], options: ListOptions) -> None:
    """Refuse a file of several columns of which none is known to hold the numbers."""
    if not above:
        _require_no_names(names)
        refuse(
            "the first line is no header; write one above it and call the column of the numbers"
            " msisdn, or say its position"
        )
    find_layout(_widest(above).cells, names, options)
    refuse(f"no column holds the numbers (the headers are: {shown(_widest(above).cells)})")
