"""Orders that come in at the same time: one transaction for all, and an answer for each.

What `worker.intake.enqueue` promises of one call holds for each of them; only the commit is shared.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from worker.domain.errors import KeyConflict
from worker.intake import enqueue
from worker.intake.enqueue import CheckedRequest, Enqueued
from worker.store import allowances, callbacks, shared_commit
from worker.store.allowances import AllowanceClaim
from worker.store.requests import StoredRequest
from worker.store.shared_commit import Arrival

_NOTHING = Enqueued(0, (), repeated=True)


@dataclass(frozen=True, slots=True)
class OfferedRequest:
    """A checked order, and what it takes of the allowances."""

    checked: CheckedRequest
    claims: Sequence[AllowanceClaim] = ()


@dataclass(frozen=True, slots=True)
class Exhausted:
    """An allowance has no room for `wait` seconds: nothing was stored and nothing counted."""

    wait: float


CommitAnswer = Enqueued | KeyConflict | Exhausted


def accept(engine: Engine, offers: Sequence[OfferedRequest]) -> list[CommitAnswer]:
    """Store orders in one transaction; returns what became of each, in their order.

    Raises `Unavailable` as `enqueuing.commit` does: then nobody is answered.
    """
    answers: list[CommitAnswer] = []

    def write(connection: Connection, _again: int | None) -> Enqueued:
        nonlocal answers
        new = _first_new(answers)
        # Tried before, and nobody knows whether it was committed: then all of it was, or nothing.
        like = offers[0].checked.request
        if new is None or not shared_commit.stands(connection, new.request_id, like):
            answers = store(connection, offers)
        return _first_new(answers) or _NOTHING

    enqueue.commit(engine, write)
    return answers


def _first_new(answers: Sequence[CommitAnswer]) -> Enqueued | None:
    made = (one for one in answers if isinstance(one, Enqueued) and not one.repeated)
    return next(made, None)


def store(connection: Connection, offers: Sequence[OfferedRequest]) -> list[CommitAnswer]:
    """Write orders within the caller's transaction; the caller commits."""
    stored = shared_commit.add(connection, _arrivals(connection, offers))
    # A repeated call sends nothing more, and takes nothing more.
    claims = [() if one.existed else of.claims for one, of in zip(stored, offers, strict=True)]
    waits = allowances.take(connection, claims)
    exhausted = {one.id: wait for one, wait in zip(stored, waits, strict=True) if wait}
    shared_commit.take_back(connection, exhausted)
    answers = [
        _answer(offer, one, exhausted.get(one.id))
        for offer, one in zip(offers, stored, strict=True)
    ]
    fresh = {
        answer.request_id: offer.checked.msisdns
        for offer, answer in zip(offers, answers, strict=True)
        if isinstance(answer, Enqueued) and not answer.repeated
    }
    shared_commit.add_messages(connection, fresh)
    return answers


def _arrivals(connection: Connection, offers: Sequence[OfferedRequest]) -> list[Arrival]:
    orders = [one.checked for one in offers]
    senders = {one.request.sender for one in orders}
    standing = callbacks.standing(connection, senders)
    told: dict[tuple[str, str], int | None] = {(one, ""): standing.get(one) for one in senders}
    for sender, url in sorted({_whom(one) for one in orders if one.request.callback_url}):
        told[sender, url] = callbacks.ensure(connection, sender, url)
    return [Arrival(one.request, len(one.msisdns), told[_whom(one)]) for one in orders]


def _whom(one: CheckedRequest) -> tuple[str, str]:
    return one.request.sender, one.request.callback_url or ""


def _answer(offer: OfferedRequest, stored: StoredRequest, wait: float | None) -> CommitAnswer:
    if wait is not None:
        return Exhausted(wait)
    if stored.existed:
        try:
            enqueue.same_request(offer.checked.request, stored)
        except KeyConflict as error:
            return error
    ids = tuple(f"{stored.id}-{n}" for n in offer.checked.places)
    return Enqueued(stored.id, ids, stored.existed)
