"""Apply limits for each recipient: send to the numbers that may be called now, let others wait.

A call counts from its write-ahead on, in the same transaction, on the database's clock. What
becomes of it is written when it is recorded (`worker.delivery.recipient_ends`).
`worker.domain.recipient_windows` decides.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from worker.config.settings import Settings
from worker.delivery.call_book import CallBook, WindowsByKey
from worker.domain import recipient_windows
from worker.domain.enums import MessageState
from worker.domain.message_ranges import MessageKey
from worker.domain.recipient_windows import CountedCall, Window
from worker.store import events, messages
from worker.store.delivery import recipient_calls, recipient_waits, submission_messages
from worker.store.delivery.claims import Lease
from worker.store.delivery.recipient_calls import FirstCall, RecipientKey
from worker.store.delivery.submission_messages import SubmissionMessage
from worker.store.settlement import unknown

#: The code of what waits for its recipient, or was rejected because it would have to for too long.
LIMIT_CODE = "per_msisdn"

#: By account: the windows of each scope that counts its calls (the account, or "" for all).
LimitsByAccount = Mapping[str, Mapping[str, Collection[Window]]]
#: The messages of one submission by how long they wait, in milliseconds; None: for too long.
MessagesByWait = Mapping[int | None, Sequence[SubmissionMessage]]


class Sendable(NamedTuple):
    """What is left of some leases once the messages that have to wait are taken out."""

    leases: list[Lease]
    #: The messages of these leases; None when no account has limits: then none was read.
    messages: list[SubmissionMessage] | None


def hold_back(
    connection: Connection,
    settings: Settings,
    leases: Sequence[Lease],
    opt_out_classes: Collection[str],
    max_seconds: float,
) -> Sendable:
    """Take out the messages whose numbers may not be called now, and count the other calls.

    A call may take `max_seconds` at the most. What waits is planned anew, a whole submission as it
    is; no attempt is counted.
    """
    limits = settings.per_msisdn
    if not any(lease.account in limits for lease in leases):
        return Sendable(list(leases), None)
    leases_by_id = {lease.id: lease for lease in leases}
    carried = submission_messages.of_leases(connection, leases_by_id.values(), opt_out_classes)
    waits = _decide(connection, limits, leases_by_id, carried, int(max_seconds * 1000))
    staying: dict[int, list[SubmissionMessage]] = {
        submission_id: [] for submission_id in leases_by_id
    }
    waiting: dict[int, dict[int | None, list[SubmissionMessage]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for message in carried:
        wait = waits.get(message.key, 0)
        if wait == 0:
            staying[message.submission_id].append(message)
        else:
            waiting[message.submission_id][wait].append(message)
    for submission_id, messages_by_wait in waiting.items():
        lease, whole = leases_by_id[submission_id], not staying[submission_id]
        if _take_out(connection, lease, messages_by_wait, whole=whole):
            del leases_by_id[submission_id], staying[submission_id]
    left = [message for stay in staying.values() for message in stay]
    return Sendable(list(leases_by_id.values()), left)


def _decide(
    connection: Connection,
    limits: LimitsByAccount,
    leases_by_id: Mapping[int, Lease],
    carried: Sequence[SubmissionMessage],
    max_duration: int,
) -> dict[MessageKey, int | None]:
    """Enter the calls that may begin now; return how long the other messages wait.

    In milliseconds; None for a message that would wait for longer than it is valid.
    """
    limited = [
        message
        for message in carried
        if message.state is None and leases_by_id[message.submission_id].account in limits
    ]
    windows_of = {
        message.key: {
            (scope, message.msisdn): windows
            for scope, windows in limits[leases_by_id[message.submission_id].account].items()
        }
        for message in limited
    }
    entered = _enter_first_calls(connection, limited, windows_of, max_duration)
    undecided = [message for message in limited if message.key not in entered]
    if not any(windows_of[message.key] for message in undecided):
        return {}
    return _enter_by_turns(connection, undecided, windows_of, max_duration)


def _enter_first_calls(
    connection: Connection,
    limited: Sequence[SubmissionMessage],
    windows_of: Mapping[MessageKey, WindowsByKey],
    max_duration: int,
) -> set[MessageKey]:
    """Enter the calls to numbers of which nothing is known: these may all begin; return them.

    Of two messages to a number the first is entered. Where two limits count a call, it is not known
    of both before they are locked.
    """
    first_calls: dict[RecipientKey, FirstCall] = {}
    messages_by_key: dict[RecipientKey, MessageKey] = {}
    for message in limited:
        windows_by_key = windows_of[message.key]
        if len(windows_by_key) != 1:
            continue
        ((key, windows),) = windows_by_key.items()
        if key not in first_calls:
            longest = recipient_windows.max_counting_time(windows, max_duration)
            first_calls[key] = FirstCall(message.submission_id, longest)
            messages_by_key[key] = message.key
    entered = recipient_calls.insert_first(connection, first_calls, max_duration)
    return {messages_by_key[key] for key in entered}


def _enter_by_turns(
    connection: Connection,
    undecided: Sequence[SubmissionMessage],
    windows_of: Mapping[MessageKey, WindowsByKey],
    max_duration: int,
) -> dict[MessageKey, int | None]:
    """Lock the numbers, enter the calls that they have room for, and return how long others wait.

    How long messages are valid is read only if a number was called before.
    """
    windows_by_key = {
        key: windows for message in undecided for key, windows in windows_of[message.key].items()
    }
    locked = recipient_calls.lock(connection, windows_by_key, make=True)
    book = CallBook(locked.locked_at, max_duration, locked.calls_by_key)
    valid_for: dict[int, int] | None = None
    waits: dict[MessageKey, int | None] = {}
    for message in undecided:
        windows = windows_of[message.key]
        if valid_for is None and any(locked.calls_by_key[key] for key in windows):
            request_ids = {undecided_message.request_id for undecided_message in undecided}
            valid_for = recipient_waits.remaining_validity(connection, request_ids)
        valid = (valid_for or {}).get(message.request_id)
        wait = book.enter(message.submission_id, windows, valid)
        if wait != 0:
            waits[message.key] = wait
    changed = {key: (windows_by_key[key], locked.calls_by_key[key]) for key in book.changed_keys}
    write_calls(connection, locked.locked_at, changed)
    return waits


def _take_out(
    connection: Connection, lease: Lease, messages_by_wait: MessagesByWait, *, whole: bool
) -> bool:
    """Let messages wait in submissions of their own, or end; True if the lease went back whole.

    It does if all that it carries (`whole`) waits equally long.
    """
    waits = list(messages_by_wait)
    if whole and len(waits) == 1 and waits[0] is not None:
        recipient_waits.put_back(connection, lease, waits[0] / 1000, LIMIT_CODE)
        return True
    for wait, waiting in messages_by_wait.items():
        if wait is None:
            _reject(connection, lease, waiting)
        else:
            recipient_waits.plan_apart(
                connection,
                lease,
                [message.key for message in waiting],
                wait / 1000,
                tries=lease.attempts - 1,
                code=LIMIT_CODE,
                barred=lease.barred,
            )
    return False


def _reject(connection: Connection, lease: Lease, rejected: Sequence[SubmissionMessage]) -> None:
    """End messages that would have to wait for longer than they are valid."""
    if lease.resend_of is not None:
        # The first may have been taken: they are unknown, as before.
        keys = [message.key for message in rejected]
        unknown.return_messages(connection, lease.id, lease.resend_of, keys)
    else:
        ended = [message._replace(state=MessageState.REJECTED) for message in rejected]
        messages.end(connection, ended, code=LIMIT_CODE)
    events.add(
        connection,
        "message.over_limit",
        lease.account,
        account=lease.account,
        submission_id=lease.id,
        detail={"messages": len(rejected)},
    )


def write_calls(
    connection: Connection,
    at: int,
    calls_by_key: Mapping[RecipientKey, tuple[Collection[Window], Sequence[CountedCall]]],
) -> None:
    """Write the calls to numbers down, without those that count no more for their windows."""
    rows = {}
    for key, (windows, calls) in calls_by_key.items():
        counted = recipient_windows.counted_calls(windows, calls, at)
        ends = (recipient_windows.counts_until(windows, call) for call in counted)
        rows[key] = (counted, max(ends, default=at))
    recipient_calls.write(connection, rows)
