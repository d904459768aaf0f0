"""From a claim to an answer: write ahead, then call. The order is the promise.

A claim puts submissions in flight, *write ahead* fixes who is sent to, and one commit makes both
last: from then on the outcome is unknown until proven. *Call* sends one request, once.
`worker.delivery.claim` comes before, `worker.delivery.record` after; a lane drives them.
"""

import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import httpx
import structlog
from sqlalchemy import Connection

from worker import failpoints
from worker.config.settings import Settings
from worker.delivery import recipient_limits
from worker.delivery.claim import parts
from worker.domain import placeholders
from worker.domain.enums import Fault, Outcome, SubmissionState
from worker.domain.errors import NotSent, WireError
from worker.gateways.base import Account, Content, OutgoingSubmission
from worker.gateways.results import Result, Results
from worker.store import (
    accounts,
    claims,
    messages,
    outcomes,
    submission_messages,
    unknown,
)
from worker.store.claims import Lease
from worker.store.submission_messages import SubmissionMessage

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class PreparedSubmission:
    """A submission in flight: its lease, its account, its messages; to be called now."""

    lease: Lease
    account: Account
    parcel: OutgoingSubmission
    #: The boot clock when its write-ahead began, in seconds.
    since: float


@dataclass(frozen=True, slots=True)
class CallAnswer:
    """How a call ended."""

    ready: PreparedSubmission
    results: Results
    seconds: float


