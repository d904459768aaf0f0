"""Recording: outcomes are written, guarded by the fence, and what follows from them is planned.

Whoever lost the race against the sweep leaves only evidence, which ends the doubt.
"""

import random
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection

from worker import retry
from worker.settings import Settings
from worker.store import accounts, campaigns, doubts, events, messages, outcomes
from worker.store.outcomes import Recorded
from worker.submitting import Answer
from worker.terms import MessageClass, MessageState, Outcome, SubmissionState

#: Seconds beyond the settling delay that reading a counter twice may take.
SETTLING_SLACK = 15.0

_ENDS: Mapping[Outcome, SubmissionState] = {
    Outcome.ACCEPTED: SubmissionState.ACCEPTED,
    Outcome.REJECTED: SubmissionState.REJECTED,
    Outcome.UNKNOWN: SubmissionState.UNKNOWN,
}


def recorded(answer: Answer) -> Recorded:
    """Return what is written of an answer."""
    result = answer.results.one
    state = _ENDS.get(result.outcome, SubmissionState.NOT_SENT)
    return Recorded(answer.ready.lease, state, result)


def record(
    connection: Connection, calls: Sequence[Recorded], settings: Settings, owner: str
) -> None:
    """Write outcomes and what follows from them; it may be repeated after a lost commit.

    Whoever lost the race against the sweep leaves only evidence, which ends the doubt.
    """
    # Campaigns are locked before submissions, as those do who cancel them.
    back = {call.lease.request_id for call in calls if call.result.outcome in retry.BACK}
    cancelled = campaigns.cancelled(connection, back) if back else set()
    found = outcomes.sort(connection, calls)
    outcomes.record(connection, found.ours)
    for call in found.ours:
        _weigh(connection, call, settings)
        _follow(connection, call, owner, cancelled)
    for call in found.late:
        settled = outcomes.settle(connection, call)
        events.add(
            connection,
            "submission.late_answer",
            owner,
            account=call.lease.account,
            submission_id=call.lease.id,
            detail={"outcome": call.result.outcome.value, "settled": settled},
        )
        if settled:
            if call.state is SubmissionState.ACCEPTED:
                doubts.withdraw_resend(connection, call.lease.id)
            _follow(connection, call, owner, cancelled)


def _follow(
    connection: Connection, written: Recorded, owner: str, cancelled: Collection[int]
) -> None:
    lease, result = written.lease, written.result
    if result.outcome is Outcome.ACCOUNT_HELD:
        accounts.hold(connection, lease.account, result.code, result.words, result.hold)
        events.add(
            connection, "account.held", owner, account=lease.account, detail={"code": result.code}
        )
    if result.outcome in retry.BACK and lease.request_id in cancelled:
        messages.end_members(connection, [lease.id], MessageState.CANCELLED)
    elif result.outcome in retry.BACK and not doubts.free_resend(connection, lease.id):
        tries = lease.attempts - (result.outcome not in retry.COUNTED)
        wait = retry.pause(result, tries, datetime.now(UTC), random.random)
        outcomes.succeed(connection, lease, None, wait=wait, tries=tries)
    elif written.state is SubmissionState.REJECTED and lease.resend_of is not None:
        doubts.give_back(connection, lease.id, lease.resend_of)
    elif written.state is SubmissionState.UNKNOWN:
        unknown(connection, lease.id, lease.account, owner, result.code, mapped=result.mapped)


def _weigh(connection: Connection, call: Recorded, settings: Settings) -> None:
    """Let a call speak for its account: an outcome that nobody knows is a doubt, a known one trust.

    A call that never left says nothing of the account.
    """
    if call.state is SubmissionState.UNKNOWN:
        accounts.doubt(connection, call.lease.account, settle_for(settings, call.lease.account))
    elif call.result.outcome is not Outcome.NOT_SENT:
        accounts.trust(connection, call.lease.account)


def settle_for(settings: Settings, account: str) -> float | None:
    """How long a doubtful account takes nothing so that its counter can tell; None without one."""
    known = settings.accounts.get(account)
    if known is None or not known.gateway.capabilities.sent_count:
        return None
    return known.settings.settling_delay + 2 * known.settings.timeout + SETTLING_SLACK


def unknown(
    connection: Connection, one: int, account: str, owner: str, code: str, *, mapped: bool
) -> None:
    """Show that nobody knows what became of a submission; send a code once more while it is valid.

    The class rule: otp at most once more, through another account if there is one; no other class
    ever by itself.
    """
    if outcomes.reported(connection, one):
        # A report came before the doubt did: the gateway has it.
        outcomes.accept_reported(connection, one)
        events.add(
            connection, "submission.settled", owner, account=account, submission_id=one, detail={}
        )
        return
    again = doubts.resend(connection, one, only=MessageClass.OTP)
    events.add(
        connection,
        "submission.unknown",
        owner,
        account=account,
        submission_id=one,
        detail={"code": code, "mapped": mapped, "resent_as": again},
    )
