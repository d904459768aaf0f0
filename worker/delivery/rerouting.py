"""Let messages go on elsewhere that a gateway refused only in the form in which it got them.

The gateway may have something against this rendering of the text (`rendering`), or against the
account's signature or template (`binding`). Another account may still take the message. What has
refused it is barred from then on; a binding that is at fault is paused for all messages.
"""

from collections.abc import Sequence

from sqlalchemy import Connection

from worker.domain.enums import Fault, Outcome, SubmissionState
from worker.gateways.results import Result
from worker.store import events, messages
from worker.store.delivery import batch_split, outcomes
from worker.store.delivery.call_outcomes import CallOutcome
from worker.store.delivery.claims import Lease, PlannedSubmission
from worker.store.settlement import unknown
from worker.store.templates import bindings

_FAULTS = frozenset({Fault.RENDERING, Fault.BINDING})


def concerns(result: Result) -> bool:
    """Tell whether a gateway refused messages in their form alone."""
    return result.outcome is Outcome.REJECTED and result.fault in _FAULTS


def barred_after(lease: Lease, result: Result) -> tuple[int | str, ...]:
    """Return what cannot carry a lease's messages once its gateway gave this result.

    A binding that is at fault is paused instead: when a person resumes it, it may carry them.
    """
    if not concerns(result):
        return lease.barred
    if lease.binding_id is None:
        return (*lease.barred, lease.account)
    if result.fault is Fault.BINDING:
        return lease.barred
    return (*lease.barred, lease.binding_id)


def pause_bindings(connection: Connection, calls: Sequence[CallOutcome], owner: str) -> None:
    """Pause the bindings whose gateways find their signatures or templates at fault."""
    words_by_binding = {
        call.lease.binding_id: f"{result.code} {result.words}".strip()
        for call in calls
        if call.lease.binding_id is not None
        for result in call.verdicts
        if concerns(result) and result.fault is Fault.BINDING
    }
    for binding_id in sorted(words_by_binding):
        bindings.pause_refused(connection, binding_id, words_by_binding[binding_id], owner)


def end_stranded(connection: Connection, planned: PlannedSubmission, owner: str) -> None:
    """End the messages of a planned submission that no account can carry any more: `rejected`.

    Those of a resend are unknown again: the first submission may have been taken.
    """
    keys = batch_split.carried_keys(connection, planned.id)
    if planned.resend_of is None:
        messages.reject(connection, dict.fromkeys(keys, planned.code))
    else:
        unknown.return_messages(connection, planned.id, planned.resend_of, keys)
    outcomes.mark_not_sent(connection, [planned.id], SubmissionState.PLANNED)
    detail = {"messages": len(keys), "code": planned.code}
    events.add(
        connection,
        "message.refused_everywhere",
        owner,
        account=planned.account,
        submission_id=planned.id,
        detail=detail,
    )
