"""Compare the database with a ledger: what messages became, and what gateways really took.

The names are those of `docs/guarantees.md`: I2 truth, I3 no duplicates, I4 the write-ahead comes
first, I7 no code after its time, I9 the money. The database has to be quiet: what is under way
cannot be told from what is lost.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from worker import sandbox
from worker.config.settings import Settings
from worker.domain.enums import MessageClass, MessageState
from worker.domain.renderings import Rendering
from worker.domain.transitions import NEVER_TAKEN_STATES, TAKEN_STATES
from worker.gateways import contents
from worker.gateways.base import Account
from worker.settlement.invariants import Finding, finding
from worker.store.intake.requests import content_of
from worker.store.messages import message_view
from worker.store.schema.tables import message, request, submission
from worker.store.settlement.restored_backup import RESTORED
from worker.store.templates import usable

LAWS = {
    "I2": "what is submitted is in the ledger, what never was is not",
    "I3": "no message is in the ledger more often than its class allows",
    "I4": "each line of the ledger has a write-ahead before it",
    "I7": "no code is taken after its validity",
}
#: How far the ledger's clock and the database's may be apart, in seconds.
CLOCK_DIFFERENCE = 0.05

#: One text to one number at one gateway: the gateway's name, the number, the text.
_Key = tuple[str, str, str]


@dataclass
class MessageCounts:
    """The message counts that a person wants to see first."""

    enqueued: int = 0
    taken: int = 0
    rejected: int = 0
    unknown: int = 0
    doubled: int = 0
    lost: int = 0
    states: Counter[str] = field(default_factory=Counter)


@dataclass
class _LedgerLines:
    """The lines of the ledger about one text to one number at one gateway."""

    count: int = 0
    first_at: float = 0.0
    last_at: float = 0.0


@dataclass
class _Expectation:
    """What the database says that the ledger holds of one text to one number at one gateway."""

    #: How many lines there are for certain, and how many more there may be.
    certain: int = 0
    possible: int = 0
    #: When the first call was written ahead, in seconds since 1970.
    called_at: float | None = None
    #: When the last of its codes ends to be valid; None when none of them is a code.
    valid_until: float | None = None
    #: Where the first submissions may have been taken of those that were sent once more.
    first_keys: list[_Key] = field(default_factory=list)
    message_ids: list[str] = field(default_factory=list)

    def add_message(self, row: Any, lease_seconds: float) -> None:
        """Note a message: since when it may be in the ledger, and until when."""
        self.message_ids.append(row.id)
        called = row.first_called or row.called
        times = (self.called_at, called and called.timestamp())
        self.called_at = min(filter(None, times), default=None)
        if row.message_class == MessageClass.OTP.value and row.not_after is not None:
            ends_at = row.not_after.timestamp() + lease_seconds
            self.valid_until = max(self.valid_until or 0.0, ends_at)

    def add_possible(self, row: Any) -> None:
        """Note that the ledger may hold one more line, of the message in `row`."""
        self.possible += 1
        self.message_ids.append(row.id)


def compare(
    connection: Connection, settings: Settings, path: Path
) -> tuple[MessageCounts, list[Finding]]:
    """Compare a quiet database with the ledger of what gateways really took."""
    recorded = _read_database(connection, settings)
    # The database need not hold a transaction while files are compared.
    connection.rollback()
    lines_by_key, taken_segments = _read_ledger(path)
    counts = recorded.counts
    counts.taken = sum(lines.count for lines in lines_by_key.values())
    broken: dict[str, list[str]] = {law: [] for law in LAWS}
    for key in lines_by_key.keys() | recorded.expectations.keys():
        expectation = recorded.expectations.get(key, _Expectation())
        first_counts = [
            lines_by_key.get(first_key, _LedgerLines()).count
            for first_key in expectation.first_keys
        ]
        lines = lines_by_key.get(key, _LedgerLines())
        name = _name(key, expectation)
        _check(expectation, lines, first_counts, broken, counts, name=name)
    findings = [finding(law, wording, broken[law]) for law, wording in LAWS.items()]
    return counts, [*findings, _check_money(taken_segments, recorded)]


def _read_ledger(path: Path) -> tuple[dict[_Key, _LedgerLines], int]:
    """Return the ledger's lines by what was taken, and how many segments it has in all."""
    lines_by_key: dict[_Key, _LedgerLines] = {}
    segments = 0
    for entry in sandbox.read(path):
        for msisdn, text in entry.messages:
            key = (entry.gateway, msisdn, text)
            lines = lines_by_key.setdefault(key, _LedgerLines(first_at=entry.at))
            lines.count += 1
            lines.last_at = entry.at
        segments += entry.segment_sum
    return lines_by_key, segments


def _check(
    expectation: _Expectation,
    lines: _LedgerLines,
    first_counts: list[int],
    broken: dict[str, list[str]],
    counts: MessageCounts,
    *,
    name: str,
) -> None:
    """Add to `broken` and `counts` where the ledger's lines are not as expected.

    `first_counts` are the ledger's counts at the `first_keys` of the expectation.
    """
    if lines.count < expectation.certain:
        counts.lost += expectation.certain - lines.count
        broken["I2"].append(f"{name}: {expectation.certain} submitted, {lines.count} in the ledger")
    allowed = expectation.certain + expectation.possible
    if lines.count > allowed:
        counts.doubled += lines.count - allowed
        broken["I3"].append(f"{name}: {lines.count} in the ledger, {allowed} can be explained")
    called_at, valid_until = expectation.called_at, expectation.valid_until
    if lines.count and called_at is not None and lines.first_at < called_at - CLOCK_DIFFERENCE:
        broken["I4"].append(f"{name}: taken before its write-ahead")
    if lines.count and valid_until is not None and lines.last_at > valid_until + CLOCK_DIFFERENCE:
        broken["I7"].append(f"{name}: taken after its validity")
    if any(lines.count + first_count == 0 for first_count in first_counts):
        counts.lost += 1
        broken["I2"].append(f"{name}: submitted, and in no ledger")


