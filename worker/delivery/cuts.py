"""Cut work into what single submissions carry: by an account's cap, and by the messages' values."""

from collections.abc import Sequence

from sqlalchemy import Connection

from worker.delivery.account_choice import AccountChoice
from worker.delivery.gather import DueWork
from worker.domain.message_ranges import MessageKey
from worker.store.delivery import submission_messages
from worker.store.delivery.claims import PlannedSubmission
from worker.store.delivery.submission_messages import SubmissionMessage
from worker.store.intake.requests import DueRequest


def largest(choice: AccountChoice, due_work: DueWork) -> int:
    """Return the most messages of some work that a submission may carry, whatever their values."""
    if not due_work.personal:
        return choice.batch_cap
    return min(choice.batch_cap, choice.account.gateway.capabilities.personal_cap)


def pieces(
    choice: AccountChoice, planned: PlannedSubmission, carried: Sequence[SubmissionMessage]
) -> list[list[MessageKey]]:
    """Cut what a submission carries into pieces that an account can take, in their order.

    Where only messages with equal values can share a submission, also where these change.
    """
    most = largest(choice, planned)
    cap = most if most > 1 else choice.batch_cap
    cut: list[list[MessageKey]] = []
    previous: SubmissionMessage | None = None
    for message in carried:
        changes = most == 1 and previous and message.variables != previous.variables
        if previous is None or changes or len(cut[-1]) == cap:
            cut.append([])
        cut[-1].append(message.key)
        previous = message
    return cut


def ranges(
    connection: Connection, choice: AccountChoice, due_request: DueRequest
) -> list[tuple[int, int]]:
    """Cut what is left of a request by the batch cap, into as many as there are free slots.

    Where messages have values of their own, also where these change.
    """
    cap, limit = largest(choice, due_request), choice.further_slots + 1
    if due_request.personal and cap == 1 and choice.batch_cap > 1:
        cap = choice.batch_cap
        bounds = (due_request.next_n, due_request.total)
        return submission_messages.equal_ranges(connection, due_request.id, bounds, cap, limit)
    starts = range(due_request.next_n, due_request.total, cap)[:limit]
    return [(start, min(start + cap, due_request.total)) for start in starts]
