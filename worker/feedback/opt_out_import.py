"""Imports opt-outs from a file, by the reader of campaigns' lists, block by block."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO

from sqlalchemy import Engine

from worker.domain import msisdn as numbers
from worker.domain.enums import OptOutScope
from worker.feedback import opt_out_list
from worker.feedback.opt_out_list import Changes
from worker.intake.lists import reader
from worker.intake.lists.facts import ListFacts
from worker.intake.lists.options import ListOptions
from worker.intake.recipient_rows import PlainRows, Row
from worker.intake.value_rules import OddValue
from worker.store.feedback.opt_outs import OptOutOrigin

#: How many rows are read and stored together.
BLOCK_SIZE = 5000
#: How many bad rows are told one by one.
MAX_BAD_ROWS = 100


@dataclass(slots=True)
class ImportedOptOuts:
    """What became of a file's rows, and how it was read."""

    facts: ListFacts
    changes: Changes = field(default_factory=Changes)
    invalid: int = 0
    #: The first bad rows: the line, and what is wrong with it.
    bad_rows: list[tuple[int, str]] = field(default_factory=list)


def import_file(
    engine: Engine,
    file: BinaryIO,
    origin: OptOutOrigin,
    options: ListOptions | None = None,
    *,
    act: bool = True,
) -> ImportedOptOuts:
    """Store that the numbers of a file opt out of marketing; bad rows are left out, and told.

    With `act` false the file is only read. Raises `Refused` where the file is no list, before
    anything is stored.
    """
    with reader.open_list(file, "", options, tuple(OddValue)) as opened:
        imported = ImportedOptOuts(opened.facts)
        rows = _plain(opened.rows)
        while block := list(islice(rows, BLOCK_SIZE)):
            msisdns = set()
            for row in block:
                try:
                    msisdns.add(_number(row))
                except ValueError as error:
                    imported.invalid += 1
                    if len(imported.bad_rows) < MAX_BAD_ROWS:
                        imported.bad_rows.append((row.line, str(error)))
            if act and msisdns:
                imported.changes += opt_out_list.add(engine, msisdns, OptOutScope.MARKETING, origin)
            elif msisdns:
                imported.changes += Changes(added=len(msisdns))
    return imported


def _number(row: Row) -> str:
    """Return the number of a row as it is stored; raises `ValueError` where it has none."""
    if row.problem:
        raise ValueError(row.problem)
    return numbers.normalise(row.number)


def _plain(rows: Iterator[Row | PlainRows]) -> Iterator[Row]:
    for part in rows:
        if isinstance(part, PlainRows):
            yield from part.rows()
        else:
            yield part
