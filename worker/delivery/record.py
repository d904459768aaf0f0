"""Recording: outcomes are written, guarded by the fence, and what follows from them is planned.

Whoever lost the race against the sweep leaves only evidence, which ends the doubt.
"""

import random
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection

from worker.config.settings import Settings
from worker.delivery import (
    account_guard,
    batch_split,
    gather,
    rate_backoff,
    recipient_limits,
)
from worker.delivery.submit import CallAnswer
from worker.domain.enums import (
    MessageClass,
    MessageState,
    Outcome,
    SubmissionState,
)
from worker.policy import backoff
from worker.store import (
    campaigns,
    events,
    messages,
    outcomes,
)
from worker.store import (
    unknown as unknown_store,
)
from worker.store.outcomes import CallOutcome


def recorded(answer: CallAnswer) -> CallOutcome:
    """Return what is written of an answer."""
    ready, results = answer.ready, answer.results
    told = (
        sum(one in results.per_recipient for one in ready.parcel.msisdns)
        if results.per_recipient
        else 0
    )
    state = batch_split.end(ready.account, results.default, len(ready.parcel.msisdns) - told)
    return CallOutcome(
        ready.lease, state, results.default, results.per_recipient, ready.parcel.msisdns
    )


def record(
    connection: Connection,
    calls: Sequence[CallOutcome],
    settings: Settings,
    owner: str,
    *,
    ours: bool = True,
) -> None:
    """Write outcomes and what follows from them; it may be repeated after a lost commit.

    `ours` is False for calls that were made with settings which may have been others. Whoever lost
    the race against the sweep leaves only evidence, which ends the doubt.
    """
    # Campaigns are locked before submissions, as those do who cancel them.
    back = {
        call.lease.request_id
        for call in calls
        if call.state is SubmissionState.NOT_SENT or call.each
    }
    cancelled = campaigns.cancelled(connection, back) if back else set()
    calls = recipient_limits.or_rejected(connection, calls)
    # Before they are written: what they lead to gives messages other submissions.
    called = recipient_limits.numbers(connection, settings, calls)
    found = outcomes.record(connection, calls)
    over = list(found.ours)
    rate_backoff.heed(connection, found.ours, settings, owner)
    account_guard.weigh(connection, found.ours, settings, owner, ours=ours)
    gather.heard(connection, found.ours)
    for call in [*found.ours, *batch_split.apart(connection, found.ours, settings)]:
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
        if call.result.outcome is Outcome.ACCOUNT_HELD:
            account_guard.said(connection, settings, call.lease.account, call.result, owner)
        if settled:
            over.append(call)
            if call.state is SubmissionState.ACCEPTED:
                unknown_store.withdraw_resend(connection, call.lease.id)
            for one in [call, *batch_split.apart(connection, [call], settings)]:
                _follow(connection, one, owner, cancelled)
    recipient_limits.ended(connection, settings, over, called)


def _follow(
    connection: Connection, written: CallOutcome, owner: str, cancelled: Collection[int]
) -> None:
    lease, result = written.lease, written.result
    if written.state is SubmissionState.NOT_SENT and lease.request_id in cancelled:
        messages.end_members(connection, [lease.id], MessageState.CANCELLED)
    elif written.state is SubmissionState.NOT_SENT:
        if not unknown_store.free_resend(connection, lease.id):
            _go_on(connection, written, owner)
    elif written.state is SubmissionState.REJECTED and lease.resend_of is not None:
        unknown_store.give_back(connection, lease.id, lease.resend_of)
    elif written.state is SubmissionState.UNKNOWN:
        unknown(connection, lease.id, lease.account, owner, result.code, mapped=result.mapped)


def _go_on(connection: Connection, written: CallOutcome, owner: str) -> None:
    """Plan how messages go on that the gateway did not take."""
    lease, result = written.lease, written.result
    if result.outcome is Outcome.REJECTED:
        batch_split.split(connection, lease, result.code, owner)
        return
    tries = lease.attempts - (result.outcome not in backoff.COUNTED)
    wait = backoff.pause(result, tries, datetime.now(UTC), random.random)
    outcomes.succeed(connection, lease, None, wait=wait, tries=tries)


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
    again = unknown_store.resend(connection, one, only=MessageClass.OTP)
    events.add(
        connection,
        "submission.unknown",
        owner,
        account=account,
        submission_id=one,
        detail={"code": code, "mapped": mapped, "resent_as": again},
    )
