"""Lease requests of one message each together, by as many statements as there are accounts."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from worker.delivery.account_choice import AccountChoice, AccountSelector, Wait
from worker.delivery.admission import request_query, take_permits
from worker.delivery.new_leases import RoutingNotes, request_lease
from worker.gateways import contents
from worker.policy.gcra import Cost
from worker.store.delivery import new_submissions
from worker.store.delivery.claims import Lease
from worker.store.intake import requests
from worker.store.intake.requests import DueRequest


class ChosenRequest(NamedTuple):
    """A request of one message, and the account that was chosen for it."""

    choice: AccountChoice
    due_request: DueRequest


def lease_singles(
    connection: Connection,
    selector: AccountSelector,
    notes: RoutingNotes,
    due_requests: Sequence[DueRequest],
    owner: str,
) -> list[Lease]:
    """Lease the last message of each request at the account chosen for it; others wait.

    What an account does not permit is tried at the other accounts while these have slots.
    """
    leases: list[Lease] = []
    while due_requests:
        selector.permits.prepare(connection)
        refused: list[DueRequest] = []
        for chosen in _choose_accounts(connection, selector, due_requests):
            opened = _open_permitted(connection, selector, notes, chosen, owner)
            leases += opened
            refused += [due_request for _, due_request in chosen[len(opened) :]]
        due_requests = refused
    return leases


def _choose_accounts(
    connection: Connection, selector: AccountSelector, due_requests: Sequence[DueRequest]
) -> list[list[ChosenRequest]]:
    """Return requests by the account chosen for each, and postpone those that have to wait."""
    chosen_by_account: dict[str, list[ChosenRequest]] = defaultdict(list)
    ids_by_wait: dict[float, list[int]] = defaultdict(list)
    for due_request in due_requests:
        choice = selector.choose(connection, request_query(connection, selector, due_request))
        if isinstance(choice, Wait):
            ids_by_wait[choice.seconds].append(due_request.id)
        else:
            chosen_by_account[choice.account.name].append(ChosenRequest(choice, due_request))
    for seconds, ids in ids_by_wait.items():
        if seconds:
            requests.postpone(connection, ids, seconds)
    return list(chosen_by_account.values())


def _open_permitted(
    connection: Connection,
    selector: AccountSelector,
    notes: RoutingNotes,
    chosen: Sequence[ChosenRequest],
    owner: str,
) -> list[Lease]:
    """Lease the first so many requests of one account that it permits."""
    account = chosen[0].choice.account
    segment_counts = [contents.segment_count(account, choice.content) for choice, _ in chosen]
    costs = [Cost(1, count) for count in segment_counts]
    receipts = take_permits(connection, selector, account, costs)
    if not receipts:
        return []
    permitted = chosen[: len(receipts)]
    opened = new_submissions.insert_singles(
        connection,
        [
            request_lease(
                choice,
                due_request,
                (due_request.next_n, due_request.total),
                receipt,
                selector.message_class,
            )
            for (choice, due_request), receipt in zip(permitted, receipts, strict=True)
        ],
        segments=segment_counts[: len(receipts)],
        valid_until=[due_request.not_after for _, due_request in permitted],
        seconds=selector.in_flight_seconds(account),
        owner=owner,
    )
    for (choice, _), lease in zip(chosen, opened, strict=False):
        notes.note(choice, [lease])
    return opened
