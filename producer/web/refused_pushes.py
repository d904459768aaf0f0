"""Counts the pushes of each account that were refused for where they came from.

A process writes them down at once, and then once a minute with what came meanwhile: a gateway that
repeats a push, or somebody with a token, costs no more than that.
"""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import structlog
from sqlalchemy import Engine

from producer.web.peers import Peer
from worker.store import events
from worker.store.db import database

log = structlog.get_logger()

#: The seconds between two events of one account.
WRITE_INTERVAL = 60.0


class RefusedPushes:
    """The refusals of one web process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: Counter[str] = Counter()
        self._written_at: dict[str, float] = {}

    def note(self, account: str, peer: Peer) -> dict[str, Any] | None:
        """Count a refusal; return the detail of the event that is to be written now, if one is."""
        self._counts[account] += 1
        now = self._clock()
        if now - self._written_at.get(account, -WRITE_INTERVAL) < WRITE_INTERVAL:
            return None
        self._written_at[account] = now
        detail: dict[str, Any] = {"count": self._counts.pop(account), "peer": str(peer.address)}
        if peer.unreadable:
            detail["forwarded"] = peer.unreadable
        return detail


def write(engine: Engine, account: str, detail: dict[str, Any]) -> None:
    """Write down what `RefusedPushes.note` returned."""
    log.warning("push.refused", account=account, **detail)
    with database.writing(engine) as connection:
        events.add(connection, "push.refused", "web", account=account, detail=detail)
