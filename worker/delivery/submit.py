"""Submit what was claimed: write ahead, then call. The order is the promise.

A claim puts submissions in flight, `write_ahead` fixes which numbers are sent to, and one commit
makes both last: from then on the outcome is unknown until proven. `call_gateway` sends one request,
once.
`worker.delivery.claim` comes before, `worker.delivery.record` after; a lane drives them.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

import httpx
import structlog
from sqlalchemy import Connection

from worker import failpoints
from worker.config.settings import Settings
from worker.delivery import account_guard, recipient_limits, unrenderable
from worker.delivery.admission import personal_segments
from worker.domain.enums import Fault, Outcome, SubmissionState
from worker.domain.errors import NotSent, ProxyRefusal, WireError
from worker.domain.message_ranges import MessageRange, joined
from worker.gateways import contents, reading, storable
from worker.gateways.base import Account, OutgoingSubmission
from worker.gateways.egress import Egress
from worker.gateways.results import Result, Results
from worker.gateways.transport import answer_bounds
from worker.gateways.transport.answer_bounds import AnswerBound
from worker.store import messages
from worker.store.delivery import (
    account_doubts,
    outcomes,
    submission_details,
    submission_messages,
)
from worker.store.delivery.claims import Lease
from worker.store.delivery.submission_details import SubmissionSize
from worker.store.delivery.submission_messages import SubmissionMessage
from worker.store.settlement import unknown
from worker.store.templates import usable

log = structlog.get_logger()

#: Sends a request, within so many seconds and up to so long an answer, by an account's way out.
Send = Callable[[httpx.Request, float, AnswerBound, Egress], Awaitable[httpx.Response]]

#: A longer answer, in bytes, is read in a thread: the event loop goes on with other calls.
_SHORT_ANSWER_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class PreparedSubmission:
    """A submission in flight that is to be called now: its lease, its account, its messages."""

    lease: Lease
    account: Account
    outgoing: OutgoingSubmission
    #: The boot clock when its write-ahead began, in seconds.
    written_ahead_at: float
    #: The messages that it carries; None where they are its whole range.
    carried: Sequence[SubmissionMessage] | None = None
    #: The segments of its messages, where these were counted one by one.
    segment_sum: int | None = None

    @property
    def ranges(self) -> tuple[MessageRange, ...]:
        """The messages that it carries, in the order of the numbers."""
        if self.carried is not None:
            return joined(message.key for message in self.carried)
        if self.lease.lo is None or self.lease.hi is None:
            return ()
        return (MessageRange(self.lease.request_id, self.lease.lo, self.lease.hi),)


@dataclass(frozen=True, slots=True)
class CallAnswer:
    """How a call ended."""

    prepared: PreparedSubmission
    results: Results
    #: How long the call took; 0.0 when nothing was sent.
    seconds: float


def boot_clock() -> float:
    """Return the seconds of a clock that also runs while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def write_ahead(
    connection: Connection, settings: Settings, leases: Sequence[Lease]
) -> list[PreparedSubmission]:
    """Fix what submissions in flight carry, in the transaction that claimed them.

    Returns what is to be called once that is committed: no submission that has nothing to send.
    """
    written_ahead_at = boot_clock()
    max_seconds = settings.top.lease + max(
        settings.accounts[lease.account].settings.timeout for lease in leases
    )
    probes = [lease for lease in leases if lease.probe]
    classes = settings.opt_out_classes
    leases, carried = recipient_limits.hold_back(connection, settings, leases, classes, max_seconds)
    numbers_by_id: Mapping[int, tuple[str, ...]] = {}
    if carried is None:
        numbers_by_id, carried = _read_carried(connection, leases, classes)
    to_send = _end_unsendable(connection, leases, numbers_by_id.keys(), carried)
    unrenderable.plan_apart(connection, leases, to_send)
    prepared = [
        _prepare_numbers(settings, lease, numbers_by_id[lease.id], written_ahead_at)
        if lease.id in numbers_by_id
        else _prepare_messages(settings, lease, to_send[lease.id], written_ahead_at)
        for lease in leases
        if lease.id in numbers_by_id or to_send[lease.id]
    ]
    prepared_ids = {submission.lease.id for submission in prepared}
    _give_probes_back(
        connection, settings, [probe for probe in probes if probe.id not in prepared_ids]
    )
    return _write_sizes(connection, prepared)


