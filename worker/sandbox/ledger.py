"""Writes and reads the ledger: what the gateways really took, line by line.

One JSON object per request that reached a gateway's endpoint. A line with `taken` is on the disk
before the first byte of its answer leaves; so a client that saw an answer finds it here, even if
the sandbox was killed the moment after. Refusals and reads are written too, without that guarantee.
"""

import asyncio
import fcntl
import itertools
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from worker.sandbox.config import Fsync
from worker.sandbox.exchange import GatewayCall, SandboxAnswer, TakenSubmission

_quote = json.encoder.encode_basestring
#: The longest that a line waits for others where `fsync` is `group`.
MAX_GATHER_SECONDS = 0.002
_OPTIONAL = ("extension", "reference", "id", "schedule", "template", "pool")


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """A line of the ledger."""

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
    #: The text, the billed parts and the gateway's identifier of each message that was taken, where
    #: these differ.
    texts: tuple[str, ...] = ()
    parts: tuple[int, ...] = ()
    ids: tuple[str, ...] = ()

    @property
    def messages(self) -> Iterator[tuple[str, str]]:
        """The number and the text of each message that was taken."""
        return zip(self.taken, self.texts or itertools.repeat(self.text), strict=False)

    @property
    def segment_sum(self) -> int:
        """The billed parts of all messages that were taken; one for each where none is told."""
        return sum(self.parts) if self.parts else len(self.taken) * (self.segments or 1)


class TakenMessage(NamedTuple):
    """A message that a gateway took."""

    msisdn: str
    text: str
    gateway: str
    account: str
    at: float
    reference: str
    id: str


def read(path: Path | str) -> Iterator[LedgerEntry]:
    """Read a ledger, also while it is being written; a last line that is torn is left out.

    Raises `ValueError` for a torn line that is not the last.
    """
    with Path(path).open("rb") as lines:
        for line_number, line in enumerate(lines, 1):
            if not line.endswith(b"\n"):
                return
            try:
                yield _parse_entry(json.loads(line))
            except (ValueError, TypeError) as error:
                msg = f"{path}, line {line_number} is not a ledger line: {error}"
                raise ValueError(msg) from error


def _parse_entry(fields: dict[str, Any]) -> LedgerEntry:
    for name in ("taken", "texts", "parts", "ids"):
        fields[name] = tuple(fields.get(name, ()))
    return LedgerEntry(**fields)


def taken(path: Path | str) -> Iterator[TakenMessage]:
    """Read the messages that were taken, in the ledger's order."""
    for entry in read(path):
        ids = entry.ids or itertools.repeat(entry.id)
        for (msisdn, text), gateway_id in zip(entry.messages, ids, strict=False):
            yield TakenMessage(
                msisdn,
                text,
                entry.gateway,
                entry.account,
                entry.at,
                entry.reference,
                gateway_id,
            )


def times_taken(path: Path | str) -> Counter[tuple[str, str]]:
    """Count how often each message (MSISDN and text) was taken."""
    counts: Counter[tuple[str, str]] = Counter()
    for entry in read(path):
        counts.update(entry.messages)
    return counts


def numbers_taken(path: Path | str) -> Counter[str]:
    """Count how often each MSISDN was taken, whatever the text."""
    counts: Counter[str] = Counter()
    for entry in read(path):
        counts.update(entry.taken)
    return counts


@dataclass(slots=True)
class LedgerTotals:
    """The sums over a ledger."""

    requests: int = 0
    #: Requests that took at least one message.
    submissions: int = 0
    messages: int = 0
    segments: int = 0
    #: Messages (MSISDN and text) that were taken more than once.
    doubled: int = 0


def totals(path: Path | str) -> LedgerTotals:
    """Add a ledger up."""
    sums = LedgerTotals()
    for entry in read(path):
        sums.requests += 1
        sums.submissions += bool(entry.taken)
        sums.messages += len(entry.taken)
        sums.segments += sum(entry.parts) if entry.parts else len(entry.taken) * entry.segments
    sums.doubled = sum(1 for times in times_taken(path).values() if times > 1)
    return sums


def calls(path: Path | str) -> Counter[tuple[str, str, str]]:
    """Count requests by gateway, call and code."""
    return Counter((entry.gateway, entry.call, entry.code) for entry in read(path))


