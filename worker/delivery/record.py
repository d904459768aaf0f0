"""Record outcomes, guarded by the fence, and plan what follows from them.

A call that lost the race against the sweep leaves only evidence, which ends the doubt.
"""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import Connection

from worker.config.settings import Settings
from worker.delivery import (
    account_guard,
    batch_split,
    gather,
    rate_backoff,
    recipient_ends,
    recipient_fates,
    rerouting,
)
from worker.delivery.submit import CallAnswer
from worker.domain.enums import (
    MessageClass,
    MessageState,
    Outcome,
    SubmissionState,
)
from worker.domain.message_ranges import MessageKey, keys_in
from worker.gateways.base import Account
from worker.gateways.results import Result
from worker.policy import backoff
from worker.store import events, messages
from worker.store.delivery import batch_split as batch_split_store
from worker.store.delivery import (
    new_submissions,
    outcomes,
    recipient_waits,
    submission_details,
)
from worker.store.delivery.call_outcomes import CallOutcome, Fates
from worker.store.delivery.claims import Lease
from worker.store.intake import campaigns
from worker.store.settlement import unknown


def outcome_of(answer: CallAnswer) -> CallOutcome:
    """Return what is written of an answer.

    What was refused in its form alone goes on elsewhere; a claim ends it when no account can.
    """
    prepared, results = answer.prepared, answer.results
    numbers = prepared.outgoing.msisdns
    state_of = partial(_state_of, prepared.account)
    fates = recipient_fates.sort(results, len(numbers), state_of)
    differ = bool(fates.refused or fates.apart or results.gateway_ids)
    ranges = prepared.ranges if differ else ()
    return CallOutcome(prepared.lease, fates, ranges, results.gateway_ids, numbers)


def _state_of(account: Account, result: Result, size: int) -> SubmissionState:
    """Return what a submission of so many messages is after a result of all of them."""
    if rerouting.concerns(result):
        return SubmissionState.NOT_SENT
    return batch_split.final_state(account, result, size)


def record(
    connection: Connection,
    calls: Sequence[CallOutcome],
    settings: Settings,
    owner: str,
    *,
    current_settings: bool = True,
) -> None:
    """Write outcomes and what follows from them; it may be repeated after a lost commit.

    `current_settings` is False for calls that were made with settings which may have been others. A
    call that lost the race against the sweep leaves only evidence, which ends the doubt.
    """
    recording = _Recording(connection, settings, owner, current_settings=current_settings)
    recording.run(calls)


