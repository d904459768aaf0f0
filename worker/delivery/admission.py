"""Admit due work: choose an account for it, and take the permits for what may begin there now."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from worker.delivery import cuts
from worker.delivery.account_choice import AccountChoice, AccountSelector, Wait, WaitReason
from worker.domain import carriers
from worker.domain.enums import Carrier, NumberKind
from worker.domain.renderings import Rendering
from worker.gateways import contents
from worker.gateways.base import Account, Content
from worker.policy.eligibility import RoutingQuery
from worker.policy.gcra import Cost
from worker.store.delivery import submission_messages
from worker.store.delivery.claims import PlannedSubmission
from worker.store.intake.requests import DueRequest


class Admission(NamedTuple):
    """The account that takes due work, and a receipt for each submission that may begin there."""

    choice: AccountChoice
    #: The receipts of permits, at least one; "" where the database counts.
    receipts: Sequence[str]


def admit(
    connection: Connection,
    selector: AccountSelector,
    query: RoutingQuery,
    costs_at: Callable[[AccountChoice], Sequence[Cost]],
) -> Admission | Wait:
    """Choose an account that permits the first submissions of some work to begin.

    `costs_at` says what each submission would cost at an account that was chosen; none when the
    work waits for equal messages. An account that permits nothing is closed for this claim, and
    another one is chosen.
    """
    selector.permits.prepare(connection)
    while True:
        choice = selector.choose(connection, query)
        if isinstance(choice, Wait):
            return choice
        account, costs = choice.account, costs_at(choice)
        if not costs:
            selector.free_slots[account.name] += 1
            return Wait(WaitReason.GATHERING, 0.0)
        receipts = take_permits(connection, selector, account, costs)
        if len(receipts) == len(costs):
            # The first one took its slot when the account was chosen.
            selector.free_slots[account.name] -= len(receipts) - 1
        if receipts:
            return Admission(choice, receipts)
        if choice.probe:
            selector.give_probe_back(connection, account)


def take_permits(
    connection: Connection, selector: AccountSelector, account: Account, costs: Sequence[Cost]
) -> Sequence[str]:
    """Take permits for the first so many submissions, and return their receipts.

    An account that gives fewer than asked for is closed for the rest of the claim.
    """
    seconds = selector.in_flight_seconds(account)
    receipts = selector.permits.ask(connection, account, costs, seconds)
    if len(receipts) < len(costs):
        selector.free_slots[account.name] = 0
    return receipts


def personal_costs(
    connection: Connection,
    choice: AccountChoice,
    request_id: int,
    ranges: Sequence[tuple[int, int]],
) -> list[Cost]:
    """Return what ranges of a request cost whose messages have values of their own.

    Each text is counted as it is sent: only for accounts that have a limit of segments.
    """
    (first, _), (_, end) = ranges[0], ranges[-1]
    variables = submission_messages.variables_in(connection, request_id, first, end)
    segments = [
        personal_segments(choice.account, choice.content, choice.rendering, values)
        for values in variables
    ]
    return [Cost(hi - lo, sum(segments[lo - first : hi - first])) for lo, hi in ranges]


def planned_cost(connection: Connection, choice: AccountChoice, planned: PlannedSubmission) -> Cost:
    """Return what the first piece of a planned submission costs whose messages have values.

    Each text is counted as it is sent; of one whose messages have all ended nothing is.
    """
    carried = submission_messages.of_submissions(connection, [planned.id], ())
    first_piece = next(iter(cuts.pieces(choice, planned, carried)), [])
    segments = [
        personal_segments(choice.account, choice.content, choice.rendering, message.variables)
        for message in carried[: len(first_piece)]
    ]
    return Cost(len(segments), sum(segments))


def personal_segments(
    account: Account,
    content: Content,
    rendering: Rendering | None,
    values: Mapping[str, str] | None,
) -> int:
    """Count the segments of a message that has values of its own, as an account sends it."""
    return contents.segment_count(account, contents.with_values(content, rendering, values))


def request_query(
    connection: Connection, selector: AccountSelector, due_request: DueRequest
) -> RoutingQuery:
    """Return what decides which account takes the next messages of a request."""
    single = due_request.total == 1
    carrier = _carrier(connection, selector, due_request.id, due_request.next_n) if single else None
    renderings = None
    if due_request.template is not None:
        shared_values = None if due_request.personal else due_request.content.variables
        renderings = selector.forms.by_account(connection, due_request.template, (), shared_values)
    return RoutingQuery(
        selector.message_class,
        due_request.content,
        number_kinds(due_request.kinds),
        selector.at,
        due_request.account,
        single=single,
        carrier=carrier,
        renderings=renderings,
        personal=due_request.personal,
    )


def planned_query(
    connection: Connection, selector: AccountSelector, planned: PlannedSubmission
) -> RoutingQuery:
    """Return what decides which account takes a planned submission.

    A code that goes once more avoids the account that may have taken it, if there is another one.
    """
    single = planned.size == 1
    carrier = None
    if single and planned.lo is not None:
        carrier = _carrier(connection, selector, planned.request_id, planned.lo)
    renderings = None
    if planned.template is not None:
        shared_values = None if planned.personal else planned.content.variables
        renderings = selector.forms.by_account(
            connection, planned.template, planned.barred, shared_values
        )
    return RoutingQuery(
        selector.message_class,
        planned.content,
        number_kinds(planned.kinds),
        selector.at,
        planned.requested_account,
        single=single,
        carrier=carrier,
        tried_account=planned.account if planned.resend_of else None,
        renderings=renderings,
        personal=planned.personal,
        barred=planned.barred,
    )


def _carrier(
    connection: Connection, selector: AccountSelector, request_id: int, n: int
) -> Carrier | None:
    """Return the carrier of a single message, where any account does worse at one carrier.

    None elsewhere: its number is not even read.
    """
    if not any(health.carrier_shares for health in selector.healths.values()):
        return None
    msisdn = submission_messages.msisdn_of(connection, request_id, n)
    return carriers.carrier(msisdn) if msisdn else None


def number_kinds(stored_kinds: str) -> list[NumberKind]:
    """Return the kinds of a request's numbers as its row has them."""
    return [NumberKind(kind) for kind in stored_kinds.split(",") if kind]
