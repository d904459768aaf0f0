"""Outcomes that the database would not take, kept on this machine's disk until it does.

Each process appends to a file of its own, forced to the disk, and locks it while it lives.
What a process left behind is written to the database by whichever process finds it: writing an
outcome twice changes nothing. The folder (`.xinshi/spool`) has to lie on a volume that lasts.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from worker.answers import Result
from worker.gateway import Content
from worker.settings import Settings
from worker.store.claims import Lease
from worker.store.outcomes import Recorded
from worker.terms import Advice, Fault, MessageClass, Outcome, SubmissionState

#: What a lease is without the text that it carried: outcomes need none.
_NOTHING = Content("")


def folder(settings: Settings) -> Path:
    """Return where the processes of a configuration keep their spools on this machine."""
    return settings.folder / "spool"


class Spool:
    """One process's own file; made when it is first needed."""

    def __init__(self, folder: Path, owner: str) -> None:
        self._path = folder / f"{owner}.jsonl"
        self._file: int | None = None

    def add(self, calls: Sequence[Recorded]) -> None:
        """Keep outcomes; once this returns they are on the disk. Raises `OSError`."""
        if self._file is None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX)
        lines = "".join(json.dumps(_dump(call)) + "\n" for call in calls).encode()
        # A disk that fills up takes a part first, and refuses the rest.
        while lines:
            lines = lines[os.write(self._file, lines) :]
        os.fsync(self._file)

    def clear(self) -> None:
        """Forget what was kept: the database has it."""
        if self._file is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None


@contextlib.contextmanager
def left_behind(folder: Path) -> Iterator[list[Recorded]]:
    """Lend what dead processes left to the block, and forget it when the block ends well."""
    with contextlib.ExitStack() as stack:
        taken: list[Path] = []
        calls: list[Recorded] = []
        for path in sorted(folder.glob("*.jsonl")):
            file = _take(path)
            if file is not None:
                stack.callback(os.close, file)
                taken.append(path)
                calls += list(_read(path))
        yield calls
        for path in taken:
            path.unlink(missing_ok=True)


def _take(path: Path) -> int | None:
    """Lock a file that nobody holds; None when its process lives, or it is gone."""
    with contextlib.suppress(OSError):
        file = os.open(path, os.O_RDWR)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
        else:
            return file
    return None


def _read(path: Path) -> Iterator[Recorded]:
    for line in path.read_text("utf-8").splitlines():
        # A line that was cut off by a crash was not promised to anybody.
        with contextlib.suppress(ValueError, KeyError, TypeError):
            yield _load(json.loads(line))


def _dump(call: Recorded) -> dict[str, Any]:
    lease, result, state = call.lease, call.result, call.state
    if call.each:
        # Numbers are not kept: what fared differently by number is unknown if its process dies.
        result, state = Result(Outcome.UNKNOWN, "each"), SubmissionState.UNKNOWN
    return {
        "id": lease.id,
        "fence": lease.fence,
        "account": lease.account,
        "class": lease.message_class.value,
        "request": lease.request_id,
        "lo": lease.lo,
        "hi": lease.hi,
        "size": lease.size,
        "attempts": lease.attempts,
        "resend_of": lease.resend_of,
        "state": state.value,
        "outcome": result.outcome.value,
        "code": result.code,
        "words": result.words,
        "gateway_id": result.gateway_id,
        "fault": result.fault and result.fault.value,
        "advice": result.advice and result.advice.value,
        "hold": result.hold,
        "mapped": result.mapped,
    }


def _load(kept: dict[str, Any]) -> Recorded:
    lease = Lease(
        kept["id"],
        kept["fence"],
        kept["account"],
        MessageClass(kept["class"]),
        kept["request"],
        kept["lo"],
        kept["hi"],
        kept["size"],
        kept["attempts"],
        _NOTHING,
        "",
        kept["resend_of"],
    )
    result = Result(
        Outcome(kept["outcome"]),
        kept["code"],
        kept["words"],
        kept["gateway_id"],
        Fault(kept["fault"]) if kept["fault"] else None,
        Advice(kept["advice"]) if kept["advice"] else None,
        kept["hold"],
        kept["mapped"],
    )
    return Recorded(lease, SubmissionState(kept["state"]), result)
