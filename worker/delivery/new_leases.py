"""Build the leases of a claim, and note why their accounts were chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from worker.delivery.account_choice import AccountChoice
from worker.domain import references
from worker.domain.enums import MessageClass
from worker.gateways.base import Account, Content
from worker.policy import routing
from worker.store import events
from worker.store.delivery.claims import Lease
from worker.store.delivery.gather import WaitingSingle
from worker.store.intake.requests import DueRequest


class RoutingNotes:
    """Why the submissions of one claim went to their accounts, where there was a choice."""

    def __init__(self) -> None:
        self._notes: list[tuple[int, str, Mapping[str, Any]]] = []

    def note(self, choice: AccountChoice, leases: Sequence[Lease]) -> list[Lease]:
        """Remember why an account was chosen for leases; return these, probes marked as such."""
        trace = routing.trace(choice.options)
        if trace is not None:
            trace |= {"probe": True} if choice.probe else {}
            self._notes += [(lease.id, choice.account.name, trace) for lease in leases]
        return [replace(lease, probe=True) for lease in leases] if choice.probe else [*leases]

    def write(self, connection: Connection, owner: str) -> None:
        """Write the notes as events, in one statement for all submissions."""
        events.add_for_submissions(connection, "submission.routed", owner, self._notes)


def request_lease(
    choice: AccountChoice,
    due_request: DueRequest,
    bounds: tuple[int, int],
    receipt: str,
    message_class: MessageClass,
) -> Lease:
    """Return the lease of a range `lo <= n < hi` of a request; it gets its id when inserted."""
    lo, hi = bounds
    return Lease(
        id=0,
        fence=1,
        account=choice.account.name,
        message_class=message_class,
        request_id=due_request.id,
        lo=lo,
        hi=hi,
        size=hi - lo,
        attempts=1,
        content=choice.content,
        reference=new_reference(choice.account),
        permit=receipt,
        fresh=True,
        personal=due_request.personal,
        rendering=choice.rendering,
        binding_id=choice.binding_id,
    )


def gathered_lease(
    account: Account,
    singles: Sequence[WaitingSingle],
    content: Content,
    receipt: str,
    message_class: MessageClass,
) -> Lease:
    """Return the lease of one submission for single messages; it gets its id when inserted."""
    return Lease(
        id=0,
        fence=1,
        account=account.name,
        message_class=message_class,
        request_id=singles[0].request_id,
        lo=None,
        hi=None,
        size=len(singles),
        attempts=max(single.attempts for single in singles) + 1,
        content=content,
        reference=new_reference(account),
        permit=receipt,
    )


def new_reference(account: Account) -> str:
    """Return a new reference for a submission; "" where the gateway takes none."""
    return references.new() if account.gateway.capabilities.reference else ""
