"""Read recipients from a text file: CSV, and what is separated by something else.

It is read as a stream: a million rows take no more memory than one.
"""

import csv
import io
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import BinaryIO

from worker.domain import msisdn
from worker.intake.lists import dialect, gb18030, text_encoding
from worker.intake.lists.dialect import Dialect
from worker.intake.lists.facts import ListFacts
from worker.intake.lists.head import Head
from worker.intake.lists.options import ListOptions
from worker.intake.lists.row_reader import RowReader
from worker.intake.lists.text_encoding import TextEncoding
from worker.intake.recipient_rows import PlainRows, Row
from worker.intake.value_rules import OddValue

#: How many characters of a file show its dialect and header.
_SAMPLE_CHARACTERS = 1 << 16
#: How many characters are read at once where a line is a number: some 50,000 lines.
_CHARACTERS_READ_TOGETHER = 600_000
#: The same where lines hold more: each is an object of its own.
_CHARACTERS_OF_LINES = 1 << 16
#: A row of quoted values that is longer than this has a quote that nothing closes.
_MAX_ROW_CHARACTERS = 1 << 22


@contextmanager
def open_text(
    file: BinaryIO, names: Collection[str], options: ListOptions, allowed: Collection[OddValue]
) -> Iterator[tuple[ListFacts, int, Iterator[Row | PlainRows]]]:
    """Lend what a text file is, the number of its lines, and its recipients.

    Raises `Refused` when its encoding, or its header, cannot be told.
    """
    encoding = text_encoding.detect(file, options.encoding)
    stream = io.TextIOWrapper(file, encoding.codec, newline="")
    try:
        reader = _TextList(stream, encoding, names, options, allowed)
        yield reader.facts, encoding.line_count, reader.rows()
    finally:
        stream.detach()


class _TextList:
    """The recipients of a stream of text."""

    def __init__(
        self,
        stream: io.TextIOWrapper,
        encoding: TextEncoding,
        names: Collection[str],
        options: ListOptions,
        allowed: Collection[OddValue],
    ) -> None:
        self._stream, self._encoding = stream, encoding
        self._dialect, self._head = _look_at_beginning(stream, encoding, names, options)
        self.facts = _facts_of(self._dialect, self._head, encoding)
        self._rows = RowReader(self._head, names, options, self.facts, allowed)
        #: Whether the rest of the file is in a quote that nothing closes.
        self._is_cut = False

    def rows(self) -> Iterator[Row | PlainRows]:
        """Return the recipients; many together while lines are plain numbers."""
        line = self._head.last_line
        for _ in range(line):
            self._stream.readline()
        return self._number_lines(line) if self._rows.layout.numbers_only else self._rest(line)

    def _number_lines(self, line: int) -> Iterator[Row | PlainRows]:
        while self._rows.layout.numbers_only:
            text = self._stream.read(_CHARACTERS_READ_TOGETHER) + self._stream.readline()
            if not text:
                return
            if (numbers := msisdn.mobiles_in_lines(text)) is not None:
                yield PlainRows(line + 1, numbers)
                line += len(numbers)
                continue
            lines: Iterator[str] = io.StringIO(text, newline="")
            # A quoted cell may go on behind this text: then the whole rest is read as any CSV.
            if self._dialect.quote in text:
                yield from self._read(chain(lines, self._lines()), line)
                return
            yield from self._read(lines, line)
            line = self._rows.line - 1
        yield from self._rest(line)

    def _rest(self, lines_before: int) -> Iterator[Row | PlainRows]:
        return self._read(self._lines(), lines_before)

    def _read(self, lines: Iterator[str], lines_before: int) -> Iterator[Row | PlainRows]:
        reader = csv.reader(
            lines,
            delimiter=self._dialect.delimiter,
            quotechar=self._dialect.quote,
            skipinitialspace=True,
            strict=True,
        )
        self._rows.line = lines_before + 1
        return self._rows.read(reader, lines_before, self._cut_line)

    def _cut_line(self) -> int | None:
        return self._encoding.line_count if self._is_cut else None

    def _lines(self) -> Iterator[str]:
        return chain.from_iterable(self._blocks_of_lines())

    def _blocks_of_lines(self) -> Iterator[Iterator[str]]:
        """Yield lines, many at a time, until a row that has begun is too long to be one."""
        row_line, row_characters = 0, 0
        while lines := self._stream.readlines(_CHARACTERS_OF_LINES):
            if row_line != self._rows.line:
                row_line, row_characters = self._rows.line, 0
            row_characters += sum(map(len, lines))
            if row_characters > _MAX_ROW_CHARACTERS:
                self._is_cut = True
                return
            yield map(gb18030.modern, lines) if self._encoding.old_private_use else iter(lines)


def _look_at_beginning(
    stream: io.TextIOWrapper,
    encoding: TextEncoding,
    names: Collection[str],
    options: ListOptions,
) -> tuple[Dialect, Head]:
    """Return the dialect and the head of a stream, which is at its beginning then."""
    sample = stream.read(_SAMPLE_CHARACTERS) + stream.readline()
    stream.seek(0)
    if encoding.old_private_use:
        sample = gb18030.modern(sample)
    return dialect.detect(sample, names, options)


def _facts_of(found_dialect: Dialect, head: Head, encoding: TextEncoding) -> ListFacts:
    facts = ListFacts(
        "csv",
        encoding.codec,
        found_dialect.delimiter,
        header_line=head.header.first_line if head.header else None,
        columns=tuple(head.columns),
        number_column=head.layout.number_column,
        variable_columns=head.layout.variable_columns,
    )
    for record in head.others:
        facts.skip(record.first_line, record.last_line, "above the header")
    return facts