@dataclass
class _Recording:
    """One transaction that writes outcomes, and what follows from them."""

    connection: Connection
    settings: Settings
    owner: str
    current_settings: bool
    #: Requests whose campaigns were cancelled: what comes back of them ends.
    cancelled_requests: Collection[int] = ()

    def run(self, calls: Sequence[CallOutcome]) -> None:
        """Take the steps, in the order on which the promise rests.

        1. Lock campaigns before submissions, as cancelling them does: no deadlock.
        2. Reject what would wait too long for its recipient, before its outcome is written.
        3. Read which numbers were called, before what follows gives messages other submissions.
        4. Write the outcomes, each under its fence: what was settled meanwhile is late.
        5. Let accounts learn from the calls that were ours to write: pace, holds, gathering.
        6. Plan what follows for their messages.
        7. Let late calls end the doubt as evidence, and plan what follows then.
        8. Write the ends of the calls for recipient limits. Last: a transaction that has locked
           numbers waits for no other locks.
        """
        self.cancelled_requests = self._lock_campaigns(calls)
        calls = recipient_ends.reject_overlong_waits(self.connection, calls)
        called = recipient_ends.called_numbers(self.connection, self.settings, calls)
        by_fence = outcomes.record(self.connection, calls)
        self._teach_accounts(by_fence.recorded)
        self._follow_all(by_fence.recorded)
        settled = self._settle_late(by_fence.late)
        self._end_calls([*by_fence.recorded, *settled], called)

    def _lock_campaigns(self, calls: Sequence[CallOutcome]) -> Collection[int]:
        """Lock the campaigns of what may come back; return the requests of cancelled ones."""
        request_ids = {
            call.lease.request_id
            for call in calls
            if call.state is SubmissionState.NOT_SENT or call.fates.apart
        }
        return campaigns.lock_cancelled(self.connection, request_ids) if request_ids else ()

    def _teach_accounts(self, calls: Sequence[CallOutcome]) -> None:
        """Let accounts learn from answers: their pace, whether they are at fault, gathering."""
        rerouting.pause_bindings(self.connection, calls, self.owner)
        rate_backoff.slow_down(self.connection, calls, self.settings, self.owner)
        account_guard.note_outcomes(
            self.connection,
            calls,
            self.settings,
            self.owner,
            current_settings=self.current_settings,
        )
        gather.note_advice(self.connection, calls)

    def _follow_all(self, calls: Sequence[CallOutcome]) -> None:
        """Plan what follows from written outcomes, of recipients that fared otherwise first."""
        for call in calls:
            if call.tells_apart:
                self._part(call)
            if call.gateway_ids:
                self._keep_gateway_ids(call)
            self._follow(call)

    def _part(self, call: CallOutcome) -> None:
        """Give recipients that fared otherwise their ends, or submissions of their own."""
        lease, keys = call.lease, list(keys_in(call.ranges))
        for group in call.fates.apart:
            part = [keys[position] for position in group.positions]
            if group.state is SubmissionState.UNKNOWN:
                state, result = group.state, group.result
                doubtful = batch_split_store.break_off(self.connection, lease, part, state, result)
                self._follow(CallOutcome(doubtful, Fates(state, result)))
            else:
                submission_details.take_out(self.connection, lease.id, part)
                self._plan_group(lease, group.result, part)
        if call.fates.refused:
            codes = {keys[at]: result.code for at, result in call.fates.refused.items()}
            submission_details.take_out(self.connection, lease.id, list(codes))
            self._end_refused(lease, codes)

    def _plan_group(self, lease: Lease, result: Result, keys: Sequence[MessageKey]) -> None:
        """Plan how some messages of a submission go on that the gateway did not take."""
        wait, tries = self._pause(lease, result)
        planned_id = recipient_waits.plan_apart(
            self.connection,
            lease,
            keys,
            wait,
            tries=tries,
            code=result.code,
            barred=rerouting.barred_after(lease, result),
        )
        if lease.request_id in self.cancelled_requests:
            messages.end_carried(self.connection, [planned_id], MessageState.CANCELLED)
            outcomes.mark_not_sent(self.connection, [planned_id], SubmissionState.PLANNED)

    def _end_refused(self, lease: Lease, codes: Mapping[MessageKey, str]) -> None:
        """End messages that the gateway refused; those of a resend are unknown again."""
        if lease.resend_of is None:
            messages.reject(self.connection, codes)
        else:
            unknown.return_messages(self.connection, lease.id, lease.resend_of, list(codes))

    def _keep_gateway_ids(self, call: CallOutcome) -> None:
        """Keep the gateway's ids of the messages that it took."""
        left = {position for group in call.fates.apart for position in group.positions}
        left |= call.fates.refused.keys()
        account = self.settings.accounts.get(call.lease.account)
        submission_details.keep_gateway_ids(
            self.connection,
            call.lease.id,
            call.ranges,
            [
                None if position in left else gateway_id
                for position, gateway_id in enumerate(call.gateway_ids)
            ],
            by_recipient=account is not None and account.gateway.capabilities.reports_by_recipient,
        )

    def _settle_late(self, late_calls: Sequence[CallOutcome]) -> list[CallOutcome]:
        """Let late answers end the doubts about their submissions; return those that did."""
        settled_calls = []
        for call in late_calls:
            settled = outcomes.settle(self.connection, call)
            self._note_late_answer(call, settled=settled)
            for result in call.verdicts:
                if result.outcome is Outcome.ACCOUNT_HELD:
                    account_guard.note_answer(
                        self.connection, self.settings, call.lease.account, result, self.owner
                    )
            if settled:
                settled_calls.append(call)
                if call.state is SubmissionState.ACCEPTED:
                    unknown.withdraw_resend(self.connection, call.lease.id)
                self._follow_all([call])
        return settled_calls

    def _note_late_answer(self, call: CallOutcome, *, settled: bool) -> None:
        """Write an event of a late answer, and whether it ended the doubt."""
        events.add(
            self.connection,
            "submission.late_answer",
            self.owner,
            account=call.lease.account,
            submission_id=call.lease.id,
            detail={"outcome": call.result.outcome.value, "settled": settled},
        )

    def _end_calls(self, calls: Sequence[CallOutcome], called: Mapping[int, Sequence[str]]) -> None:
        """Write for recipient limits that calls are over."""
        recipient_ends.record_ends(self.connection, self.settings, calls, called)

    def _follow(self, call: CallOutcome) -> None:
        """Plan what follows for the messages of one submission."""
        lease, result = call.lease, call.result
        if call.state is SubmissionState.NOT_SENT and lease.request_id in self.cancelled_requests:
            messages.end_carried(self.connection, [lease.id], MessageState.CANCELLED)
        elif call.state is SubmissionState.NOT_SENT:
            if not unknown.detach_resend(self.connection, lease.id):
                self._plan_continuation(call)
        elif call.state is SubmissionState.REJECTED and lease.resend_of is not None:
            unknown.return_messages(self.connection, lease.id, lease.resend_of)
        elif call.state is SubmissionState.UNKNOWN:
            mark_unknown(
                self.connection,
                lease.id,
                lease.account,
                self.owner,
                result.code,
                mapped=result.mapped,
            )

    def _plan_continuation(self, call: CallOutcome) -> None:
        """Plan how messages go on that the gateway did not take."""
        lease, result = call.lease, call.result
        is_refused_form = rerouting.concerns(result)
        if result.outcome is Outcome.REJECTED and not is_refused_form:
            batch_split.split(self.connection, lease, result.code, self.owner)
            return
        wait, tries = self._pause(lease, result)
        barred = rerouting.barred_after(lease, result)
        new_submissions.plan_continuation(
            self.connection,
            lease,
            wait=wait,
            tries=tries,
            barred=barred,
            code=result.code if is_refused_form else None,
        )

    @staticmethod
    def _pause(lease: Lease, result: Result) -> tuple[float, int]:
        """Return the seconds until messages go on that were not taken, and their tries so far."""
        tries = lease.attempts - (result.outcome not in backoff.COUNTED_OUTCOMES)
        if rerouting.concerns(result):
            return 0.0, tries
        return backoff.pause(result, tries, datetime.now(UTC), random.random), tries


def mark_unknown(
    connection: Connection,
    submission_id: int,
    account: str,
    owner: str,
    code: str,
    *,
    mapped: bool,
) -> None:
    """Show that nobody knows what became of a submission; send a code once more while it is valid.

    The class rule: otp at most once more, through another account if there is one; no other class
    ever by itself.
    """
    if outcomes.has_report(connection, submission_id):
        # A report came before the doubt did: the gateway has it.
        outcomes.accept_reported(connection, submission_id)
        events.add(
            connection,
            "submission.settled",
            owner,
            account=account,
            submission_id=submission_id,
            detail={},
        )
        return
    resend_id = unknown.resend(connection, submission_id, only=MessageClass.OTP)
    events.add(
        connection,
        "submission.unknown",
        owner,
        account=account,
        submission_id=submission_id,
        detail={"code": code, "mapped": mapped, "resent_as": resend_id},
    )
