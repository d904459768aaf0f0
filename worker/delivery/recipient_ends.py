"""Write for recipient limits how calls ended: when, or that they count no more.

A call counts no more where it is proven that the gateway took nothing. A gateway's own word that a
number has had enough counts like a call, until the moment that it names.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import Connection

from worker.config.settings import Settings
from worker.delivery import batch_split
from worker.delivery.recipient_limits import write_calls
from worker.domain import recipient_windows
from worker.domain.enums import Advice, Outcome, SubmissionState
from worker.domain.message_ranges import keys_in
from worker.domain.recipient_windows import CountedCall
from worker.domain.transitions import NOT_TAKEN_SUBMISSION_STATES
from worker.gateways.results import Result
from worker.store.delivery import recipient_calls, recipient_waits
from worker.store.delivery.call_outcomes import CallOutcome, Fates
from worker.store.settlement.unknown import UnknownSubmission


def _advised_wait_end(result: Result, at: int) -> int | None:
    """Return until when a gateway lets a recipient wait, in milliseconds; None if not at all."""
    if result.advice is not Advice.RECIPIENT_UNTIL:
        return None
    if result.wait is None:
        return recipient_windows.next_day_begins(at)
    return at + int(result.wait * 1000)


def reject_overlong_waits(
    connection: Connection, calls: Sequence[CallOutcome]
) -> list[CallOutcome]:
    """Return calls, with those recipients refused that would wait for longer than they are valid.

    Of a batch that was refused as a whole nobody knows which number the advice is about: it waits.
    """
    request_ids = {
        message_range.request_id if message_range else call.lease.request_id
        for call in calls
        if any(result.advice is Advice.RECIPIENT_UNTIL for result in call.verdicts)
        for message_range in call.ranges or (None,)
    }
    if not request_ids:
        return list(calls)
    valid_for = recipient_waits.remaining_validity(connection, request_ids)
    at = recipient_windows.epoch_milliseconds(datetime.now(UTC))
    return [replace(call, fates=_without_overlong_waits(call, valid_for, at)) for call in calls]


def _without_overlong_waits(call: CallOutcome, valid_for: Mapping[int, int], at: int) -> Fates:
    """Return the fates of a call once those are refused that would wait for too long."""
    fates = call.fates
    if call.lease.size == 1 and _is_overlong(fates.result, call.lease.request_id, valid_for, at):
        rejection = replace(fates.result, outcome=Outcome.REJECTED)
        return replace(fates, state=SubmissionState.REJECTED, result=rejection)
    refused, apart = dict(fates.refused), []
    keys = list(keys_in(call.ranges)) if fates.apart else []
    for group in fates.apart:
        overlong = {
            position
            for position in group.positions
            if _is_overlong(group.result, keys[position][0], valid_for, at)
        }
        refused |= dict.fromkeys(overlong, replace(group.result, outcome=Outcome.REJECTED))
        waiting = [position for position in group.positions if position not in overlong]
        if waiting:
            apart.append(replace(group, positions=waiting))
    return replace(fates, refused=refused, apart=apart)


def _is_overlong(result: Result, request_id: int, valid_for: Mapping[int, int], at: int) -> bool:
    """Whether a recipient would have to wait for longer than its request is valid."""
    wait_end = _advised_wait_end(result, at)
    valid = valid_for.get(request_id)
    return wait_end is not None and valid is not None and wait_end - at >= valid


def called_numbers(
    connection: Connection, settings: Settings, calls: Iterable[CallOutcome]
) -> Mapping[int, Sequence[str]]:
    """Return the numbers of the calls whose outcome changes what counts, by submission.

    Where recipients fared differently, they are in the order of the call. To be asked before
    outcomes are written: what follows from them gives messages other submissions.
    """
    changing = [call for call in calls if _changes_what_counts(settings, call)]
    numbers: dict[int, Sequence[str]] = {
        call.lease.id: call.numbers for call in changing if call.numbers
    }
    unread = [call for call in changing if not call.numbers]
    for call in unread:
        if call.tells_apart:
            numbers[call.lease.id] = recipient_waits.numbers_in(connection, call.ranges)
    unread_ids = [call.lease.id for call in unread if not call.tells_apart]
    if not unread_ids:
        return numbers
    return numbers | recipient_waits.numbers_by_submission(connection, unread_ids)


def _changes_what_counts(settings: Settings, call: CallOutcome) -> bool:
    """Whether it matters to the account's limits that a call ended, and how."""
    limits = settings.per_msisdn.get(call.lease.account, {})
    return bool(limits) and (
        call.state in NOT_TAKEN_SUBMISSION_STATES
        or call.tells_apart
        or any(map(recipient_windows.needs_exact_ends, limits.values()))
    )


