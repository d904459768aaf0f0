"""Store requests that come in at the same time: by one transaction, with an answer for each.

What `worker.intake.enqueue` promises of one call holds for each of them; only the commit is shared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from worker.domain.errors import KeyConflict, Refused
from worker.intake import enqueue
from worker.intake.enqueue import CheckedRequest, Enqueued
from worker.store.feedback import named_callbacks
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
CommitAnswer = Enqueued | Refused | Exhausted
#: A sender, and the URL that its request names.
CallbackKey = tuple[str, str]


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
    callback_ids, refusals = _find_callbacks(connection, [offer.checked for offer in offers])
    is_refused = [_callback_key(offer.checked) in refusals for offer in offers]
    storable = [offer for offer, refused in zip(offers, is_refused, strict=True) if not refused]
    answers = iter(_store(connection, storable, callback_ids) if storable else ())
    return [
        refusals[_callback_key(offer.checked)] if refused else next(answers)
        for offer, refused in zip(offers, is_refused, strict=True)
    ]


def _store(
    connection: Connection,
    offers: Sequence[OfferedRequest],
    callback_ids: Mapping[CallbackKey, int | None],
) -> list[CommitAnswer]:
    """Write requests whose callbacks are known."""
    arrivals = [
        Arrival(
            offer.checked.new_request,
            len(offer.checked.msisdns),
            callback_ids.get(_callback_key(offer.checked)),
        )
        for offer in offers
    ]
    stored = shared_commit.add(connection, arrivals)
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


def _find_callbacks(
    connection: Connection, checked_requests: Sequence[CheckedRequest]
) -> tuple[dict[CallbackKey, int | None], dict[CallbackKey, Refused]]:
    """Return the callbacks that requests have, and why others get none."""
    senders = {checked.new_request.sender for checked in checked_requests}
    standing_ids = named_callbacks.standing_ids(connection, senders)
    callback_ids: dict[CallbackKey, int | None] = {
        (sender, ""): standing_ids.get(sender) for sender in senders
    }
    refusals: dict[CallbackKey, Refused] = {}
    named = {
        _callback_key(checked): checked.new_request.callback
        for checked in checked_requests
        if checked.new_request.callback
    }
    for key in sorted(named):
        try:
            callback_ids[key] = named_callbacks.id_for_request(connection, key[0], named[key])
        except Refused as error:
            refusals[key] = error
    return callback_ids, refusals


def _callback_key(checked: CheckedRequest) -> CallbackKey:
    """Return the sender and the URL that a request names; "" stands for the sender's own URL."""
    callback = checked.new_request.callback
    return checked.new_request.sender, callback.url if callback else ""


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