def format_line(
    seq: int, gateway: str, call: GatewayCall, answer: SandboxAnswer, misbehaviour: str = ""
) -> bytes:
    """Return a line of the ledger; empty fields are left out.

    It is put together by hand: an encoder takes as long as all else that a small request needs.
    """
    text = (
        f'{{"at":{call.at:.6f},"seq":{seq},"gateway":{_quote(gateway)},'
        f'"account":{_quote(call.account)},"call":{_quote(call.name)},'
        f'"code":{_quote(answer.code)},"size":{len(call.numbers)}'
    )
    if misbehaviour:
        text += f',"did":{_quote(misbehaviour)}'
    if answer.submission is not None and answer.submission.msisdns:
        text += _submission_fields(answer.submission)
    return f"{text}}}\n".encode()


def _submission_fields(submission: TakenSubmission) -> str:
    text = f',"text":{_quote(submission.text)},"segments":{submission.segments}'
    for name in _OPTIONAL:
        if value := getattr(submission, name):
            text += f',"{name}":{_quote(value)}'
    for name in ("texts", "parts", "ids"):
        if values := getattr(submission, name):
            text += f',"{name}":{json.dumps(values, ensure_ascii=False)}'
    # A side has checked that the numbers are digits: they need no escaping.
    joined_numbers = '","'.join(submission.msisdns)
    return f'{text},"taken":["{joined_numbers}"]'


class LedgerWriter:
    """Appends lines to a ledger, and lets each answer proceed once the disk has its line."""

    def __init__(self, path: Path | str | None, fsync: Fsync) -> None:
        self._path = path
        self._fsync = fsync
        self._file = _open(path)
        self._lines: list[bytes] = []
        self._pending: list[Callable[[], None]] = []
        self._is_flush_scheduled = False
        self.seq = 0

    def restore(self) -> Iterator[LedgerEntry]:
        """Read the lines of an earlier run; numbering goes on after them."""
        for entry in read(self._path) if self._path is not None else ():
            self.seq = entry.seq
            yield entry

    def append(
        self,
        gateway: str,
        call: GatewayCall,
        answer: SandboxAnswer,
        misbehaviour: str,
        proceed: Callable[[], None],
    ) -> None:
        """Append a line, and call `proceed`: at once, or when the disk has what was taken."""
        self.seq += 1
        must_be_durable = answer.submission is not None and bool(answer.submission.msisdns)
        if self._file is None:
            proceed()
            return
        self._lines.append(format_line(self.seq, gateway, call, answer, misbehaviour))
        if must_be_durable:
            self._pending.append(proceed)
        if self._fsync == "each":
            self.flush()
        else:
            self._schedule_flush()
        if not must_be_durable:
            proceed()

    def _schedule_flush(self) -> None:
        """Flush soon: when a turn of the loop brought nothing more, or after 2 ms.

        So requests that come in together share one write and one fsync; a single one hardly waits.
        """
        if not self._is_flush_scheduled:
            self._is_flush_scheduled = True
            loop = asyncio.get_running_loop()
            loop.call_soon(self._flush_when_quiet, loop, loop.time() + MAX_GATHER_SECONDS, 0)

    def _flush_when_quiet(
        self, loop: asyncio.AbstractEventLoop, deadline: float, previous_count: int
    ) -> None:
        line_count = len(self._lines)
        if line_count > previous_count and loop.time() < deadline:
            loop.call_soon(self._flush_when_quiet, loop, deadline, line_count)
        else:
            self._is_flush_scheduled = False
            self.flush()

    def flush(self) -> None:
        """Write the lines, force them to the disk if answers wait for it, let these proceed."""
        if self._file is None or not self._lines:
            return
        lines, self._lines = self._lines, []
        pending, self._pending = self._pending, []
        _write(self._file, b"".join(lines))
        if pending and self._fsync != "none":
            os.fsync(self._file)
        for proceed in pending:
            proceed()

    def close(self) -> None:
        """Write the remaining lines and close the file."""
        self.flush()
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _open(path: Path | str | None) -> int | None:
    """Open and lock the file; raise `RuntimeError` when another sandbox has it."""
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
    """Cut off a last line without its end: its request was not answered."""
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
