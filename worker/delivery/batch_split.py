"""Split a batch that was refused for one number in halves, until the bad number is found.

The other messages go on, and their tries do not count. Where an account has a sent counter, such a
refusal may come from a gateway that took the others: it is unknown until the counter has told that
none was taken, unless the account's settings say that a refusal takes none. A text that is refused
is the same for all: nothing is split.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from worker.domain.enums import Fault, Outcome, SubmissionState
from worker.domain.message_ranges import MessageKey
from worker.gateways.base import Account
from worker.gateways.results import Result
from worker.store import events
from worker.store.delivery import batch_split, new_submissions
from worker.store.delivery.claims import Lease
from worker.store.settlement import unknown

#: What a submission is after an outcome; `not_sent` after all others.
_STATES_BY_OUTCOME: Mapping[Outcome, SubmissionState] = {
    Outcome.ACCEPTED: SubmissionState.ACCEPTED,
    Outcome.REJECTED: SubmissionState.REJECTED,
    Outcome.UNKNOWN: SubmissionState.UNKNOWN,
}

#: How often one batch is split before the rest of it waits for a person.
MAX_SPLITS = 256


def final_state(account: Account, result: Result, size: int) -> SubmissionState:
    """Return what a submission of so many messages is after a result."""
    if _is_number_refusal(result, size):
        return _number_refusal_state(account)
    return _STATES_BY_OUTCOME.get(result.outcome, SubmissionState.NOT_SENT)


def _is_number_refusal(result: Result, size: int) -> bool:
    """Whether a batch was refused for one number of it."""
    return size > 1 and result.outcome is Outcome.REJECTED and result.fault is Fault.NUMBER


def _number_refusal_state(account: Account) -> SubmissionState:
    """Return what a refusal for one number makes of a batch.

    `not_sent`: nothing was taken, it is split now. `unknown`: its counter is asked first.
    """
    counted = account.gateway.capabilities.sent_count
    takes_none = account.settings.refusal_takes_none or not counted
    return SubmissionState.NOT_SENT if takes_none else SubmissionState.UNKNOWN


def halves(carried: Sequence[MessageKey]) -> list[Sequence[MessageKey]]:
    """Return the two halves of what a submission carried; of one message, only that one."""
    middle = (len(carried) + 1) // 2
    return [half for half in (carried[:middle], carried[middle:]) if half]


def split(connection: Connection, refused: Lease, code: str, owner: str) -> None:
    """Plan both halves of a refused batch; past `MAX_SPLITS` all of it waits for a person."""
    tries = max(0, refused.attempts - 1)
    carried = batch_split.carried_keys(connection, refused.id)
    if not carried:
        return
    first_id = batch_split.first_ancestor(connection, refused.id)
    splits = batch_split.count_events_since(
        connection, first_id, "submission.split", since="settle.split_on"
    )
    at_bound = splits >= MAX_SPLITS
    pieces = [carried] if at_bound else halves(carried)
    planned = batch_split.split(connection, refused, pieces, tries)
    if at_bound:
        batch_split.park(connection, planned[0].id, code)
    events.add(
        connection,
        "submission.split_ended" if at_bound else "submission.split",
        owner,
        account=refused.account,
        submission_id=first_id,
        detail={"refused": refused.id, "code": code, "into": [part.id for part in planned]},
    )


def settle_not_taken(
    connection: Connection, submission_id: int, fence: int, owner: str = "xinshi"
) -> bool:
    """End a doubt by proof that nothing was taken; what was refused for one number is split.

    False when the doubt has ended already.
    """

    def go_on(lease: Lease, outcome: str | None, code: str) -> None:
        if outcome == Outcome.REJECTED.value and lease.size > 1:
            split(connection, lease, code, owner)
        else:
            new_submissions.plan_continuation(connection, lease, wait=0.0, tries=lease.attempts)

    return unknown.end_as_not_taken(connection, submission_id, fence, go_on)


def resume_splitting(connection: Connection, submission_id: int, person: str, reason: str) -> bool:
    """Let a batch that waits for a person go on: it may be split as often again.

    False when it does not wait for one.
    """
    if not batch_split.unpark(connection, submission_id):
        return False
    first_id = batch_split.first_ancestor(connection, submission_id)
    detail = {"why": reason}
    events.add(connection, "settle.split_on", person, submission_id=first_id, detail=detail)
    return True
