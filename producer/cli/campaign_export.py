"""Export a campaign's messages, and the rows left out of it, as CSV: to a file or standard output.

An existing file is replaced only once the new one is whole. The new one is its owner's alone,
whatever the old one was: it holds whole numbers.
"""

import csv
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import typer
from sqlalchemy import Engine

from producer.cli import failures, output
from worker.intake import campaign_rows, campaigns

#: The mark at the begin of a file by which spreadsheets know UTF-8.
BYTE_ORDER_MARK = "\ufeff"


def export(
    engine: Engine, campaign_id: int, target_file: Path | None, *, byte_order_mark: bool = False
) -> int:
    """Write a campaign to a file, or to standard output; return how many rows were written.

    Its messages come first, then the rows of its list that were left out.

    Memory does not grow with the campaign. When the export is interrupted or the disk is full,
    `target_file` is unchanged. `byte_order_mark` is for spreadsheets.
    """
    campaign = campaigns.show(engine, campaign_id)
    row_count = campaign.total + sum(campaign.left_out.values())
    with (
        failures.interruptible(lambda: interruption_notice(target_file)),
        output.progress_bar("exporting", row_count) as show_progress,
        open_target(target_file) as file,
    ):
        file.write(BYTE_ORDER_MARK if byte_order_mark else "")
        writer = csv.writer(file)
        writer.writerow(campaign_rows.EXPORT_COLUMNS)
        count = 0
        for rows in campaign_rows.export_parts(engine, campaign_id, campaign.total):
            writer.writerows(rows)
            count += len(rows)
            show_progress(count)
    return count


def interruption_notice(target_file: Path | None) -> str:
    """Say what an export that was interrupted leaves."""
    if target_file is None:
        return "the export is not whole"
    return f"{target_file} is as it was before"


@contextmanager
def open_target(target_file: Path | None) -> Iterator[TextIO]:
    """Lend standard output, or a file that replaces `target_file` when the block succeeds."""
    if target_file is None:
        yield from _open_stdout()
        return
    partial_file = target_file.with_name(f"{target_file.name}.part")
    try:
        # What another export left there is not written into: it may be readable by others.
        partial_file.unlink(missing_ok=True)
        with open(partial_file, "x", encoding="utf-8", newline="", opener=_open_private) as file:
            yield file
        partial_file.replace(target_file)
    except OSError as error:
        # The error of a write names no file.
        error.filename = error.filename or str(target_file)
        raise
    finally:
        partial_file.unlink(missing_ok=True)


def _open_private(path: str, flags: int) -> int:
    """Open a new file that its owner alone may read and write, whatever the umask is."""
    return os.open(path, flags, 0o600)


def _open_stdout() -> Iterator[TextIO]:
    """Lend standard output in UTF-8, whatever the encoding of the terminal is."""
    stream = io.TextIOWrapper(typer.get_binary_stream("stdout"), "utf-8", newline="")
    try:
        yield stream
        stream.flush()
    finally:
        stream.detach()
