"""From the queue to the gateway: claim, write ahead, call, record. The order is the promise.

1. *Claim* leases what is due, in one short transaction.
2. *Write ahead* fixes who is sent to and commits: from then on the outcome is unknown until proven.
3. *Call* sends one request, once.
4. *Record* writes the outcome, guarded by the fence; whoever lost the race leaves only evidence.

The steps are functions of a connection; `worker.lanes` drives them.
"""

import random
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import httpx
from sqlalchemy import Connection

from worker import rendering, retry, routing, segments
from worker.answers import Result, Results
from worker.errors import NotSent, WireError
from worker.gateway import Account, Content, Parcel
from worker.settings import Settings
from worker.store import accounts, events, messages, requests, submissions
from worker.store.requests import DueRequest
from worker.store.submissions import Lease, Member, Planned, Recorded
from worker.terms import (
    Fault,
    MessageClass,
    MessageState,
    NumberKind,
    Outcome,
    SubmissionState,
)

#: How long what is due waits when no account can take it now, and when all places are taken.
NO_ACCOUNT = 2.0
CROWDED = 0.1
#: Due rows looked at in one claim.
MOST_ROWS = 64


@dataclass(frozen=True, slots=True)
class Ready:
    """A submission in flight: its lease, its account, its messages; to be called now."""

    lease: Lease
    account: Account
    parcel: Parcel
    #: The boot clock when its write-ahead began, in seconds.
    since: float


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended."""

    ready: Ready
    results: Results
    seconds: float


def boot_clock() -> float:
    """Seconds on a clock that also runs while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


# --- claim ---------------------------------------------------------------------------------------


@dataclass
class Claim:
    """One look for due work of a class, within one transaction."""

    settings: Settings
    message_class: MessageClass
    owner: str
    #: Free places by account: how many submissions may still begin.
    room: dict[str, int]
    held: frozenset[str]
    at: datetime
    #: True when something waits for a free place only: look again soon.
    crowded: bool = False

    def take(self, connection: Connection) -> list[Lease]:
        """Lease what is due and has room: first what came back, then what is fresh."""
        taken: list[Lease] = []
        most = min(MOST_ROWS, sum(places for places in self.room.values() if places > 0))
        if most <= 0:
            return taken
        for waiting in submissions.planned(connection, self.message_class, most):
            taken += self._again(connection, waiting)
        for fresh in requests.due(connection, self.message_class, most, self._closed()):
            taken += self._fresh(connection, fresh)
        return taken

    def _again(self, connection: Connection, waiting: Planned) -> list[Lease]:
        account = self._choose(waiting.named, waiting.content, waiting.kinds)
        if isinstance(account, float):
            submissions.postpone(connection, waiting.id, account)
            return []
        if account.batch_cap < waiting.size:
            self._cut(connection, waiting, account)
            return []
        lease = submissions.lease(
            connection,
            waiting,
            account.name,
            _segments(account, waiting.content),
            _reference(account),
            seconds=self._patience(account),
            owner=self.owner,
        )
        return [lease] if lease else []

    def _cut(self, connection: Connection, waiting: Planned, account: Account) -> None:
        """Plan a range again in pieces that an account with a smaller cap can take."""
        self.crowded = True
        if waiting.lo is None or waiting.hi is None:
            submissions.postpone(connection, waiting.id, NO_ACCOUNT)
            return
        for lo in range(waiting.lo, waiting.hi, account.batch_cap):
            piece = (lo, min(lo + account.batch_cap, waiting.hi))
            submissions.succeed(connection, waiting, piece, wait=0.0, tries=waiting.attempts)
        submissions.close(connection, [waiting.id], SubmissionState.PLANNED)

    def _fresh(self, connection: Connection, fresh: DueRequest) -> list[Lease]:
        if fresh.expired:
            requests.end_rest(connection, fresh.id, MessageState.EXPIRED)
            return []
        account = self._choose(fresh.account, fresh.content, fresh.kinds)
        if isinstance(account, float):
            requests.postpone(connection, fresh.id, account)
            return []
        ranges = self._ranges(account, fresh)
        requests.advance(connection, fresh, ranges[-1][1])
        return submissions.open_range(
            connection,
            [self._lease(account, fresh, lo, hi) for lo, hi in ranges],
            segments=_segments(account, fresh.content),
            seconds=self._patience(account),
            owner=self.owner,
        )

    def _lease(self, account: Account, fresh: DueRequest, lo: int, hi: int) -> Lease:
        return Lease(
            id=0,
            fence=1,
            account=account.name,
            message_class=self.message_class,
            request_id=fresh.id,
            lo=lo,
            hi=hi,
            size=hi - lo,
            attempts=0,
            content=fresh.content,
            reference=_reference(account),
        )

    def _ranges(self, account: Account, fresh: DueRequest) -> list[tuple[int, int]]:
        """Cut what is left of a request by the batch cap, into as many as there is room for."""
        cap = 1 if fresh.personal else account.batch_cap
        ends = range(fresh.next_n, fresh.total, cap)
        ranges = [(lo, min(lo + cap, fresh.total)) for lo in ends[: self.room[account.name] + 1]]
        self.room[account.name] -= len(ranges) - 1
        return ranges

    def _closed(self) -> set[str]:
        """The accounts that take nothing now; what names one of them need not be looked at."""
        return {name for name, places in self.room.items() if places <= 0} | self.held

    def _choose(self, named: str | None, content: Content, kinds: str) -> Account | float:
        """Choose an account and take a place there, or say in how many seconds to ask again."""
        asked = routing.candidates(self.settings.accounts.values(), self.message_class, named)
        wanted = [NumberKind(kind) for kind in kinds.split(",") if kind]
        able = [one for one in asked if not routing.problems(one, content, wanted)]
        free = [one for one in able if one.name not in self.held]
        if self.message_class is MessageClass.MARKETING and free:
            waits = [routing.until_open(one, self.at) for one in free]
            free = [one for one, wait in zip(free, waits, strict=True) if wait <= 0]
            if not free:
                return min(waits)
        account = routing.choose(free, random.random, self._closed())
        if account is not None:
            self.room[account.name] -= 1
            return account
        self.crowded = self.crowded or bool(free)
        return CROWDED if free else NO_ACCOUNT

    def _patience(self, account: Account) -> float:
        return self.settings.top.lease + account.settings.timeout


