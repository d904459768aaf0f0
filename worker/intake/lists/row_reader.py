"""Make recipients of rows of cells; what cannot be one is handed on as bad, or noted as skipped."""

import csv
import itertools
from collections.abc import Callable, Collection, Iterator, Sequence

from worker.domain import invisible, msisdn, number_names
from worker.domain.errors import Refused
from worker.intake.lists.cells import (
    MIN_DIGITS,
    CellReader,
    holds_number,
    is_number,
    names_number,
)
from worker.intake.lists.facts import ListFacts, shown
from worker.intake.lists.head import Head
from worker.intake.lists.layout import Layout, find_layout
from worker.intake.lists.options import ListOptions
from worker.intake.lists.table_ends import is_end
from worker.intake.recipient_rows import BLOCK_SIZE, PlainRows, Row
from worker.intake.value_rules import OddValue

#: Longer ones are no numbers, and a block of rows is in memory.
_MAX_NUMBER_LENGTH = 100
#: A layout that no row has: for rows below a header that lacks a column.
_NO_LAYOUT = Layout(-1, 0, {})


class RowReader:
    """Reads the rows below a header; one in the middle begins another table."""

    def __init__(
        self,
        head: Head,
        names: Collection[str],
        options: ListOptions,
        facts: ListFacts,
        allowed: Collection[OddValue],
    ) -> None:
        self.layout = head.layout
        #: The line that the row which is read now begins at.
        self.line = head.last_line + 1
        self._columns = head.columns
        self._names = names
        self._options = options
        self._facts = facts
        self._line_breaks_allowed = OddValue.LINE_BREAK in allowed
        #: The last line of the sum or note that was read last.
        self._sum_end = -1
        self._table_problem = ""
        #: Numbers alone, of lines that follow each other up to the one that is read now.
        self._gathered: list[str] = []

    def read(
        self, reader: CellReader, lines_before: int, last_line: Callable[[], int | None]
    ) -> Iterator[Row | PlainRows]:
        """Yield the recipients, from the line `line` on; many together where numbers suffice.

        `lines_before` is how many lines the reader does not count; `last_line` returns the line
        that an unclosed quote goes on to, where that is not the reader's last one.
        """
        while True:
            try:
                yield from self._read_rows(reader, lines_before)
            except csv.Error as error:
                yield from self._plain_rows(self.line)
                last = last_line() or lines_before + reader.line_num
                reason = f"its quotes are not closed, or not doubled, up to line {last}"
                if "field larger" in str(error):
                    reason = f"a cell has more than {csv.field_size_limit():,} characters"
                yield Row(self.line, "", None, reason, last - self.line + 1)
                self.line = last + 1
                continue
            except Refused:
                yield from self._plain_rows(self.line)
                raise
            yield from self._plain_rows(self.line)
            return

    def _read_rows(self, reader: CellReader, lines_before: int) -> Iterator[Row | PlainRows]:
        """Yield the recipients but for the last of those that are gathered."""
        layout, gathered = None, self._gathered
        for cells in reader:
            line, last_read = self.line, lines_before + reader.line_num
            self.line = last_read + 1
            if layout is not self.layout:
                layout = self.layout
                width, number_column, columns = layout.unpacked()
            # Most rows hold a number, and values, without anything around them.
            number = cells[number_column] if len(cells) == width else ""
            if line == last_read and len(number) >= MIN_DIGITS and number.isdigit():
                if not columns:
                    gathered.append(number)
                    if len(gathered) == BLOCK_SIZE:
                        yield from self._plain_rows(self.line)
                    continue
                variables = _plain_values(cells, columns)
                if variables:
                    yield Row(line, number, variables)
                    continue
            if gathered:
                yield from self._plain_rows(line)
            row = self._read_row(line, last_read, [invisible.strip(cell) for cell in cells])
            if row is not None:
                yield row

    def _plain_rows(self, line: int) -> Iterator[Row | PlainRows]:
        """Yield the recipients that were gathered, who stand on the lines before `line`."""
        numbers = self._gathered.copy()
        self._gathered.clear()
        first_line = line - len(numbers)
        if msisdn.are_mobile(numbers):
            if numbers:
                yield PlainRows(first_line, numbers)
        else:
            yield from itertools.starmap(Row, enumerate(numbers, first_line))

    def _read_row(self, line: int, last_line: int, cells: Sequence[str]) -> Row | None:
        """Return the recipient of a row, with its problem where there is one; None for no row."""
        is_below_sum = line == self._sum_end + 1
        if not any(cells):
            self._sum_end = last_line if is_below_sum else self._sum_end
            return None
        number_column = self.layout.number_column
        number = cells[number_column] if number_column < len(cells) else ""
        if not is_number(number) and not holds_number(cells):
            if self._is_header(cells):
                return self._begin_table(line, last_line, cells)
            if is_below_sum or is_end(cells):
                self._sum_end = last_line
                self._facts.skip(line, last_line, "a sum or a note")
                return None
        problem = self._row_problem(line, last_line, cells)
        if problem:
            return Row(line, number, None, problem, last_line - line + 1)
        return self._recipient(line, last_line, number, cells)

    def _recipient(self, line: int, last_line: int, number: str, cells: Sequence[str]) -> Row:
        """Return the recipient of a row that has the cells it is to have."""
        # Programs keep spreadsheets from reading numbers by a mark before each cell of a row.
        mark = number[0] if number[:1] in {"`", "'"} else ""
        variables = {
            name: _without_formula(cells[column].removeprefix(mark).strip())
            for name, column in self.layout.variable_columns.items()
            if column < len(cells)
        }
        empty_name = next((name for name in self._names if not variables.get(name)), None)
        lines = last_line - line + 1
        if empty_name is not None:
            problem = f"has no {empty_name}, which the text names"
            return Row(line, number, None, problem, lines)
        return Row(line, number, variables or None, None, lines)

    def _row_problem(self, line: int, last_line: int, cells: Sequence[str]) -> str | None:
        """Return why a row's cells cannot be told apart; None when they can."""
        if last_line > line and self._breaks_badly(cells):
            return (
                f"a value goes on over the ends of lines up to line {last_line}; remove its quote"
                f" if that is a stray one, else its line ends, or allow {OddValue.LINE_BREAK}"
            )
        if self._table_problem:
            return self._table_problem
        if any(cells[self.layout.width :]):
            return (
                f"has {len(cells)} cells and the header {self.layout.width}; quote what holds"
                f" the mark that separates cells"
            )
        number_column = self.layout.number_column
        if number_column < len(cells) and len(cells[number_column]) > _MAX_NUMBER_LENGTH:
            return f"has a number of {len(cells[number_column])} characters"
        return None

    def _breaks_badly(self, cells: Sequence[str]) -> bool:
        """Tell whether line ends in values are not allowed, or hide recipients of their own."""
        return not self._line_breaks_allowed or any(
            is_number(word)
            for cell in cells
            for line in cell.splitlines()[1:]
            for word in line.replace("\t", ",").replace(";", ",").split(",")
        )

    def _is_header(self, cells: Sequence[str]) -> bool:
        """Tell whether a row without numbers names the column of the numbers."""
        column = self.layout.number_column
        if self._columns and column < min(len(cells), len(self._columns)):
            plain = number_names.plain_name(cells[column][:200])
            if plain and plain == number_names.plain_name(self._columns[column][:200]):
                return True
        return any(map(names_number, cells))

    def _begin_table(self, line: int, last_line: int, cells: Sequence[str]) -> Row | None:
        """Read the rows below another header by it; they are bad where it lacks a column."""
        columns = list(cells)
        while columns and not columns[-1]:
            columns.pop()
        self._table_problem = ""
        try:
            layout = find_layout(columns, self._names, self._options)
        except Refused as refusal:
            self.layout = _NO_LAYOUT
            reason = refusal.problems[0].what
            self._table_problem = f"stands below another header, in line {line}: {reason}"
            return Row(line, "", None, f"is another header: {reason}", last_line - line + 1)
        is_same = layout == self.layout and columns == list(self._columns)
        if not is_same:
            self.layout, self._columns = layout, columns
        reason = "the header again" if is_same else f"another header: {shown(columns)}"
        self._facts.skip(line, last_line, reason)
        return None


def _plain_values(
    cells: Sequence[str], columns: Sequence[tuple[str, int]]
) -> dict[str, str] | None:
    """Return the values of a row; None where one is empty or a formula."""
    variables = {}
    for name, column in columns:
        value = cells[column].strip(invisible.AROUND)
        if not value or value[0] == "=":
            return None
        variables[name] = value
    return variables


def _without_formula(cell: str) -> str:
    """Return what a spreadsheet shows for `="…"`."""
    if cell.startswith('="') and cell.endswith('"') and len(cell) > 2:
        return cell[2:-1].strip()
    return cell
