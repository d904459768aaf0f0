"""Keep what the database would not take on this machine's disk until it does.

Outcomes of calls: each process appends to a file of its own, and holds its lock while it lives.
Pages of reports and inbound messages, which their gateway has forgotten: each is in a file of its
own, which nobody locks. All is forced to the disk. The rows of a file that is not locked are
written to the database by any process that finds it: an outcome that is written twice changes
nothing, and neither does a page that is read twice. The folder (`.xinshi/spool`) has to lie on a
volume that lasts.
"""

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from worker.config.settings import Settings


class SpoolFileKind(StrEnum):
    """What a file of a spool holds; the value is the ending of its name."""

    OUTCOMES = ".jsonl"
    PAGE = ".page"


def folder(settings: Settings) -> Path:
    """Return the folder of the spools of all processes of a configuration on this machine."""
    return settings.state_folder / "spool"


def count_files(folder: Path) -> int:
    """Return how many files wait in a folder for the database."""
    return sum(1 for kind in SpoolFileKind for _ in folder.glob(f"*{kind}"))


class Spool:
    """The file of outcomes of one process; it is created when it is first needed."""

    def __init__(self, folder: Path, owner: str) -> None:
        self._path = folder / f"{owner}{SpoolFileKind.OUTCOMES}"
        self._file: int | None = None

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append rows to the file; once this returns they are on the disk. Raises `OSError`."""
        if self._file is None:
            self._file = _create_locked(self._path, rows)
        else:
            _append(self._file, rows)

    def clear(self) -> None:
        """Delete the file, because the database has its rows."""
        if self._file is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None


def write_free_file(folder: Path, kind: SpoolFileKind, row: Mapping[str, Any]) -> None:
    """Write a row to a file of its own that any process may drain.

    Once this returns it is on the disk. Raises `OSError`.
    """
    os.close(_create_locked(folder / f"{secrets.token_hex(8)}{kind}", [row]))


def _create_locked(path: Path, rows: Sequence[Mapping[str, Any]]) -> int:
    """Create a file that no process finds before it is locked and holds its rows.

    Returns its descriptor, which holds the lock.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    hidden_path = path.with_name(f".{path.name}.new")
    file = os.open(
        hidden_path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600
    )
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        _append(file, rows)
        hidden_path.rename(path)
        _sync(path.parent)
    except BaseException:
        hidden_path.unlink(missing_ok=True)
        os.close(file)
        raise
    return file


def _sync(folder: Path) -> None:
    """Force the list of files of a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _append(file: int, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append rows as lines of JSON, and force them to the disk."""
    unwritten = "".join(json.dumps(row) + "\n" for row in rows).encode()
    # A disk that fills up takes some of the bytes first, and refuses the others.
    while unwritten:
        unwritten = unwritten[os.write(file, unwritten) :]
    os.fsync(file)


@contextlib.contextmanager
def abandoned_rows(folder: Path, kind: SpoolFileKind) -> Iterator[list[Any]]:
    """Yield the rows of all files of a kind that no process locks.

    The files are locked during the block, and deleted when it ends without an error.
    """
    with contextlib.ExitStack() as stack:
        locked_paths: list[Path] = []
        rows: list[Any] = []
        for path in sorted(folder.glob(f"*{kind}")):
            file = _lock_abandoned(path)
            if file is not None:
                stack.callback(os.close, file)
                locked_paths.append(path)
                rows += _read(file)
        yield rows
        for path in locked_paths:
            path.unlink(missing_ok=True)


def _lock_abandoned(path: Path) -> int | None:
    """Open and lock a file; None when its process lives, or the file is gone."""
    with contextlib.suppress(OSError):
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # It may have been deleted since it was found.
            if os.fstat(file).st_nlink:
                return file
        os.close(file)
    return None


def _read(file: int) -> Iterator[Any]:
    """Yield the rows of a file."""
    with open(file, encoding="utf-8", closefd=False) as lines:
        for line in lines:
            # A line that a crash cut off was never confirmed to its writer: it is left out.
            with contextlib.suppress(ValueError):
                yield json.loads(line)
