"""Changes the list of opt-outs for persons and applications: adds, takes back, exports.

Each change is a line of the number's history, and an event that counts them. Thousands of numbers
are changed some at a time, each part in a transaction of its own; a call that was cut off is
repeated, and what was done by then stays as it is.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, Row

from worker.domain.enums import OptOutScope
from worker.domain.errors import Problem, Refused
from worker.store import events
from worker.store.db import database
from worker.store.feedback import opt_outs
from worker.store.feedback.opt_outs import OptOutOrigin

#: How many numbers one transaction changes.
PART_SIZE = 1000
#: How many opt-outs of an export are read together, and how many lines of a history are shown.
EXPORT_PART_SIZE = 5000
MAX_HISTORY_ROWS = 100


@dataclass(frozen=True, slots=True)
class Changes:
    """How many numbers have opted out by a call, whose opt-out stops more, and who had before."""

    added: int = 0
    changed: int = 0
    kept: int = 0

    def as_json(self) -> dict[str, int]:
        """Return the counts as JSON shows them."""
        return {"added": self.added, "changed": self.changed, "kept": self.kept}

    def __add__(self, other: "Changes") -> "Changes":
        """Return the counts of both."""
        return Changes(
            self.added + other.added, self.changed + other.changed, self.kept + other.kept
        )


@dataclass(frozen=True, slots=True)
class OptOutHistory:
    """A number's opt-out, None where it has none, and what became of its opt-outs so far."""

    opt_out: Row[Any] | None
    history: Sequence[Row[Any]]


def add(
    engine: Engine, msisdns: Collection[str], scope: OptOutScope, origin: OptOutOrigin
) -> Changes:
    """Store that numbers opt out; who has opted out already keeps that, unless it stops less.

    The same call again changes nothing. Raises `Refused` without a reason.
    """
    _require_reason(origin)
    changes = Changes()
    for part in _parts(msisdns):
        with database.writing(engine) as connection:
            additions = opt_outs.add_many(connection, part, scope, origin)
            added, changed = len(additions.added), len(additions.changed)
            if added or changed:
                detail = {
                    "numbers": added + changed,
                    "scope": scope.value,
                    "source": origin.source.value,
                }
                events.add(connection, "opt_outs.added", origin.who, detail=detail)
        changes += Changes(added, changed, len(part) - added - changed)
    return changes


def remove(
    engine: Engine,
    msisdns: Collection[str],
    origin: OptOutOrigin,
    scopes: Collection[OptOutScope] = (OptOutScope.MARKETING,),
) -> int:
    """Take back the opt-outs of some scopes; return of how many numbers.

    Raises `Refused` without a reason.
    """
    _require_reason(origin)
    count = 0
    for part in _parts(msisdns):
        with database.writing(engine) as connection:
            removed = opt_outs.remove_many(connection, part, origin, scopes)
            if removed:
                detail = {"numbers": len(removed), "source": origin.source.value}
                events.add(connection, "opt_outs.taken_back", origin.who, detail=detail)
        count += len(removed)
    return count


def show(engine: Engine, msisdn: str) -> OptOutHistory:
    """Return whether a number has opted out, and the newest lines of its history."""
    with database.reading(engine) as connection:
        rows = opt_outs.rows_of(connection, [msisdn])
        history = opt_outs.history_of(connection, msisdn, MAX_HISTORY_ROWS)
    return OptOutHistory(rows[0] if rows else None, history)


def export(
    engine: Engine, scopes: Collection[OptOutScope], *, who: str
) -> Iterator[Sequence[Row[Any]]]:
    """Yield the opt-outs of some scopes by number, some thousands in a part; who did it is kept."""
    with database.writing(engine) as connection:
        detail = {"scopes": ",".join(sorted(scopes))}
        events.add(connection, "opt_outs.exported", who, detail=detail)
    after = ""
    while True:
        with database.reading(engine) as connection:
            rows = opt_outs.rows_after(connection, after, EXPORT_PART_SIZE, scopes)
        if not rows:
            return
        yield rows
        after = rows[-1].msisdn


def _parts(msisdns: Collection[str]) -> Iterator[list[str]]:
    sorted_msisdns = sorted(set(msisdns))
    for start in range(0, len(sorted_msisdns), PART_SIZE):
        yield sorted_msisdns[start : start + PART_SIZE]


def _require_reason(origin: OptOutOrigin) -> None:
    if not origin.why.strip():
        raise Refused([Problem("why", "is missing: the history of each number keeps the reason")])
