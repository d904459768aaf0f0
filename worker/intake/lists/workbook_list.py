"""Read recipients from an Excel workbook (.xlsx): its first visible sheet that holds anything."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from worker.domain.errors import Refused
from worker.intake.lists import xml_stream
from worker.intake.lists.cells import CellReader, Record, first_records
from worker.intake.lists.facts import ListFacts
from worker.intake.lists.head import Head, find_head
from worker.intake.lists.options import MAX_HEAD_ROWS, ListOptions
from worker.intake.lists.row_reader import RowReader
from worker.intake.lists.workbook import open_workbook as open_parts
from worker.intake.recipient_rows import PlainRows, Row
from worker.intake.value_rules import OddValue


@contextmanager
def open_workbook(
    file: BinaryIO, names: Collection[str], options: ListOptions, allowed: Collection[OddValue]
) -> Iterator[tuple[ListFacts, int, Iterator[Row | PlainRows]]]:
    """Lend what a workbook is, the number of its rows, and its recipients.

    The sheet is unpacked wholly before the first recipient comes, so that none does from a damaged
    file. Raises `Refused` as `find_head` does, and when the workbook cannot be read.
    """
    with open_parts(file) as workbook:
        filled = [sheet for sheet in workbook.sheets if _holds_rows(workbook.read(sheet))]
        if not filled:
            xml_stream.refuse("the workbook is empty")
        sheet, *other_sheets = filled
        line_count = workbook.check(sheet)
        head = find_head(_records(workbook.read(sheet)), names, options)
        facts = _facts_of(sheet, other_sheets, head)
        rows = RowReader(head, names, options, facts, allowed)
        yield facts, line_count, _rows(workbook.read(sheet), rows, head.last_line)


def _rows(reader: CellReader, rows: RowReader, lines_above: int) -> Iterator[Row | PlainRows]:
    """Yield the recipients below the head; a reader counts its rows from the first one on."""
    for _ in range(lines_above):
        next(reader, None)
    try:
        yield from rows.read(reader, 0, lambda: None)
    except Refused as refusal:
        reason = f"it and all below it cannot be read: {refusal.problems[0].what}"
        yield Row(rows.line, "", None, reason)


def _records(reader: CellReader) -> list[Record]:
    return first_records(reader, MAX_HEAD_ROWS)


def _holds_rows(reader: CellReader) -> bool:
    return any(any(map(str.strip, cells)) for cells in reader)


def _facts_of(sheet: str, other_sheets: Collection[str], head: Head) -> ListFacts:
    facts = ListFacts(
        "xlsx",
        sheet=sheet,
        header_line=head.header.first_line if head.header else None,
        columns=tuple(head.columns),
        number_column=head.layout.number_column,
        variable_columns=head.layout.variable_columns,
        other_sheets=tuple(other_sheets),
    )
    for record in head.others:
        facts.skip(record.first_line, record.last_line, "above the header")
    return facts