def boot_clock() -> float:
    """Seconds on a clock that also runs while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def write_ahead(
    connection: Connection, settings: Settings, leases: Sequence[Lease]
) -> list[PreparedSubmission]:
    """Fix what submissions in flight carry, in the transaction that claimed them.

    Returns what is to be called once that is committed: nothing of what has nothing to send.
    """
    since = boot_clock()
    patience = settings.top.lease + max(
        settings.accounts[one.account].settings.timeout for one in leases
    )
    classes = settings.opt_out_classes
    asked = [one for one in leases if one.probe]
    leases, carried = recipient_limits.spare(connection, settings, leases, classes, patience)
    numbers: Mapping[int, tuple[str, ...]] = {}
    if carried is None:
        plain = [one.id for one in leases if one.plain]
        numbers = submission_messages.numbers(connection, plain, classes) if plain else {}
        others = [one for one in leases if one.id not in numbers]
        carried = submission_messages.carried(connection, others, classes) if others else []
    parted = _parted(connection, leases, numbers, carried)
    ready = [
        _called(settings, one, numbers[one.id], one.content, since)
        if one.id in numbers
        else _ready(settings, one, parted[one.id], since)
        for one in leases
        if one.id in numbers or parted[one.id]
    ]
    _give_probes(connection, settings, asked, {one.lease.id for one in ready})
    claims.resize(
        connection,
        {
            one.lease.id: (len(one.parcel.msisdns), parts(one.account, one.parcel.content))
            for one in ready
            if len(one.parcel.msisdns) != one.lease.size
            or one.parcel.content is not one.lease.content
        },
    )
    return ready


def _give_probes(
    connection: Connection, settings: Settings, asked: Sequence[Lease], ready: Collection[int]
) -> None:
    """Give the right to ask an account back, where nothing is left to be sent."""
    for one in asked:
        if one.id not in ready:
            for name in sorted({one.account, settings.logins.keeper(one.account)}):
                accounts.give_probe(connection, name)


def _parted(
    connection: Connection,
    leases: Sequence[Lease],
    whole: Collection[int],
    carried: Sequence[SubmissionMessage],
) -> dict[int, list[SubmissionMessage]]:
    """Return what is to be sent of leases that are not `whole`, and give the rest its end."""
    to_send: dict[int, list[SubmissionMessage]] = {
        one.id: [] for one in leases if one.id not in whole
    }
    ended: dict[int, list[SubmissionMessage]] = {one: [] for one in to_send}
    for member in carried:
        if member.submission_id in to_send:
            (to_send if member.state is None else ended)[member.submission_id].append(member)
    for one in leases:
        if ended.get(one.id):
            _end(connection, one, ended[one.id])
    nothing = [one for one, left in to_send.items() if not left]
    outcomes.close(connection, nothing, SubmissionState.IN_FLIGHT)
    return to_send


def again(connection: Connection, settings: Settings, lease: Lease) -> PreparedSubmission | None:
    """Return an unknown submission as it was sent; None when it cannot be sent so any more."""
    found = submission_messages.of(connection, [lease.id], ())
    if not found or len(found) != lease.size or any(one.state for one in found):
        return None
    once_more = replace(lease, attempts=lease.attempts + 1)
    return _ready(settings, once_more, found, boot_clock())


def _end(connection: Connection, lease: Lease, ended: list[SubmissionMessage]) -> None:
    """Give messages that are not sent any more their end; those of a resend are unknown again."""
    if lease.resend_of is None:
        messages.end(connection, ended)
    elif ended:
        ids = [(one.request_id, one.n) for one in ended]
        unknown.give_back(connection, lease.id, lease.resend_of, ids)


def _ready(
    settings: Settings, lease: Lease, carried: list[SubmissionMessage], since: float
) -> PreparedSubmission:
    content = lease.content
    own = carried[0].variables
    if own and content.template:
        content = replace(content, variables=own)
    elif own:
        content = replace(content, text=placeholders.render(content.text, own))
    return _called(settings, lease, tuple(one.msisdn for one in carried), content, since)


def _called(
    settings: Settings, lease: Lease, numbers: tuple[str, ...], content: Content, since: float
) -> PreparedSubmission:
    parcel = OutgoingSubmission(numbers, content, lease.reference)
    return PreparedSubmission(lease, settings.accounts[lease.account], parcel, since)


async def call(
    ready: PreparedSubmission,
    send: Callable[[httpx.Request, float], Awaitable[httpx.Response]],
    settings: Settings,
) -> CallAnswer:
    """Send one submission and read its answer; whatever happens is an answer."""
    try:
        return await _call(ready, send, settings)
    except Exception as error:
        # A fault of ours, perhaps after the first byte: nobody knows.
        log.exception("call.failed", submission=ready.lease.id, why=type(error).__name__)
        fault = Result(Outcome.UNKNOWN, "fault", type(error).__name__, mapped=False)
        return CallAnswer(ready, Results(fault), 0.0)


async def _call(
    ready: PreparedSubmission,
    send: Callable[[httpx.Request, float], Awaitable[httpx.Response]],
    settings: Settings,
) -> CallAnswer:
    failpoints.reach("call.before")
    began = boot_clock()
    gateway, timeout = ready.account.gateway, ready.account.settings.timeout
    if began - ready.since > settings.top.lease:
        # The process slept: somebody may have taken the lease over.
        late = Result(Outcome.NOT_SENT, "late", "the process was stopped before it could send")
        return CallAnswer(ready, Results(late), 0.0)
    try:
        request = gateway.submit_request(ready.parcel, datetime.now(UTC))
    except (ValueError, TypeError) as error:
        # It was checked when it was enqueued; the account's settings may have changed since.
        unsayable = Result(Outcome.REJECTED, "unsayable", type(error).__name__, fault=Fault.TEXT)
        return CallAnswer(ready, Results(unsayable), 0.0)
    failpoints.reach("call.sending")
    try:
        response = await send(request, timeout)
    except WireError as error:
        outcome = Outcome.NOT_SENT if isinstance(error, NotSent) else Outcome.UNKNOWN
        results = Results(Result(outcome, type(error).__name__, str(error)))
    else:
        results = _read(ready, response)
    failpoints.reach("call.after")
    return CallAnswer(ready, results, boot_clock() - began)


def _read(ready: PreparedSubmission, response: httpx.Response) -> Results:
    """Read an answer; whatever a reader stumbles over, the gateway may have taken the messages."""
    try:
        return ready.account.gateway.read_results(response, ready.parcel)
    except Exception as error:  # noqa: BLE001 - readers never raise; if one does, it is unknown
        return Results(Result(Outcome.UNKNOWN, "unreadable", type(error).__name__, mapped=False))
