"""Remember what calls with an idempotency key came to."""

from typing import Generic, TypeVar

from worker.domain.errors import KeyConflict, Problem
from worker.intake.enqueue_request import EnqueueRequest

Answer = TypeVar("Answer")


class KnownKeys(Generic[Answer]):
    """What calls came to, by sender and key, with the fingerprints of their requests."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str], tuple[str, Answer]] = {}

    def recall(self, request: EnqueueRequest, fingerprint: str) -> Answer | None:
        """Return what an earlier call with the same key came to; None when there was none.

        Raises `KeyConflict` when it was another request.
        """
        if request.key is None or (request.sender, request.key) not in self._answers:
            return None
        earlier_fingerprint, answer = self._answers[request.sender, request.key]
        if earlier_fingerprint != fingerprint:
            what = "was used before for another request; a new request needs a new key"
            raise KeyConflict([Problem("key", what)])
        return answer

    def note(self, request: EnqueueRequest, fingerprint: str, answer: Answer) -> None:
        """Keep what a call came to, if it has a key."""
        if request.key is not None:
            self._answers[request.sender, request.key] = fingerprint, answer