def _segments(account: Account, content: Content) -> int:
    return segments.count(account.gateway.body(content), account.settings.added_signature)


def _reference(account: Account) -> str:
    return uuid.uuid4().hex if account.gateway.capabilities.reference else ""


# --- write ahead ---------------------------------------------------------------------------------


def write_ahead(connection: Connection, settings: Settings, leases: Sequence[Lease]) -> list[Ready]:
    """Put leases in flight and return what is to be called, once the transaction is committed."""
    since = boot_clock()
    patience = settings.top.lease + max(
        settings.accounts[one.account].settings.timeout for one in leases
    )
    flying = submissions.write_ahead(connection, leases, seconds=patience)
    members = submissions.members(connection, flying, _opt_out_classes(settings))
    messages.end(connection, members)
    to_send: dict[int, list[Member]] = {one: [] for one in flying}
    for member in members:
        if member.state is None:
            to_send[member.submission_id].append(member)
    submissions.close(
        connection, [one for one, left in to_send.items() if not left], SubmissionState.IN_FLIGHT
    )
    ready = [_ready(settings, one, to_send[one.id], since) for one in leases if to_send.get(one.id)]
    submissions.resize(
        connection,
        {
            one.lease.id: (len(one.parcel.msisdns), _segments(one.account, one.parcel.content))
            for one in ready
            if len(one.parcel.msisdns) != one.lease.size
            or one.parcel.content is not one.lease.content
        },
    )
    return ready


def _ready(settings: Settings, lease: Lease, members: list[Member], since: float) -> Ready:
    account = settings.accounts[lease.account]
    content = lease.content
    own = members[0].variables
    if own and content.template:
        content = replace(content, variables=own)
    elif own:
        content = replace(content, text=rendering.render(content.text, own))
    parcel = Parcel(tuple(one.msisdn for one in members), content, lease.reference)
    return Ready(replace(lease, attempts=lease.attempts + 1), account, parcel, since)