def _read_carried(
    connection: Connection, leases: Sequence[Lease], opt_out_classes: Collection[str]
) -> tuple[Mapping[int, tuple[str, ...]], list[SubmissionMessage]]:
    """Read what leases carry: of plain ranges the numbers by lease, of all others the messages."""
    plain_ids = [lease.id for lease in leases if lease.is_plain_range]
    numbers_by_id: Mapping[int, tuple[str, ...]] = {}
    if plain_ids:
        numbers_by_id = submission_messages.range_numbers(connection, plain_ids, opt_out_classes)
    others = [lease for lease in leases if lease.id not in numbers_by_id]
    if not others:
        return numbers_by_id, []
    return numbers_by_id, submission_messages.of_leases(connection, others, opt_out_classes)


def _give_probes_back(connection: Connection, settings: Settings, unsent: Sequence[Lease]) -> None:
    """Give the right to ask an account back, of probes of which nothing is left to be sent."""
    for lease in unsent:
        for account_name in sorted({lease.account, settings.logins.keeper(lease.account)}):
            account_doubts.release_probe(connection, account_name)


def _write_sizes(
    connection: Connection, prepared: Sequence[PreparedSubmission]
) -> list[PreparedSubmission]:
    """Write how many messages and segments are sent, where it is not what was claimed.

    Returns the submissions, with the segments of those that were counted.
    """
    sizes, counted = {}, []
    for submission in prepared:
        lease, outgoing = submission.lease, submission.outgoing
        is_as_claimed = outgoing.content is lease.content and not outgoing.values
        if is_as_claimed and len(outgoing.msisdns) == lease.size:
            counted.append(submission)
            continue
        size = _size(submission)
        counted.append(replace(submission, segment_sum=size.all_segments))
        if size != SubmissionSize(lease.size, lease.segments):
            sizes[lease.id] = size
    submission_details.set_sizes(connection, sizes)
    return counted


def _size(submission: PreparedSubmission) -> SubmissionSize:
    """Return how many messages a submission carries, and of how many segments each is."""
    outgoing, account = submission.outgoing, submission.account
    count = len(outgoing.msisdns)
    if not outgoing.values or submission.carried is None:
        return SubmissionSize(count, contents.segment_count(account, outgoing.content))
    content, rendering = submission.lease.content, submission.lease.rendering
    by_message = {
        submission_details.message_id(message.key): personal_segments(
            account, content, rendering, message.variables
        )
        for message in submission.carried
    }
    ((commonest, _),) = Counter(by_message.values()).most_common(1)
    others = {name: segments for name, segments in by_message.items() if segments != commonest}
    return SubmissionSize(count, commonest, others)


def _end_unsendable(
    connection: Connection,
    leases: Sequence[Lease],
    whole_ids: Collection[int],
    carried: Sequence[SubmissionMessage],
) -> dict[int, list[SubmissionMessage]]:
    """Give messages that may not be sent any more their end; return those to be sent, by lease.

    Leases of `whole_ids` are sent as they are, and left out.
    """
    to_send: dict[int, list[SubmissionMessage]] = {
        lease.id: [] for lease in leases if lease.id not in whole_ids
    }
    ended: dict[int, list[SubmissionMessage]] = {submission_id: [] for submission_id in to_send}
    for message in carried:
        if message.submission_id in to_send:
            sorted_messages = to_send if message.state is None else ended
            sorted_messages[message.submission_id].append(message)
    for lease in leases:
        if ended.get(lease.id):
            _end_messages(connection, lease, ended[lease.id])
    emptied_ids = [submission_id for submission_id, sendable in to_send.items() if not sendable]
    outcomes.mark_not_sent(connection, emptied_ids, SubmissionState.IN_FLIGHT)
    return to_send


def prepare_repeat(
    connection: Connection, settings: Settings, lease: Lease
) -> PreparedSubmission | None:
    """Return an unknown submission as it was sent; None when it cannot be sent so any more."""
    carried = submission_messages.of_submissions(connection, [lease.id], ())
    if not carried or len(carried) != lease.size or any(message.state for message in carried):
        return None
    repeat = replace(lease, attempts=lease.attempts + 1)
    if lease.binding_id is not None:
        rendering = usable.rendering_of(connection, lease.binding_id)
        if rendering is None:
            return None
        is_personal = any(message.variables for message in carried)
        shared_values = None if is_personal else lease.content.variables
        content = contents.rendered(lease.content, rendering, shared_values)
        repeat = replace(repeat, content=content, rendering=rendering)
    return _prepare_messages(settings, repeat, carried, boot_clock())


