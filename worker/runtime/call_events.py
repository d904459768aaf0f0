"""Tells the metrics of this process how a lane's claims and calls ended."""

from collections import Counter

from worker import instrumentation
from worker.delivery.claim import Claim
from worker.delivery.submit import CallAnswer, PreparedSubmission
from worker.domain.enums import MessageClass, Outcome
from worker.gateways import contents
from worker.gateways.base import Account
from worker.gateways.results import Result, Results
from worker.instrumentation import CallShare

#: Stands for a code that the gateway's table does not have: it may be anything.
OTHER_CODE = "other"


def tell_claim(message_class: MessageClass, claim: Claim | None, seconds: float) -> None:
    """Tell how long a claim took, and how long what it begins had waited."""
    backend = instrumentation.backend
    backend.claim_ended(seconds)
    if claim is not None:
        for waited in claim.waits:
            backend.handed_out(message_class.value, max(0.0, waited))


def tell_call(answer: CallAnswer) -> None:
    """Tell how a call ended, for all messages that it carried."""
    if not instrumentation.is_on():
        return
    prepared, results = answer.prepared, answer.results
    lease, total = prepared.lease, len(prepared.outgoing.msisdns)
    shared = (results.default, total - len(results.per_recipient))
    counts = [shared] if not results.per_recipient else _by_result(results, shared)
    segments = prepared.segment_sum
    if segments is None:
        segments = total * (lease.segments or _segments(prepared))
    shares = [
        CallShare(
            result.outcome.value,
            _code(prepared.account, result),
            count,
            segments if count == total else round(segments * count / total),
        )
        for result, count in counts
    ]
    instrumentation.backend.call_ended(
        lease.account, lease.message_class.value, answer.seconds, shares
    )


def _segments(prepared: PreparedSubmission) -> int:
    """Count the segments of each message, where the claim's are not known."""
    return contents.segment_count(prepared.account, prepared.outgoing.content)


def _by_result(results: Results, shared: tuple[Result, int]) -> list[tuple[Result, int]]:
    """Return how many messages had each result, the commonest first."""
    counts = Counter(results.per_recipient.values())
    counts.update({shared[0]: shared[1]} if shared[1] else {})
    return counts.most_common()


def _code(account: Account, result: Result) -> str:
    """Return the code of what was not accepted, where it is a word of its table; else `other`."""
    if result.outcome is Outcome.ACCEPTED:
        return ""
    table = account.gateway.table
    is_known = result.code in table.meanings or result.code in table.overrides
    return result.code if is_known else OTHER_CODE
