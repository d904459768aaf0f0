"""Write for recipient limits how calls ended: when, or that they count no more.

A call counts no more where it is proven that the gateway took nothing. A gateway's own word that a
number has had enough counts like a call, until the moment that it names.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import Connection

from worker.config.settings import Settings
from worker.delivery import batch_split
from worker.delivery.recipient_limits import write_calls
from worker.domain import recipient_windows
from worker.domain.enums import Advice, Outcome, SubmissionState
from worker.domain.recipient_windows import CountedCall
from worker.domain.transitions import NOT_TAKEN_SUBMISSION_STATES
from worker.gateways.results import Result
from worker.store.delivery import recipient_calls, recipient_waits
from worker.store.delivery.outcomes import CallOutcome
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
    """Return calls, each single message `rejected` that would wait for longer than it is valid."""
    request_ids = {
        call.lease.request_id
        for call in calls
        if call.result.advice is Advice.RECIPIENT_UNTIL and call.lease.size == 1
    }
    if not request_ids:
        return list(calls)
    valid_for_by_request = recipient_waits.remaining_validity(connection, request_ids)
    at = recipient_windows.epoch_milliseconds(datetime.now(UTC))
    outcomes = []
    for call in calls:
        wait_end = _advised_wait_end(call.result, at)
        single = call.lease.size == 1
        valid_for = valid_for_by_request.get(call.lease.request_id) if single else None
        if wait_end is not None and valid_for is not None and wait_end - at >= valid_for:
            rejection = replace(call.result, outcome=Outcome.REJECTED)
            outcomes.append(replace(call, state=SubmissionState.REJECTED, result=rejection))
        else:
            outcomes.append(call)
    return outcomes


def called_numbers(
    connection: Connection, settings: Settings, calls: Iterable[CallOutcome]
) -> Mapping[int, Sequence[str]]:
    """Return the numbers of the calls whose outcome changes what counts, by submission.

    To be asked before outcomes are written: what follows from them gives messages other
    submissions.
    """
    changing = [call for call in calls if _changes_what_counts(settings, call)]
    known_numbers = {call.lease.id: call.numbers for call in changing if call.numbers}
    unread_ids = [call.lease.id for call in changing if not call.numbers]
    if not unread_ids:
        return known_numbers
    return known_numbers | recipient_waits.numbers_by_submission(connection, unread_ids)


def _changes_what_counts(settings: Settings, call: CallOutcome) -> bool:
    """Whether it matters to the account's limits that a call ended, and how."""
    limits = settings.per_msisdn.get(call.lease.account, {})
    return bool(limits) and (
        call.state in NOT_TAKEN_SUBMISSION_STATES
        or any(map(recipient_windows.needs_exact_ends, limits.values()))
    )


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
    calls_by_key: dict[recipient_calls.RecipientKey, list[CallOutcome]] = defaultdict(list)
    for call in calls:
        for scope in settings.per_msisdn.get(call.lease.account, {}):
            for number in numbers_by_submission.get(call.lease.id, ()):
                calls_by_key[scope, number].append(call)
    only_ended = {
        key: key_calls[0].lease.id
        for key, key_calls in calls_by_key.items()
        if _only_ended(key_calls)
    }
    for key in recipient_calls.end_calls(connection, only_ended):
        del calls_by_key[key]
    if not calls_by_key:
        return
    locked = recipient_calls.lock(connection, calls_by_key, make=False)
    changed = {}
    for key, counted in locked.calls_by_key.items():
        scope, _ = key
        counted_after = counted
        for call in calls_by_key[key]:
            # Of a batch nobody knows which number the advice is about.
            advised = scope != "" and len(numbers_by_submission[call.lease.id]) == 1
            counted_after = _end_call(counted_after, call, locked.locked_at, advised=advised)
        if counted_after != counted:
            account = calls_by_key[key][0].lease.account
            changed[key] = (settings.per_msisdn[account][scope], counted_after)
    write_calls(connection, locked.locked_at, changed)


def _only_ended(calls: Sequence[CallOutcome]) -> bool:
    """Whether all that is to be written is that one call has ended, which still counts."""
    return len(calls) == 1 and calls[0].state not in NOT_TAKEN_SUBMISSION_STATES


def _end_call(
    counted: list[CountedCall], call: CallOutcome, at: int, *, advised: bool
) -> list[CountedCall]:
    """Return a number's calls as they are once `call` has ended.

    With `advised` the gateway's advice is about this number, and counts.
    """
    if call.state not in NOT_TAKEN_SUBMISSION_STATES:
        # Rounded up: the moment was rounded down.
        return [
            counted_call._replace(ended=min(counted_call.ended, at + 1))
            if counted_call.submission == call.lease.id
            else counted_call
            for counted_call in counted
        ]
    others = [counted_call for counted_call in counted if counted_call.submission != call.lease.id]
    wait_end = _advised_wait_end(call.result, at) if advised else None
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