def _end_messages(connection: Connection, lease: Lease, ended: Sequence[SubmissionMessage]) -> None:
    """Give messages that are not sent any more their end; those of a resend are unknown again."""
    if lease.resend_of is None:
        messages.end(connection, ended)
    else:
        keys = [message.key for message in ended]
        unknown.return_messages(connection, lease.id, lease.resend_of, keys)


def _prepare_messages(
    settings: Settings,
    lease: Lease,
    carried: Sequence[SubmissionMessage],
    written_ahead_at: float,
) -> PreparedSubmission:
    """Prepare a submission of messages; values that they share go into the content."""
    numbers = tuple(message.msisdn for message in carried)
    variables = carried[0].variables
    if any(message.variables != variables for message in carried):
        values = tuple(message.variables or {} for message in carried)
        outgoing = OutgoingSubmission(
            numbers, lease.content, lease.reference, values, lease.rendering
        )
    else:
        content = contents.with_values(lease.content, lease.rendering, variables)
        outgoing = OutgoingSubmission(numbers, content, lease.reference, rendering=lease.rendering)
    account = settings.accounts[lease.account]
    return PreparedSubmission(lease, account, outgoing, written_ahead_at, carried)


def _prepare_numbers(
    settings: Settings, lease: Lease, numbers: tuple[str, ...], written_ahead_at: float
) -> PreparedSubmission:
    """Prepare a submission of messages that differ in their numbers only, and are a whole range."""
    outgoing = OutgoingSubmission(
        numbers, lease.content, lease.reference, rendering=lease.rendering
    )
    account = settings.accounts[lease.account]
    return PreparedSubmission(lease, account, outgoing, written_ahead_at)


async def call_gateway(prepared: PreparedSubmission, send: Send, settings: Settings) -> CallAnswer:
    """Send one submission and read its answer; whatever happens is an answer."""
    try:
        return await _call_gateway(prepared, send, settings)
    except Exception as error:
        # A fault of ours, perhaps after the first byte: nobody knows.
        log.exception("call.failed", submission=prepared.lease.id, why=type(error).__name__)
        fault = Result(Outcome.UNKNOWN, "fault", type(error).__name__, mapped=False)
        return CallAnswer(prepared, Results(fault), 0.0)


async def _call_gateway(prepared: PreparedSubmission, send: Send, settings: Settings) -> CallAnswer:
    """Send one submission and read its answer; raises what is a fault of ours.

    It does not send when the lease may be over by the boot clock, nor what cannot be built.
    """
    failpoints.reach("call.before")
    began = boot_clock()
    gateway, timeout = prepared.account.gateway, prepared.account.settings.timeout
    egress = prepared.account.settings.egress
    if began - prepared.written_ahead_at > settings.top.lease:
        # The process slept: somebody may have taken the lease over.
        late = Result(Outcome.NOT_SENT, "late", "the process was stopped before it could send")
        return CallAnswer(prepared, Results(late), 0.0)
    try:
        request = gateway.submit_request(prepared.outgoing, datetime.now(UTC))
    except (ValueError, TypeError) as error:
        # It was checked when it was enqueued; the account's settings may have changed since.
        unsayable = Result(Outcome.REJECTED, "unsayable", type(error).__name__, fault=Fault.TEXT)
        return CallAnswer(prepared, Results(unsayable), 0.0)
    failpoints.reach("call.sending")
    try:
        bound = answer_bounds.of_submission(len(prepared.outgoing.msisdns))
        response = await send(request, timeout, bound, egress)
    except WireError as error:
        results = Results(storable.result(_wire_result(error)))
    else:
        read = partial(reading.read_results, gateway, response, prepared.outgoing)
        is_short = len(response.content) <= _SHORT_ANSWER_BYTES
        results = read() if is_short else await asyncio.to_thread(read)
    failpoints.reach("call.after")
    return CallAnswer(prepared, results, boot_clock() - began)


def _wire_result(error: WireError) -> Result:
    """Return the result of a call that ended without an answer."""
    outcome = Outcome.NOT_SENT if isinstance(error, NotSent) else Outcome.UNKNOWN
    result = Result(outcome, type(error).__name__, str(error))
    return account_guard.proxy_result(error) if isinstance(error, ProxyRefusal) else result