@dataclass(frozen=True, slots=True)
class _CallEnd:
    """How a call ended for one number."""

    submission_id: int
    account: str
    taken: bool
    #: What the gateway said of this number; None of a batch: it may be about another one.
    result: Result | None


def _call_ends(call: CallOutcome, numbers: Sequence[str]) -> Iterator[tuple[str, _CallEnd]]:
    """Yield the numbers of a call, each with how the call ended for it."""
    lease, fates = call.lease, call.fates
    staying = _CallEnd(
        lease.id,
        lease.account,
        call.state not in NOT_TAKEN_SUBMISSION_STATES,
        call.result if len(numbers) == 1 or call.tells_apart else None,
    )
    apart = {position: group for group in fates.apart for position in group.positions}
    for position, number in enumerate(numbers):
        if position in fates.refused:
            refusal = fates.refused[position]
            yield number, _CallEnd(lease.id, lease.account, taken=False, result=refusal)
        elif position in apart:
            group = apart[position]
            taken = group.state not in NOT_TAKEN_SUBMISSION_STATES
            yield number, _CallEnd(lease.id, lease.account, taken, group.result)
        else:
            yield number, staying


def record_ends(
    connection: Connection,
    settings: Settings,
    calls: Iterable[CallOutcome],
    numbers_by_submission: Mapping[int, Sequence[str]],
) -> None:
    """Write down that calls are over: when they ended, that they count no more, what was advised.

    The numbers are what `called_numbers` returned. To be called last in a transaction: one that
    holds these locks waits for no others.
    """
    ends_by_key: dict[recipient_calls.RecipientKey, list[_CallEnd]] = defaultdict(list)
    for call in calls:
        scopes = settings.per_msisdn.get(call.lease.account, {})
        for number, end in _call_ends(call, numbers_by_submission.get(call.lease.id, ())):
            for scope in scopes:
                ends_by_key[scope, number].append(end)
    only_ended = {
        key: ends[0].submission_id
        for key, ends in ends_by_key.items()
        if len(ends) == 1 and ends[0].taken
    }
    for key in recipient_calls.end_calls(connection, only_ended):
        del ends_by_key[key]
    if not ends_by_key:
        return
    locked = recipient_calls.lock(connection, ends_by_key, make=False)
    changed = {}
    for key, counted in locked.calls_by_key.items():
        scope, _ = key
        counted_after = counted
        for end in ends_by_key[key]:
            counted_after = _end_call(counted_after, end, locked.locked_at, advised=scope != "")
        if counted_after != counted:
            account = ends_by_key[key][0].account
            changed[key] = (settings.per_msisdn[account][scope], counted_after)
    write_calls(connection, locked.locked_at, changed)


def _end_call(
    counted: list[CountedCall], end: _CallEnd, at: int, *, advised: bool
) -> list[CountedCall]:
    """Return a number's calls as they are once a call has ended.

    With `advised` the gateway's advice about this number counts.
    """
    if end.taken:
        # Rounded up: the moment was rounded down.
        return [
            counted_call._replace(ended=min(counted_call.ended, at + 1))
            if counted_call.submission == end.submission_id
            else counted_call
            for counted_call in counted
        ]
    others = [
        counted_call for counted_call in counted if counted_call.submission != end.submission_id
    ]
    wait_end = _advised_wait_end(end.result, at) if advised and end.result else None
    return others if wait_end is None else [*others, CountedCall(0, at, wait_end)]


def settle_not_taken(
    connection: Connection, settings: Settings, submission: UnknownSubmission
) -> bool:
    """End a doubt by proof that nothing was taken, and count the calls no more.

    False when the doubt has ended already.
    """
    limits = settings.per_msisdn.get(submission.account, {})
    numbers_by_id = (
        recipient_waits.numbers_by_submission(connection, [submission.id]) if limits else {}
    )
    if not batch_split.settle_not_taken(connection, submission.id, submission.fence):
        return False
    windows_by_key = {
        (scope, number): windows
        for scope, windows in limits.items()
        for number in numbers_by_id.get(submission.id, ())
    }
    locked = recipient_calls.lock(connection, windows_by_key, make=False)
    others_by_key = {
        key: (windows_by_key[key], [call for call in calls if call.submission != submission.id])
        for key, calls in locked.calls_by_key.items()
    }
    write_calls(connection, locked.locked_at, others_by_key)
    return True