def _opt_out_classes(settings: Settings) -> list[str]:
    """The classes for which opt-outs hold: never otp."""
    classes = [MessageClass.MARKETING.value]
    return [*classes, MessageClass.NOTICE.value] if settings.top.opt_out_notice else classes


# --- call ----------------------------------------------------------------------------------------


async def call(
    ready: Ready,
    send: Callable[[httpx.Request, float], Awaitable[httpx.Response]],
    settings: Settings,
) -> Answer:
    """Send one submission and read its answer; whatever happens is an answer."""
    began = boot_clock()
    gateway, timeout = ready.account.gateway, ready.account.settings.timeout
    if began - ready.since > settings.top.lease:
        # The process slept: somebody may have taken the lease over.
        late = Result(Outcome.NOT_SENT, "late", "the process was stopped before it could send")
        return Answer(ready, Results(late), 0.0)
    try:
        request = gateway.submit_request(ready.parcel, datetime.now(UTC))
    except (ValueError, TypeError) as error:
        # It was checked when it was enqueued; the account's settings may have changed since.
        unsayable = Result(Outcome.REJECTED, "unsayable", type(error).__name__, fault=Fault.TEXT)
        return Answer(ready, Results(unsayable), 0.0)
    try:
        response = await send(request, timeout)
    except WireError as error:
        outcome = Outcome.NOT_SENT if isinstance(error, NotSent) else Outcome.UNKNOWN
        results = Results(Result(outcome, type(error).__name__, str(error)))
    else:
        results = _read(ready, response)
    return Answer(ready, results, boot_clock() - began)


def _read(ready: Ready, response: httpx.Response) -> Results:
    """Read an answer; whatever a reader stumbles over, the gateway may have taken the messages."""
    try:
        return ready.account.gateway.read_results(response, ready.parcel)
    except Exception as error:  # noqa: BLE001 - readers never raise; if one does, it is unknown
        return Results(Result(Outcome.UNKNOWN, "unreadable", type(error).__name__, mapped=False))


# --- record --------------------------------------------------------------------------------------

_ENDS: Mapping[Outcome, SubmissionState] = {
    Outcome.ACCEPTED: SubmissionState.ACCEPTED,
    Outcome.REJECTED: SubmissionState.REJECTED,
    Outcome.UNKNOWN: SubmissionState.UNKNOWN,
}


def record(connection: Connection, answers: Sequence[Answer], owner: str) -> None:
    """Write outcomes and what follows from them; it may be repeated after a lost commit.

    Whoever lost the race against the sweep leaves only evidence, which ends the doubt.
    """
    calls = [
        Recorded(
            one.ready.lease,
            _ENDS.get(one.results.one.outcome, SubmissionState.NOT_SENT),
            one.results.one,
        )
        for one in answers
    ]
    found = submissions.sort(connection, calls)
    submissions.record(connection, found.ours)
    for call in found.ours:
        _follow(connection, call, owner)
    for call in found.late:
        settled = submissions.settle(connection, call)
        events.add(
            connection,
            "submission.late_answer",
            owner,
            account=call.lease.account,
            submission_id=call.lease.id,
            detail={"outcome": call.result.outcome.value, "settled": settled},
        )
        if settled:
            _follow(connection, call, owner)


def _follow(connection: Connection, written: Recorded, owner: str) -> None:
    lease, result = written.lease, written.result
    if result.outcome is Outcome.ACCOUNT_HELD:
        accounts.hold(connection, lease.account, result.code, result.words, result.hold)
        events.add(
            connection, "account.held", owner, account=lease.account, detail={"code": result.code}
        )
    if result.outcome in retry.BACK:
        tries = lease.attempts - (result.outcome not in retry.COUNTED)
        wait = retry.pause(result, tries, datetime.now(UTC), random.random)
        submissions.succeed(connection, lease, None, wait=wait, tries=tries)
    elif written.state is SubmissionState.UNKNOWN:
        events.add(
            connection,
            "submission.unknown",
            owner,
            account=lease.account,
            request_id=lease.request_id,
            submission_id=lease.id,
            detail={"code": result.code, "mapped": result.mapped},
        )
