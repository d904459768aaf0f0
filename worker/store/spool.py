"""What the database would not take, kept on this machine's disk until it does.

Outcomes of calls: each process appends to a file of its own, and locks it while it lives. Pages of
reports and inbound messages, which their gateway has forgotten: each is a file, free for whoever
comes. All is forced to the disk. What lies there unlocked is written to the database by whichever
process finds it: an outcome that is written twice changes nothing, and neither does a page that is
read twice. The folder (`.xinshi/spool`) has to lie on a volume that lasts.
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


class Kind(StrEnum):
    """What a file holds, by its ending."""

    OUTCOMES = ".jsonl"
    PAGE = ".page"


def folder(settings: Settings) -> Path:
    """Return where the processes of a configuration keep their spools on this machine."""
    return settings.folder / "spool"


class Spool:
    """One process's own file of outcomes; made when it is first needed."""

    def __init__(self, folder: Path, owner: str) -> None:
        self._path = folder / f"{owner}{Kind.OUTCOMES}"
        self._file: int | None = None

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep rows; once this returns they are on the disk. Raises `OSError`."""
        if self._file is None:
            self._file = _begun(self._path, rows)
        else:
            _append(self._file, rows)

    def clear(self) -> None:
        """Forget what was kept: the database has it."""
        if self._file is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None


def leave(folder: Path, kind: Kind, row: Mapping[str, Any]) -> None:
    """Leave a row for whoever comes; once this returns it is on the disk. Raises `OSError`."""
    os.close(_begun(folder / f"{secrets.token_hex(8)}{kind}", [row]))


def _begun(path: Path, rows: Sequence[Mapping[str, Any]]) -> int:
    """Make a file that nobody sees before it is locked and holds its rows; returns it, locked."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unseen = path.with_name(f".{path.name}.new")
    file = os.open(unseen, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        _append(file, rows)
        unseen.rename(path)
        _sync(path.parent)
    except BaseException:
        unseen.unlink(missing_ok=True)
        os.close(file)
        raise
    return file


def _sync(folder: Path) -> None:
    """Force to the disk which files a folder holds."""
    held = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(held)
    finally:
        os.close(held)


def _append(file: int, rows: Sequence[Mapping[str, Any]]) -> None:
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    # A disk that fills up takes a part first, and refuses the rest.
    while lines:
        lines = lines[os.write(file, lines) :]
    os.fsync(file)


@contextlib.contextmanager
def left_behind(folder: Path, kind: Kind) -> Iterator[list[Any]]:
    """Lend the rows that nobody holds to the block, and forget them when the block ends well."""
    with contextlib.ExitStack() as stack:
        taken: list[Path] = []
        rows: list[Any] = []
        for path in sorted(folder.glob(f"*{kind}")):
            file = _take(path)
            if file is not None:
                stack.callback(os.close, file)
                taken.append(path)
                rows += _read(file)
        yield rows
        for path in taken:
            path.unlink(missing_ok=True)


def _take(path: Path) -> int | None:
    """Lock a file that nobody holds; None when its process lives, or it is gone."""
    with contextlib.suppress(OSError):
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # It may have been cleared since it was found.
            if os.fstat(file).st_nlink:
                return file
        os.close(file)
    return None


def _read(file: int) -> Iterator[Any]:
    with open(file, encoding="utf-8", closefd=False) as lines:
        for line in lines:
            # A line that was cut off by a crash was not promised to anybody.
            with contextlib.suppress(ValueError):
                yield json.loads(line)
