"""Limits for each recipient: who may be called now, who waits, and what an outcome says of it.

A call counts from its write-ahead on, in the same transaction, on the database's clock. What
becomes of it is written when it is recorded: the moment it ended, or, where it is proven that the
gateway took nothing, that it counts no more. `worker.domain.recipient_windows` decides.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from sqlalchemy import Connection

from worker.config.settings import Settings
from worker.delivery import batch_split
from worker.domain import recipient_windows
from worker.domain.enums import (
    Advice,
    MessageState,
    Outcome,
    SubmissionState,
)
from worker.domain.recipient_windows import CountedCall, Window
from worker.store import (
    events,
    messages,
    recipient_calls,
    submission_messages,
    unknown,
)
from worker.store.claims import Lease
from worker.store.outcomes import CallOutcome
from worker.store.recipient_calls import First, Key
from worker.store.submission_messages import SubmissionMessage
from worker.store.unknown import UnknownSubmission

#: The code of what waits for its recipient, or was rejected because it would have to for too long.
CODE = "per_msisdn"
#: Outcomes that prove that nothing was taken.
NOT_TAKEN = frozenset({SubmissionState.NOT_SENT, SubmissionState.REJECTED})
#: Waits that differ by less than this are one, in milliseconds: by how long they are.
_STEPS = ((10_000, 100), (600_000, 1_000), (86_400_000 * 366, 10_000))

#: Until when a recipient has to wait who had enough, says the gateway.
_UNTIL: Mapping[Advice, Callable[[int], int]] = {
    Advice.RECIPIENT_SECOND: lambda at: at + 1_000,
    Advice.RECIPIENT_DAY: recipient_windows.tomorrow,
}

Limits = Mapping[str, Mapping[str, Collection[Window]]]


@dataclass
class Book:
    """The calls to some numbers, while it is decided who may be called now."""

    at: int
    patience: int
    calls: dict[Key, list[CountedCall]]
    #: The turns of those who wait: each of them has to wait for the one before.
    turns: dict[Key, list[CountedCall]] = field(default_factory=lambda: defaultdict(list))
    changed: set[Key] = field(default_factory=set)

    def ask(
        self, submission: int, limits: Mapping[Key, Collection[Window]], left: int | None
    ) -> int | None:
        """Enter a call and return 0, or return how long to wait; None if that is past `left`."""
        wait = self._wait(limits, self.calls)
        if wait == 0:
            call = CountedCall(submission, self.at, self.at + self.patience)
            for key in limits:
                self.calls[key].append(call)
                self.changed.add(key)
            return 0
        if left is not None and wait >= left:
            return None
        with_turns = {key: [*self.calls[key], *self.turns[key]] for key in limits}
        turn = _rounded(self._wait(limits, with_turns))
        if left is None or turn < left:
            wait = turn
        then = self.at + wait
        for key in limits:
            self.turns[key].append(CountedCall(submission, then, then))
        return wait

    def _wait(
        self, limits: Mapping[Key, Collection[Window]], calls: Mapping[Key, Sequence[CountedCall]]
    ) -> int:
        return max(
            recipient_windows.wait(each, calls[key], self.at, self.patience)
            for key, each in limits.items()
        )


def _rounded(wait: int) -> int:
    """Round a wait up, so that those who wait about as long wait together."""
    step = next(step for up_to, step in _STEPS if wait <= up_to)
    return -(-wait // step) * step


def spare(
    connection: Connection,
    settings: Settings,
    leases: Sequence[Lease],
    opt_out_classes: Collection[str],
    seconds: float,
) -> tuple[list[Lease], list[SubmissionMessage] | None]:
    """Take out whoever may not be called now, and count the calls to the others.

    Returns the leases that are left and their messages; None in place of these when no account has
    limits. Who waits is planned anew, a whole submission as it is; no attempt is counted.
    """
    limits = settings.per_msisdn
    if not any(one.account in limits for one in leases):
        return list(leases), None
    held = {one.id: one for one in leases}
    found = submission_messages.carried(connection, held.values(), opt_out_classes)
    asking = [
        one for one in found if one.state is None and held[one.submission_id].account in limits
    ]
    waits = _decide(connection, limits, held, asking, int(seconds * 1000))
    left_out: dict[int, dict[int | None, list[SubmissionMessage]]] = defaultdict(
        lambda: defaultdict(list)
    )
    stay: dict[int, list[SubmissionMessage]] = {one: [] for one in held}
    for member in found:
        wait = waits.get((member.request_id, member.n), 0)
        if wait == 0:
            stay[member.submission_id].append(member)
        else:
            left_out[member.submission_id][wait].append(member)
    back = {
        one
        for one, waiting in left_out.items()
        if _leave_out(connection, held[one], waiting, whole=not stay[one])
    }
    return (
        [lease for one, lease in held.items() if one not in back],
        [member for one, some in stay.items() if one not in back for member in some],
    )


def _decide(
    connection: Connection,
    limits: Limits,
    held: Mapping[int, Lease],
    asking: Sequence[SubmissionMessage],
    patience: int,
) -> dict[tuple[int, int], int | None]:
    """Enter the calls that may begin now; return how long the other messages wait, by id."""
    of = {
        (one.request_id, one.n): {
            (name, one.msisdn): each
            for name, each in limits[held[one.submission_id].account].items()
        }
        for one in asking
    }
    begun = _begun(connection, asking, of, patience)
    asking = [one for one in asking if (one.request_id, one.n) not in begun]
    keys = {key: each for one in asking for key, each in of[one.request_id, one.n].items()}
    if not keys:
        return {}
    locked = recipient_calls.lock(connection, keys, make=True)
    book = Book(locked.at, patience, locked.calls)
    valid: dict[int, int] | None = None
    waits: dict[tuple[int, int], int | None] = {}
    for one in asking:
        its_own = of[one.request_id, one.n]
        if valid is None and any(locked.calls[key] for key in its_own):
            valid = recipient_calls.valid_for(connection, {each.request_id for each in asking})
        left = (valid or {}).get(one.request_id)
        wait = book.ask(one.submission_id, its_own, left)
        if wait != 0:
            waits[one.request_id, one.n] = wait
    _write(connection, locked.at, {key: (keys[key], locked.calls[key]) for key in book.changed})
    return waits


def _begun(
    connection: Connection,
    asking: Sequence[SubmissionMessage],
    of: Mapping[tuple[int, int], Mapping[Key, Collection[Window]]],
    patience: int,
) -> set[tuple[int, int]]:
    """Enter the calls to numbers of which nothing is known: these may all begin.

    Of two messages to a number the first is entered. Where two limits count a call, it is not known
    of both before they are locked.
    """
    calls: dict[Key, First] = {}
    ids: dict[Key, tuple[int, int]] = {}
    for one in asking:
        its_own = of[one.request_id, one.n]
        for key, each in its_own.items() if len(its_own) == 1 else ():
            if key not in calls:
                calls[key] = First(one.submission_id, recipient_windows.longest(each, patience))
                ids[key] = (one.request_id, one.n)
    return {ids[key] for key in recipient_calls.first(connection, calls, patience)}


def _leave_out(
    connection: Connection,
    lease: Lease,
    waiting: Mapping[int | None, list[SubmissionMessage]],
    *,
    whole: bool,
) -> bool:
    """Let messages wait in submissions of their own, or end; True if the lease went back whole."""
    (wait, _), *others = waiting.items()
    if whole and not others and wait is not None:
        recipient_calls.put_back(connection, lease, wait / 1000, CODE)
        return True
    for wait, some in waiting.items():
        if wait is None:
            _reject(connection, lease, some)
        else:
            recipient_calls.part(connection, lease, some, wait / 1000, CODE)
    return False


def _reject(connection: Connection, lease: Lease, late: Sequence[SubmissionMessage]) -> None:
    """End messages that would have to wait for longer than they are valid."""
    if lease.resend_of is not None:
        # The first may have been taken: they are unknown, as before.
        ids = [(one.request_id, one.n) for one in late]
        unknown.give_back(connection, lease.id, lease.resend_of, ids)
    else:
        ended = [one._replace(state=MessageState.REJECTED) for one in late]
        messages.end(connection, ended, code=CODE)
    events.add(
        connection,
        "message.over_limit",
        lease.account,
        account=lease.account,
        submission_id=lease.id,
        detail={"messages": len(late)},
    )


def _write(
    connection: Connection,
    at: int,
    rows: Mapping[Key, tuple[Collection[Window], list[CountedCall]]],
) -> None:
    """Write calls down, without those that count no more."""
    written = {}
    for key, (limits, calls) in rows.items():
        counting = recipient_windows.counting(limits, calls, at)
        last = max((recipient_windows.counts_until(limits, call) for call in counting), default=at)
        written[key] = (counting, last)
    recipient_calls.write(connection, written)


def or_rejected(connection: Connection, calls: Sequence[CallOutcome]) -> list[CallOutcome]:
    """Make one message `rejected` that has to wait for its recipient longer than it is valid."""
    told = [call.lease for call in calls if call.result.advice in _UNTIL and call.lease.size == 1]
    if not told:
        return list(calls)
    valid = recipient_calls.valid_for(connection, {lease.request_id for lease in told})
    at = recipient_windows.milliseconds(datetime.now(UTC))
    found = []
    for call in calls:
        until = _UNTIL.get(call.result.advice) if call.result.advice else None
        left = valid.get(call.lease.request_id) if call.lease.size == 1 else None
        if until is not None and left is not None and until(at) - at >= left:
            refused = replace(call.result, outcome=Outcome.REJECTED)
            found.append(replace(call, state=SubmissionState.REJECTED, result=refused))
        else:
            found.append(call)
    return found


def numbers(
    connection: Connection, settings: Settings, calls: Iterable[CallOutcome]
) -> Mapping[int, Sequence[str]]:
    """Return the numbers of the calls whose outcome changes what counts; ask before it is written.

    What an outcome leads to gives messages other submissions.
    """
    mattering = [call for call in calls if _matters(settings, call)]
    known = {call.lease.id: call.numbers for call in mattering if call.numbers}
    wanted = [call.lease.id for call in mattering if not call.numbers]
    return known | (recipient_calls.numbers_of(connection, wanted) if wanted else {})


def _matters(settings: Settings, call: CallOutcome) -> bool:
    limits = settings.per_msisdn.get(call.lease.account, {})
    return bool(limits) and (
        call.state in NOT_TAKEN or any(map(recipient_windows.needs_ends, limits.values()))
    )


def ended(
    connection: Connection,
    settings: Settings,
    calls: Iterable[CallOutcome],
    called: Mapping[int, Sequence[str]],
) -> None:
    """Write down that calls are over: when, or that they count no more, and what it was that said.

    `called` is what `numbers` returned. The last thing in a transaction: whoever holds these locks
    waits for no others.
    """
    touched: dict[Key, list[CallOutcome]] = defaultdict(list)
    for call in calls:
        for name in settings.per_msisdn.get(call.lease.account, {}):
            for number in called.get(call.lease.id, ()):
                touched[name, number].append(call)
    plain = {key: some[0].lease.id for key, some in touched.items() if _only_over(some)}
    for key in recipient_calls.over(connection, plain):
        del touched[key]
    if not touched:
        return
    locked = recipient_calls.lock(connection, touched, make=False)
    rows = {}
    for key, there in locked.calls.items():
        after = there
        for call in touched[key]:
            # Of a batch nobody knows which number was meant.
            meant = key[0] != "" and len(called[call.lease.id]) == 1
            after = _after(after, call, locked.at, meant=meant)
        if after != there:
            limits = settings.per_msisdn[touched[key][0].lease.account][key[0]]
            rows[key] = (limits, after)
    _write(connection, locked.at, rows)


def _only_over(calls: Sequence[CallOutcome]) -> bool:
    """Whether nothing is to be said of calls but that the one that there is has ended."""
    return len(calls) == 1 and calls[0].state not in NOT_TAKEN


def _after(
    calls: list[CountedCall], call: CallOutcome, at: int, *, meant: bool
) -> list[CountedCall]:
    """Return a number's calls as they are once this one has ended; `meant` by what was said."""
    if call.state not in NOT_TAKEN:
        # Rounded up: the moment was rounded down.
        return [
            one._replace(ended=min(one.ended, at + 1)) if one.submission == call.lease.id else one
            for one in calls
        ]
    others = [one for one in calls if one.submission != call.lease.id]
    until = _UNTIL.get(call.result.advice) if call.result.advice and meant else None
    return others if until is None else [*others, CountedCall(0, at, until(at))]


def not_taken(connection: Connection, settings: Settings, one: UnknownSubmission) -> bool:
    """End a doubt by proof that nothing was taken, and count the calls no more."""
    limits = settings.per_msisdn.get(one.account, {})
    called = recipient_calls.numbers_of(connection, [one.id]) if limits else {}
    if not batch_split.not_taken(connection, one.id, one.fence):
        return False
    numbers_called = called.get(one.id, ())
    keys = {(name, number): each for name, each in limits.items() for number in numbers_called}
    locked = recipient_calls.lock(connection, keys, make=False)
    rows = {
        key: (keys[key], [call for call in there if call.submission != one.id])
        for key, there in locked.calls.items()
    }
    _write(connection, locked.at, rows)
    return True
