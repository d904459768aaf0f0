"""The ledger: what the gateways really took, line by line.

One JSON object per request that reached a gateway's endpoint. A line with `taken` is on the disk
before the first byte of its answer leaves; so whoever saw an answer finds it here, even if the
sandbox was killed the moment after. Refusals and reads are written too, without that guarantee.
"""

import asyncio
import fcntl
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from worker.sandbox.config import Fsync
from worker.sandbox.exchange import Answer, Call, Submission

_quoted = json.encoder.encode_basestring
#: The longest that a line waits for others in `group`, in seconds.
GATHERING = 0.002
_OPTIONAL = ("extension", "reference", "id", "schedule", "template", "pool")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the ledger."""

    #: When the request had arrived, in seconds since 1970.
    at: float
    #: The line's number, without gaps over restarts.
    seq: int
    gateway: str
    account: str
    #: The gateway's own word for the call.
    call: str
    #: The gateway's own word for the outcome; `-` where the call was cut off before one.
    code: str
    #: How many numbers the request named.
    size: int = 0
    #: The MSISDNs whose message the gateway took; empty when it took none.
    taken: tuple[str, ...] = ()
    text: str = ""
    extension: str = ""
    #: The identifier that the client gave.
    reference: str = ""
    #: The identifier that the gateway gave.
    id: str = ""
    #: Billed parts for each message.
    segments: int = 0
    schedule: str = ""
    template: str = ""
    pool: str = ""
    #: The misbehaviour that was applied, if any.
    did: str = ""


class Taken(NamedTuple):
    """One message that a gateway took."""

    msisdn: str
    text: str
    gateway: str
    account: str
    at: float
    reference: str
    id: str


def read(path: Path | str) -> Iterator[Entry]:
    """Read a ledger, also while it is being written; a last line that is torn is left out.

    Raises `ValueError` for a torn line that is not the last.
    """
    with Path(path).open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n"):
                return
            try:
                yield _entry(json.loads(line))
            except (ValueError, TypeError) as error:
                msg = f"{path}, line {number} is not a ledger line: {error}"
                raise ValueError(msg) from error


def _entry(line: dict[str, Any]) -> Entry:
    line["taken"] = tuple(line.get("taken", ()))
    return Entry(**line)


def taken(path: Path | str) -> Iterator[Taken]:
    """Read the messages that were taken, one by one, in the ledger's order."""
    for entry in read(path):
        for msisdn in entry.taken:
            yield Taken(
                msisdn,
                entry.text,
                entry.gateway,
                entry.account,
                entry.at,
                entry.reference,
                entry.id,
            )


def times_taken(path: Path | str) -> Counter[tuple[str, str]]:
    """Count how often each message (MSISDN and text) was taken."""
    found: Counter[tuple[str, str]] = Counter()
    for entry in read(path):
        found.update((msisdn, entry.text) for msisdn in entry.taken)
    return found


def numbers_taken(path: Path | str) -> Counter[str]:
    """Count how often each MSISDN was taken, whatever the text."""
    found: Counter[str] = Counter()
    for entry in read(path):
        found.update(entry.taken)
    return found


@dataclass(slots=True)
class Totals:
    """A ledger in five figures."""

    requests: int = 0
    #: Requests that took at least one message.
    submissions: int = 0
    messages: int = 0
    segments: int = 0
    #: Messages (MSISDN and text) that were taken more than once.
    doubled: int = 0


def totals(path: Path | str) -> Totals:
    """Add a ledger up."""
    found = Totals()
    for entry in read(path):
        found.requests += 1
        found.submissions += bool(entry.taken)
        found.messages += len(entry.taken)
        found.segments += len(entry.taken) * entry.segments
    found.doubled = sum(1 for times in times_taken(path).values() if times > 1)
    return found


def calls(path: Path | str) -> Counter[tuple[str, str, str]]:
    """Count requests by gateway, call and code."""
    return Counter((entry.gateway, entry.call, entry.code) for entry in read(path))


