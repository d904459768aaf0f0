"""Comparing the database with a ledger: what was said, and what gateways really took.

The names are those of `docs/guarantees.md`: I2 truth, I3 no duplicates, I4 the write-ahead comes
first, I7 no code after its time, I9 the money. The database has to be quiet: what is under way
cannot be told from what is lost.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from worker import sandbox
from worker.config.settings import Settings
from worker.domain.enums import MessageClass, MessageState
from worker.domain.placeholders import render
from worker.gateways.base import Account
from worker.settlement.invariants import Finding, finding
from worker.store.messages import seen
from worker.store.requests import content_of
from worker.store.restored_backup import RESTORED
from worker.store.schema.tables import message, request, submission

#: States that say "the gateway took it", "it never did", and "one of both".
TAKEN = frozenset({MessageState.SUBMITTED, MessageState.DELIVERED, MessageState.UNDELIVERED})
NEVER = frozenset(
    {
        MessageState.QUEUED,
        MessageState.REJECTED,
        MessageState.EXPIRED,
        MessageState.CANCELLED,
        MessageState.SUPPRESSED,
    }
)


@dataclass
class Counts:
    """The message counts that a person wants to see first."""

    enqueued: int = 0
    taken: int = 0
    rejected: int = 0
    unknown: int = 0
    doubled: int = 0
    lost: int = 0
    states: Counter[str] = field(default_factory=Counter)


def ledger(connection: Connection, settings: Settings, path: Path) -> tuple[Counts, list[Finding]]:
    """Compare a quiet database with the ledger of what gateways really took."""
    counts = Counts()
    said, segments = _said(connection, settings, counts)
    # Nothing more is asked: the database need not hold a transaction while files are compared.
    connection.rollback()
    lines, paid = _lines(path)
    counts.taken = sum(one.times for one in lines.values())
    broken: dict[str, list[str]] = {law: [] for law in LAWS}
    for key in lines.keys() | said.keys():
        mine = said.get(key, _Said())
        here = lines.get(key, _Taken())
        elsewhere = [lines.get(first, _Taken()).times for first in mine.instead]
        _hold(mine, here, elsewhere, broken, counts, name=_name(key, mine))
    found = [finding(law, words, broken[law]) for law, words in LAWS.items()]
    return counts, [*found, _money(paid, segments)]


LAWS = {
    "I2": "what is submitted is in the ledger, what never was is not",
    "I3": "no message is in the ledger more often than its class allows",
    "I4": "each line of the ledger has a write-ahead before it",
    "I7": "no code is taken after its validity",
}
#: How far the ledger's clock and the database's may be apart, in seconds.
CLOCKS = 0.05

#: One text to one number at one gateway.
_Key = tuple[str, str, str]


@dataclass
class _Taken:
    """What the ledger says of one text to one number at one gateway."""

    times: int = 0
    first: float = 0.0
    last: float = 0.0


@dataclass
class _Said:
    """What the database says of one text to one number at one gateway."""

    certain: int = 0
    possible: int = 0
    called: float | None = None
    #: When the last of its codes ends to be valid; None when one of them is no code.
    until: float | None = None
    #: Where the first submissions were taken of those that were sent once more.
    instead: list[_Key] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)


def _lines(path: Path) -> tuple[dict[_Key, _Taken], int]:
    """Read a ledger: what was taken, and how many segments in all."""
    lines: dict[_Key, _Taken] = {}
    paid = 0
    for entry in sandbox.read(path):
        for msisdn in entry.taken or ():
            key = (entry.gateway, msisdn, entry.text or "")
            one = lines.setdefault(key, _Taken(first=entry.at))
            one.times += 1
            one.last = entry.at
            paid += entry.segments or 1
    return lines, paid


def _hold(
    mine: _Said,
    here: _Taken,
    elsewhere: list[int],
    broken: dict[str, list[str]],
    counts: Counts,
    *,
    name: str,
) -> None:
    """Hold what was said of one text to one number against what was taken."""
    if here.times < mine.certain:
        counts.lost += mine.certain - here.times
        broken["I2"].append(f"{name}: {mine.certain} submitted, {here.times} in the ledger")
    allowed = mine.certain + mine.possible
    if here.times > allowed:
        counts.doubled += here.times - allowed
        broken["I3"].append(f"{name}: {here.times} in the ledger, {allowed} can be explained")
    if here.times and mine.called is not None and here.first < mine.called - CLOCKS:
        broken["I4"].append(f"{name}: taken before its write-ahead")
    if here.times and mine.until is not None and here.last > mine.until + CLOCKS:
        broken["I7"].append(f"{name}: taken after its validity")
    if any(here.times + times == 0 for times in elsewhere):
        counts.lost += 1
        broken["I2"].append(f"{name}: submitted, and in no ledger")


def _name(key: _Key, mine: _Said) -> str:
    return ", ".join(mine.ids[:3]) or f"a message at {key[0]} that nobody enqueued"


def _said(
    connection: Connection, settings: Settings, counts: Counts
) -> tuple[dict[_Key, _Said], tuple[int, int]]:
    said: dict[_Key, _Said] = defaultdict(_Said)
    certain = possible = 0
    for row in _messages(connection):
        state = MessageState(row.state)
        counts.enqueued += 1
        counts.states[state.value] += 1
        counts.rejected += state is MessageState.REJECTED
        counts.unknown += state is MessageState.UNKNOWN
        account = settings.accounts.get(row.account or "")
        if account is None:
            continue
        one = said[account.gateway.name, row.msisdn, _text(account, row)]
        _say(one, row, settings.top.lease)
        parts = row.segments or 1
        if state in TAKEN and row.resend_of is None:
            one.certain += 1
            certain += parts
        elif state in TAKEN:
            # One of the two was taken; of the other nobody knows.
            one.possible += 1
            certain += parts
        elif state not in NEVER:
            one.possible += 1
            possible += parts
        # A resend may have put a second line there, and one through another account elsewhere.
        if row.resend_of is not None:
            first = _allow_first(settings, said, row)
            if state in TAKEN and first is not None:
                one.instead.append(first)
            possible += parts
        if row.code == RESTORED and state is MessageState.UNKNOWN:
            _allow_anywhere(settings, said, row, but=account)
    return said, (certain, possible)


def _say(one: _Said, row: Any, lease: float) -> None:
    """Note of whom is spoken, since when it may be in the ledger, and until when."""
    one.ids.append(row.id)
    called = row.first_called or row.called
    one.called = min(filter(None, (one.called, called and called.timestamp())), default=None)
    if row.message_class == MessageClass.OTP.value and row.not_after is not None:
        one.until = max(one.until or 0.0, row.not_after.timestamp() + lease)


def _allow_anywhere(settings: Settings, said: dict[_Key, _Said], row: Any, *, but: Account) -> None:
    """What a restored backup forgot may have gone through any account that serves its class."""
    for name in {one.gateway.name for one in settings.accounts.values()} - {but.gateway.name}:
        one = next(one for one in settings.accounts.values() if one.gateway.name == name)
        other = said[name, row.msisdn, _text(one, row)]
        other.possible += 1
        other.ids.append(row.id)


def _allow_first(settings: Settings, said: dict[_Key, _Said], row: Any) -> _Key | None:
    first = settings.accounts.get(row.first_account or "")
    if first is None:
        return None
    key = (first.gateway.name, row.msisdn, _text(first, row))
    said[key].possible += 1
    said[key].ids.append(row.id)
    return key


def _text(account: Account, row: Any) -> str:
    content = content_of(row)
    if row.own_variables:
        return render(content.text, dict(row.own_variables))
    return account.gateway.body(content)


def _messages(connection: Connection) -> Iterator[Any]:
    first = submission.alias("first")
    query = (
        select(
            seen.c.id,
            seen.c.msisdn,
            seen.c.state,
            seen.c.account,
            seen.c.segments,
            request.c.text,
            request.c.extension,
            request.c.template,
            request.c.variables,
            request.c.options,
            message.c.variables.label("own_variables"),
            submission.c.called_at.label("called"),
            submission.c.resend_of,
            submission.c.code,
            request.c.message_class,
            request.c.not_after,
            first.c.called_at.label("first_called"),
            first.c.account.label("first_account"),
        )
        .join(request, request.c.id == seen.c.request_id)
        .join(message, (message.c.request_id == seen.c.request_id) & (message.c.n == seen.c.n))
        .outerjoin(submission, submission.c.id == seen.c.submission_id)
        .outerjoin(first, first.c.id == submission.c.resend_of)
    )
    yield from connection.execution_options(yield_per=5000).execute(query)


def _money(paid: int, segments: tuple[int, int]) -> Finding:
    certain, possible = segments
    law = "segments taken and segments counted differ by no more than those of unknown messages"
    if certain <= paid <= certain + possible:
        return Finding("I9", law)
    what = f"{paid} segments in the ledger, {certain} counted, {possible} more unknown"
    return Finding("I9", law, 1, (what,))
