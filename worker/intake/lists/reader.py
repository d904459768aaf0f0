"""Read recipients from a file, whichever kind it is: every door reads lists by this.

Nothing is skipped in silence: a row that cannot be understood is handed on with its problem, and
lines that are no recipients are in the facts.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

from worker.domain import placeholders
from worker.domain.errors import Problem, Refused
from worker.intake.lists import csv_list, file_kinds
from worker.intake.lists.facts import ListFacts
from worker.intake.lists.options import ListOptions
from worker.intake.recipient_rows import PlainRows, Row
from worker.intake.value_rules import OddValue

_HEAD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class RecipientList:
    """The recipients of a file whose header was understood; rows are read while they are iterated.

    Where lines hold numbers alone, many of them come together.
    """

    rows: Iterator[Row | PlainRows]
    #: What was read, and how; what is skipped is added while rows are read.
    facts: ListFacts
    #: How many lines the file has; it has at most as many rows.
    line_count: int


@contextmanager
def open_list(
    file: BinaryIO,
    text: str,
    options: ListOptions | None = None,
    allowed: Collection[OddValue] = (),
) -> Iterator[RecipientList]:
    """Open a file's recipients for a `with`, for a text with `{name}` in place of a column's value.

    `file` has to be seekable; the caller closes it. Raises `Refused` when it is no list, when its
    encoding, or a column, cannot be told for certain, and when it holds no rows.
    """
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    options = options or ListOptions()
    names = placeholders.names(text)
    if file_kinds.is_zip(head):
        from worker.intake.lists import workbook_list

        opened = workbook_list.open_workbook(file, names, options, allowed)
    else:
        file_kinds.require_text(head)
        opened = csv_list.open_text(file, names, options, allowed)
    with opened as (facts, line_count, rows):
        first_rows = next(rows, None)
        if first_rows is None:
            raise Refused([Problem("recipients", "the file has a header and no rows")])
        yield RecipientList(chain([first_rows], rows), facts, line_count)
