"""Keeps what lasts longer than a request: accounts, tallies, reports and inbound messages."""

import heapq
import itertools
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random

from worker.sandbox.config import Config
from worker.sandbox.exchange import TakenSubmission

#: The segments that an account can pay for unless its funds are set: enough for a benchmark.
DEFAULT_FUNDS = 100_000_000


@dataclass(slots=True)
class PushTarget:
    """The address that an account's reports or inbound messages are pushed to, and their form."""

    url: str
    #: `form` or `json`.
    form: str = "form"
    method: str = "POST"
    #: Whether what was pushed can be pulled too; no document says.
    keep_for_pull: bool = False


@dataclass(slots=True)
class SandboxAccount:
    """A customer of a gateway."""

    gateway: str
    name: str
    #: In clear; each side knows how it is sent.
    password: str
    #: Prepaid segments for each pool; one pool without a name unless the gateway has several.
    funds: dict[str, int] = field(default_factory=lambda: {"": DEFAULT_FUNDS})
    postpaid: bool = False
    #: The number that a handset sees, before any extension.
    service_number: str = "1068112227282"
    pushes: dict[str, PushTarget] = field(default_factory=dict)


@dataclass(slots=True)
class SandboxReport:
    """The fate of one message. `status` is `delivered`, `failed`, `unknown` or a literal word."""

    gateway: str
    account: str
    msisdn: str
    id: str
    status: str
    at: float
    extension: str = ""


@dataclass(slots=True)
class ReportGroup:
    """Reports of one submission that differ in the number only, due at one time."""

    gateway: str
    account: str
    msisdns: list[str]
    id: str
    status: str
    due: float
    extension: str = ""
    #: The time that each report shows, where it is not when it is due.
    shown_time: float | None = None
    #: The identifiers of single messages, by number, where each has one of its own.
    ids: Mapping[str, str] = field(default_factory=dict)

    def reports(self, msisdns: list[str] | None = None) -> Iterator[SandboxReport]:
        """Return a report for each number of the group, or for each of `msisdns`."""
        at = self.due if self.shown_time is None else self.shown_time
        for msisdn in self.msisdns if msisdns is None else msisdns:
            message_id = self.ids.get(msisdn, self.id)
            yield SandboxReport(
                self.gateway, self.account, msisdn, message_id, self.status, at, self.extension
            )


@dataclass(slots=True)
class SandboxInbound:
    """A text from a handset."""

    gateway: str
    account: str
    msisdn: str
    text: str
    at: float
    extension: str = ""
    #: The identifier of the submission that it answers, where the gateway knows.
    id: str = ""


class ReportQueue:
    """An account's reports, read in the order in which they fall due; reading takes them out."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, ReportGroup]] = []
        self._order = itertools.count()
        self.size = 0

    def add(self, group: ReportGroup) -> None:
        """Put a group into the queue, by the time at which it is due."""
        self.size += len(group.msisdns)
        heapq.heappush(self._heap, (group.due, next(self._order), group))

    def drain(self, now: float, limit: int) -> list[SandboxReport]:
        """Take out up to `limit` reports that are due."""
        rows: list[SandboxReport] = []
        while self._heap and self._heap[0][0] <= now and len(rows) < limit:
            group = self._heap[0][2]
            room = limit - len(rows)
            rows.extend(group.reports(group.msisdns[:room]))
            group.msisdns = group.msisdns[room:]
            if not group.msisdns:
                heapq.heappop(self._heap)
        self.size -= len(rows)
        return rows


class InboundBox:
    """An account's inbound messages: read once in order, or again by the hour."""

    def __init__(self) -> None:
        self._unread: list[tuple[float, int, SandboxInbound]] = []
        self._order = itertools.count()
        self._all: deque[SandboxInbound] = deque()

    def __len__(self) -> int:
        return len(self._unread)

    def add(self, message: SandboxInbound) -> None:
        """Put a message in; it shows from its own time on."""
        heapq.heappush(self._unread, (message.at, next(self._order), message))
        self._all.append(message)

    def drain(self, now: float, limit: int) -> list[SandboxInbound]:
        """Take out up to `limit` messages that have come in by now and were not read before."""
        rows: list[SandboxInbound] = []
        while self._unread and self._unread[0][0] <= now and len(rows) < limit:
            rows.append(heapq.heappop(self._unread)[2])
        return rows

    def of_hour(self, begin: float, now: float) -> list[SandboxInbound]:
        """Return all that came in within the hour from `begin`, read or not."""
        return [
            message
            for message in self._all
            if begin <= message.at < begin + 3600 and message.at <= now
        ]

    def forget(self, rows: list[SandboxInbound]) -> None:
        """Count these messages as read."""
        read_ids = {id(message) for message in rows}
        self._unread = [entry for entry in self._unread if id(entry[2]) not in read_ids]
        heapq.heapify(self._unread)


class World:
    """The sandbox's state: all that lasts longer than a request, except the ledger."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.clock: Callable[[], float] = config.clock
        self.random = Random(config.seed)  # noqa: S311 - repeatable, not secret
        self.accounts: dict[tuple[str, str], SandboxAccount] = {}
        #: Messages and segments taken, for each gateway, account and pool.
        self.messages: Counter[tuple[str, str, str]] = Counter()
        self.segments: Counter[tuple[str, str, str]] = Counter()
        self._reports: dict[tuple[str, str], ReportQueue] = {}
        self._inbound: dict[tuple[str, str], InboundBox] = {}
        #: Grows with each submission taken, also over restarts; identifiers are made from it.
        self.serial = 0
        #: The server's address, once it listens.
        self.base_url = ""

    def add(self, account: SandboxAccount, *, spent: bool) -> None:
        """Open an account, or replace the one of that name.

        Its funds pay for what is sent from now on, or, with `spent`, also for what was sent before.
        """
        if not spent:
            for pool in account.funds:
                account.funds[pool] += self.segments[account.gateway, account.name, pool]
        self.accounts[account.gateway, account.name] = account

    def balance(self, account: SandboxAccount, pool: str = "") -> int:
        """Return the segments that the account can still pay for."""
        spent = self.segments[account.gateway, account.name, pool]
        return account.funds.get(pool, 0) - spent

    def next_serial(self) -> int:
        """Return the number of a submission that is about to be taken."""
        self.serial += 1
        return self.serial

    def tally(self, gateway: str, account: str, submission: TakenSubmission) -> None:
        """Count a submission that was taken, which also pays for it."""
        key = (gateway, account, submission.pool)
        self.messages[key] += len(submission.msisdns)
        self.segments[key] += submission.segment_sum

    def sent(self, account: SandboxAccount, *, messages: bool = False) -> int:
        """Return the segments (or messages) that the account has ever sent."""
        counter = self.messages if messages else self.segments
        owner = (account.gateway, account.name)
        return sum(value for key, value in counter.items() if key[:2] == owner)

    def reports(self, gateway: str, account: str) -> ReportQueue:
        """Return the account's queue of reports."""
        return self._reports.setdefault((gateway, account), ReportQueue())

    def inbound(self, gateway: str, account: str) -> InboundBox:
        """Return the account's box of inbound messages."""
        return self._inbound.setdefault((gateway, account), InboundBox())

    def waiting(self) -> dict[str, dict[str, int]]:
        """Count what waits to be pulled, by `gateway/account`."""
        return {
            "reports": {"/".join(key): queue.size for key, queue in self._reports.items()},
            "inbound": {"/".join(key): len(box) for key, box in self._inbound.items()},
        }

    def forget(self) -> None:
        """Drop the reports and messages that wait to be pulled."""
        self._reports.clear()
        self._inbound.clear()