def _name(key: _Key, expectation: _Expectation) -> str:
    return ", ".join(expectation.message_ids[:3]) or f"a message at {key[0]} that nobody enqueued"


@dataclass
class _DatabaseRecord:
    """What the database says of all messages, as the ledger is compared with it."""

    settings: Settings
    #: How templates are sent, by binding.
    renderings: Mapping[int, Rendering]
    counts: MessageCounts = field(default_factory=MessageCounts)
    expectations: dict[_Key, _Expectation] = field(
        default_factory=lambda: defaultdict(_Expectation)
    )
    #: Segments of messages that were taken, and of those that may have been.
    certain_segments: int = 0
    possible_segments: int = 0

    def add_message(self, row: Any) -> None:
        """Note one message."""
        state = MessageState(row.state)
        self._count(state)
        account = self.settings.accounts.get(row.account or "")
        if account is None:
            return
        expectation = self.expectations[account.gateway.name, row.msisdn, self._text(account, row)]
        expectation.add_message(row, self.settings.top.lease)
        segments = row.segments or 1
        if state in TAKEN_STATES:
            self.certain_segments += segments
            if row.resend_of is None:
                expectation.certain += 1
            else:
                # One of its two submissions was taken; of the other nobody knows.
                expectation.possible += 1
        elif state not in NEVER_TAKEN_STATES:
            expectation.possible += 1
            self.possible_segments += segments
        if row.resend_of is not None:
            # The first submission may have put a line of its own there, or at another gateway.
            first_key = self._allow_first_submission(row)
            if state in TAKEN_STATES and first_key is not None:
                expectation.first_keys.append(first_key)
            self.possible_segments += segments
        if row.code == RESTORED and state is MessageState.UNKNOWN:
            self._allow_other_gateways(row, account)

    def _text(self, account: Account, row: Any) -> str:
        """Return the text of a message as the ledger has it of an account's gateway."""
        content, rendering = content_of(row), self.renderings.get(row.binding_id or 0)
        values = dict(row.own_variables or ()) or (content.variables if rendering else None)
        return account.gateway.body(contents.with_values(content, rendering, values))

    def _count(self, state: MessageState) -> None:
        self.counts.enqueued += 1
        self.counts.states[state.value] += 1
        self.counts.rejected += state is MessageState.REJECTED
        self.counts.unknown += state is MessageState.UNKNOWN

    def _allow_first_submission(self, row: Any) -> _Key | None:
        """Allow a line of the submission that was sent once more; return where it would be."""
        account = self.settings.accounts.get(row.first_account or "")
        if account is None:
            return None
        key = (account.gateway.name, row.msisdn, self._text(account, row))
        self.expectations[key].add_possible(row)
        return key

    def _allow_other_gateways(self, row: Any, account: Account) -> None:
        """Allow a line at each other gateway: a restored backup forgot which one was used."""
        accounts_by_gateway: dict[str, Account] = {}
        for other in self.settings.accounts.values():
            accounts_by_gateway.setdefault(other.gateway.name, other)
        for gateway_name, other in accounts_by_gateway.items():
            if gateway_name != account.gateway.name:
                key = (gateway_name, row.msisdn, self._text(other, row))
                self.expectations[key].add_possible(row)


def _read_database(connection: Connection, settings: Settings) -> _DatabaseRecord:
    recorded = _DatabaseRecord(settings, usable.all_renderings(connection))
    for row in _messages(connection):
        recorded.add_message(row)
    return recorded


def _messages(connection: Connection) -> Iterator[Any]:
    """Return all messages with their request, their submission and, of a resend, the first one."""
    first = submission.alias("first")
    query = (
        select(
            message_view.c.id,
            message_view.c.msisdn,
            message_view.c.state,
            message_view.c.account,
            message_view.c.segments,
            request.c.text,
            request.c.extension,
            request.c.template,
            request.c.template_version,
            request.c.variables,
            request.c.options,
            message.c.variables.label("own_variables"),
            submission.c.called_at.label("called"),
            submission.c.resend_of,
            submission.c.code,
            submission.c.binding_id,
            request.c.message_class,
            request.c.not_after,
            first.c.called_at.label("first_called"),
            first.c.account.label("first_account"),
        )
        .join(request, request.c.id == message_view.c.request_id)
        .join(
            message,
            (message.c.request_id == message_view.c.request_id) & (message.c.n == message_view.c.n),
        )
        .outerjoin(submission, submission.c.id == message_view.c.submission_id)
        .outerjoin(first, first.c.id == submission.c.resend_of)
    )
    yield from connection.execution_options(yield_per=5000).execute(query)


def _check_money(taken_segments: int, recorded: _DatabaseRecord) -> Finding:
    certain, possible = recorded.certain_segments, recorded.possible_segments
    law = "segments taken and segments counted differ by no more than those of unknown messages"
    if certain <= taken_segments <= certain + possible:
        return Finding("I9", law)
    difference = (
        f"{taken_segments} segments in the ledger, {certain} counted, {possible} more unknown"
    )
    return Finding("I9", law, 1, (difference,))
