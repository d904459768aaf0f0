"""Store requests that come in at the same time: by one transaction, with an answer for each.

What `worker.intake.enqueue` promises of one call holds for each of them; only the commit is shared.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from worker.domain.errors import KeyConflict
from worker.intake import enqueue
from worker.intake.enqueue import CheckedRequest, Enqueued
from worker.store.feedback import callbacks
from worker.store.intake import allowances, shared_commit
from worker.store.intake.allowances import AllowanceClaim
from worker.store.intake.new_requests import StoredRequest
from worker.store.intake.shared_commit import Arrival

#: What `enqueue.commit` is handed where no request of a transaction is new.
_NOTHING_STORED = Enqueued(0, (), repeated=True)


@dataclass(frozen=True, slots=True)
class OfferedRequest:
    """A checked request, with what it takes of the allowances."""

    checked: CheckedRequest
    claims: Sequence[AllowanceClaim] = ()


@dataclass(frozen=True, slots=True)
class Exhausted:
    """The answer when an allowance has no room for some seconds: nothing was stored or counted."""

    wait_seconds: float


#: What becomes of one request of a shared commit.
CommitAnswer = Enqueued | KeyConflict | Exhausted


def accept(engine: Engine, offers: Sequence[OfferedRequest]) -> list[CommitAnswer]:
    """Store requests in one transaction; return what became of each, in their order.

    Raises `Unavailable` as `enqueue.commit` does; then no caller gets an answer.
    """
    answers: list[CommitAnswer] = []

    def write(connection: Connection, _earlier_id: int | None) -> Enqueued:
        nonlocal answers
        first_stored = _first_stored(answers)
        # After a try whose commit was cut off, either all of its requests are there or none.
        if first_stored is None or not shared_commit.was_committed(
            connection, first_stored.request_id, offers[0].checked.new_request
        ):
            answers = store(connection, offers)
        return _first_stored(answers) or _NOTHING_STORED

    enqueue.commit(engine, write)
    return answers


def _first_stored(answers: Sequence[CommitAnswer]) -> Enqueued | None:
    """Return the first answer whose request is new; None where none is."""
    stored = (answer for answer in answers if isinstance(answer, Enqueued) and not answer.repeated)
    return next(stored, None)


def store(connection: Connection, offers: Sequence[OfferedRequest]) -> list[CommitAnswer]:
    """Write requests within the caller's transaction, which the caller commits."""
    stored = shared_commit.add(connection, _arrivals(connection, offers))
    # A repeated call sends nothing more, and takes nothing more.
    claims = [
        () if request.existed else offer.claims
        for request, offer in zip(stored, offers, strict=True)
    ]
    waits = allowances.take(connection, claims)
    exhausted = {request.id: wait for request, wait in zip(stored, waits, strict=True) if wait}
    shared_commit.remove_empty(connection, exhausted)
    answers = [
        _answer(offer, request, exhausted.get(request.id))
        for offer, request in zip(offers, stored, strict=True)
    ]
    msisdns_by_request = {
        answer.request_id: offer.checked.msisdns
        for offer, answer in zip(offers, answers, strict=True)
        if isinstance(answer, Enqueued) and not answer.repeated
    }
    shared_commit.add_messages(connection, msisdns_by_request)
    return answers


def _arrivals(connection: Connection, offers: Sequence[OfferedRequest]) -> list[Arrival]:
    """Return the requests with their callbacks, as the store takes them."""
    checked_requests = [offer.checked for offer in offers]
    senders = {checked.new_request.sender for checked in checked_requests}
    standing_ids = callbacks.standing_ids(connection, senders)
    callback_ids: dict[tuple[str, str], int | None] = {
        (sender, ""): standing_ids.get(sender) for sender in senders
    }
    named_callbacks = {
        _callback_key(checked) for checked in checked_requests if checked.new_request.callback_url
    }
    for sender, url in sorted(named_callbacks):
        callback_ids[sender, url] = callbacks.ensure(connection, sender, url)
    return [
        Arrival(checked.new_request, len(checked.msisdns), callback_ids[_callback_key(checked)])
        for checked in checked_requests
    ]


def _callback_key(checked: CheckedRequest) -> tuple[str, str]:
    """Return the sender and the URL that a request names; "" stands for the sender's own URL."""
    return checked.new_request.sender, checked.new_request.callback_url or ""


def _answer(
    offer: OfferedRequest, stored: StoredRequest, wait_seconds: float | None
) -> CommitAnswer:
    if wait_seconds is not None:
        return Exhausted(wait_seconds)
    if stored.existed:
        try:
            enqueue.require_same_request(offer.checked.new_request, stored)
        except KeyConflict as error:
            return error
    ids = tuple(f"{stored.id}-{n}" for n in offer.checked.message_indexes)
    return Enqueued(stored.id, ids, stored.existed, offer.checked.warnings)