def line(seq: int, gateway: str, call: Call, answer: Answer, did: str = "") -> bytes:
    """Write one line of the ledger; empty fields are left out.

    By hand: an encoder takes as long as all else that a small request needs.
    """
    written = (
        f'{{"at":{call.at:.6f},"seq":{seq},"gateway":{_quoted(gateway)},'
        f'"account":{_quoted(call.account)},"call":{_quoted(call.name)},'
        f'"code":{_quoted(answer.code)},"size":{len(call.numbers)}'
    )
    if did:
        written += f',"did":{_quoted(did)}'
    if answer.taken is not None and answer.taken.msisdns:
        written += _taken_part(answer.taken)
    return f"{written}}}\n".encode()


def _taken_part(took: Submission) -> str:
    written = f',"text":{_quoted(took.text)},"segments":{took.segments}'
    for name in _OPTIONAL:
        if value := getattr(took, name):
            written += f',"{name}":{_quoted(value)}'
    # The numbers were found to be digits: they need no escaping.
    listed = '","'.join(took.msisdns)
    return f'{written},"taken":["{listed}"]'


class Ledger:
    """Appends lines, and runs what waits for a line once the disk has it."""

    def __init__(self, path: Path | str | None, fsync: Fsync) -> None:
        self._path = path
        self._fsync = fsync
        self._file = _open(path)
        self._lines: list[bytes] = []
        self._waiting: list[Callable[[], None]] = []
        self._scheduled = False
        self.seq = 0

    def restore(self) -> Iterator[Entry]:
        """Read what an earlier run left; numbering goes on after it."""
        for entry in read(self._path) if self._path is not None else ():
            self.seq = entry.seq
            yield entry

    def enter(
        self, gateway: str, call: Call, answer: Answer, did: str, then: Callable[[], None]
    ) -> None:
        """Append a line, and call `then`: at once, or when the disk has what was taken."""
        self.seq += 1
        durable = answer.taken is not None and bool(answer.taken.msisdns)
        if self._file is None:
            then()
            return
        self._lines.append(line(self.seq, gateway, call, answer, did))
        if durable:
            self._waiting.append(then)
        if self._fsync == "each":
            self.flush()
        else:
            self._schedule()
        if not durable:
            then()

    def _schedule(self) -> None:
        """Flush soon: when a turn of the loop brought nothing more, or after 2 ms.

        So whatever comes in at one time shares one write and one fsync, and one alone hardly waits.
        """
        if not self._scheduled:
            self._scheduled = True
            loop = asyncio.get_running_loop()
            loop.call_soon(self._gather, loop, loop.time() + GATHERING, 0)

    def _gather(self, loop: asyncio.AbstractEventLoop, until: float, before: int) -> None:
        now = len(self._lines)
        if now > before and loop.time() < until:
            loop.call_soon(self._gather, loop, until, now)
        else:
            self._scheduled = False
            self.flush()

    def flush(self) -> None:
        """Write what is there, force it to the disk if anyone waits for it, let them go on."""
        if self._file is None or not self._lines:
            return
        lines, self._lines = self._lines, []
        waiting, self._waiting = self._waiting, []
        _write(self._file, b"".join(lines))
        if waiting and self._fsync != "none":
            os.fsync(self._file)
        for then in waiting:
            then()

    def close(self) -> None:
        """Write the rest and let go of the file."""
        self.flush()
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _open(path: Path | str | None) -> int | None:
    if path is None:
        return None
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        msg = f"another sandbox writes {path}; give each its own ledger"
        raise RuntimeError(msg) from None
    _cut_torn_line(file)
    return file


def _cut_torn_line(file: int) -> None:
    """Cut off a last line without its end: nobody was answered for it."""
    size = os.fstat(file).st_size
    end = size
    while end:
        begin = max(0, end - 65536)
        newline = os.pread(file, end - begin, begin).rfind(b"\n")
        if newline >= 0:
            end = begin + newline + 1
            break
        end = begin
    if end < size:
        os.ftruncate(file, end)


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
