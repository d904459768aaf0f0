"""A batch that was refused for one number is split in halves until the bad one is found.

The innocent go on, and their tries do not count. Where an account has a sent counter, such a
refusal may come from a gateway that took the others: it is unknown until the counter has told that
none was taken, unless the account's settings say that a refusal takes none. A text that is refused
is the same for all: nothing is split.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from worker.config.settings import Settings
from worker.domain.enums import Fault, Outcome, SubmissionState
from worker.gateways.base import Account
from worker.gateways.results import Result
from worker.store import (
    batch_split,
    events,
    outcomes,
    submission_messages,
    unknown,
)
from worker.store.claims import Lease
from worker.store.outcomes import CallOutcome

_ENDS: Mapping[Outcome, SubmissionState] = {
    Outcome.ACCEPTED: SubmissionState.ACCEPTED,
    Outcome.REJECTED: SubmissionState.REJECTED,
    Outcome.UNKNOWN: SubmissionState.UNKNOWN,
}

#: How often one batch is split before the rest of it waits for a person.
MOST = 256


def ends(account: Account, result: Result, size: int) -> SubmissionState | None:
    """Return what a refusal of a batch for one number makes of it; None for any other answer.

    `not_sent`: nothing was taken, it is split now. `unknown`: its counter is asked first.
    """
    if result.outcome is not Outcome.REJECTED or result.fault is not Fault.NUMBER or size < 2:
        return None
    counted = account.gateway.capabilities.sent_count
    takes_none = account.settings.refusal_takes_none or not counted
    return SubmissionState.NOT_SENT if takes_none else SubmissionState.UNKNOWN


def end(account: Account, result: Result, size: int) -> SubmissionState:
    """Return what a submission of so many messages is after a result."""
    usual = _ENDS.get(result.outcome, SubmissionState.NOT_SENT)
    return ends(account, result, size) or usual


def apart(
    connection: Connection, calls: Sequence[CallOutcome], settings: Settings
) -> list[CallOutcome]:
    """Give the numbers of which a gateway told otherwise submissions of their own; returns these.

    One for all that fared alike. What the call itself says goes for the others.
    """
    found = []
    for call in calls:
        groups: dict[Result, list[batch_split.One]] = {}
        account = settings.accounts.get(call.lease.account)
        for one in (
            submission_messages.of(connection, [call.lease.id], ()) if call.each and account else ()
        ):
            result = call.each.get(one.msisdn, call.result)
            if result != call.result:
                groups.setdefault(result, []).append((one.request_id, one.n))
        for result, some in groups.items():
            state = end(account, result, len(some)) if account else call.state
            lease = batch_split.break_off(connection, call.lease, some, state, result)
            found.append(CallOutcome(lease, state, result))
    return found


def halves(carried: Sequence[batch_split.One]) -> list[Sequence[batch_split.One]]:
    """Return the two halves of what a submission carried; one alone is all there is."""
    middle = (len(carried) + 1) // 2
    return [some for some in (carried[:middle], carried[middle:]) if some]


def split(connection: Connection, refused: Lease, code: str, owner: str) -> None:
    """Plan both halves of a refused batch; past the bound the whole of it waits for a person."""
    tries = max(0, refused.attempts - 1)
    carried = batch_split.carried(connection, refused.id)
    if not carried:
        return
    first = batch_split.root(connection, refused.id)
    parts = halves(carried)
    bound = (
        batch_split.times(connection, first, "submission.split", since="settle.split_on") >= MOST
    )
    made = batch_split.part(connection, refused, [carried] if bound else parts, tries)
    if bound:
        batch_split.park(connection, made[0].id, code)
    events.add(
        connection,
        "submission.split_ended" if bound else "submission.split",
        owner,
        account=refused.account,
        submission_id=first,
        detail={"refused": refused.id, "code": code, "into": [one.id for one in made]},
    )


def not_taken(connection: Connection, one: int, fence: int, owner: str = "xinshi") -> bool:
    """End a doubt by proof that nothing was taken; what was refused for one number is split."""

    def go_on(lease: Lease, outcome: str | None, code: str) -> None:
        if outcome == Outcome.REJECTED.value and lease.size > 1:
            split(connection, lease, code, owner)
        else:
            outcomes.succeed(connection, lease, None, wait=0.0, tries=lease.attempts)

    return unknown.not_taken(connection, one, fence, go_on)


def split_on(connection: Connection, one: int, who: str, why: str) -> bool:
    """A person lets a batch go on that waits at the bound: it may be split as often again."""
    if not batch_split.unpark(connection, one):
        return False
    first = batch_split.root(connection, one)
    events.add(connection, "settle.split_on", who, submission_id=first, detail={"why": why})
    return True
