"""What came of a campaign as CSV: as a stream, or a file that takes its place once it is whole."""

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import typer
from sqlalchemy import Engine

from producer.cli import failures, output
from worker.intake import campaigns, lookup

#: What makes a spreadsheet read a file as UTF-8.
MARK = "\ufeff"


def export(engine: Engine, campaign_id: int, to: Path | None, *, mark: bool = False) -> int:
    """Write a campaign's messages, and return how many; `mark` is for spreadsheets.

    In memory that does not grow. Where it is interrupted or the disk is full, `to` is as it was.
    """
    total = campaigns.show(engine, campaign_id).total
    with (
        failures.interruptible(lambda: "the export is not whole" if to is None else _kept(to)),
        output.bar("exporting", total) as watch,
        _target(to) as file,
    ):
        file.write(MARK if mark else "")
        writer = csv.writer(file)
        writer.writerow(lookup.EXPORTED)
        count = 0
        for rows in lookup.exported(engine, campaign_id, total):
            writer.writerows(rows)
            count += len(rows)
            watch(count)
    return count


def _kept(to: Path) -> str:
    return f"{to} is as it was before"


@contextmanager
def _target(to: Path | None) -> Iterator[TextIO]:
    """Lend standard output, or a file that takes its place only once it is whole."""
    if to is None:
        yield from _printed()
        return
    part = to.with_name(f"{to.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file
        part.replace(to)
    except OSError as error:
        # A write does not say where.
        error.filename = error.filename or str(to)
        raise
    finally:
        part.unlink(missing_ok=True)


def _printed() -> Iterator[TextIO]:
    """Lend standard output in UTF-8, whatever the terminal's encoding is."""
    lines = io.TextIOWrapper(typer.get_binary_stream("stdout"), "utf-8", newline="")
    try:
        yield lines
        lines.flush()
    finally:
        lines.detach()
