"""Rows that are left out of a campaign: who has opted out, and how exports show all of them."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import Engine, Row

from worker.config.settings import Settings
from worker.domain.enums import LeftOutReason, MessageClass, OptOutScope
from worker.store.db import database
from worker.store.feedback import opt_outs
from worker.store.intake import left_out_rows

#: What stands for a state where a row became no message.
STATE = "left out"
#: How many rows are read in one transaction.
PART_SIZE = 5000
_WORDS = {
    LeftOutReason.REPEATED: "the number stands in an earlier row",
    LeftOutReason.SUPPRESSED: "the number has opted out",
}


def heeded_scopes(settings: Settings, message_class: MessageClass) -> Collection[OptOutScope]:
    """Return the scopes of the opt-outs that hold for a class."""
    holds = message_class.value in settings.opt_out_classes
    return tuple(OptOutScope) if holds else (OptOutScope.ALL,)


def opted_out_positions(
    engine: Engine, msisdns: Sequence[str], scopes: Collection[OptOutScope]
) -> list[int]:
    """Return the positions of the numbers that have opted out by one of `scopes`."""
    if not msisdns:
        return []
    with database.reading(engine) as connection:
        opted_out = opt_outs.find(connection, msisdns, scopes)
    if not opted_out:
        return []
    return [position for position, msisdn in enumerate(msisdns) if msisdn in opted_out]


def parts(engine: Engine, campaign_id: int) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows left out of a campaign in the order of the list, some thousands in a part.

    Each part is read by one short transaction. A row has `to`, `state`, `row` and `reason`.
    """
    last_n = -1
    while True:
        with database.reading(engine) as connection:
            rows = left_out_rows.read(connection, campaign_id, last_n, PART_SIZE)
        if not rows:
            return
        yield [_fields(row) for row in rows]
        last_n = rows[-1].n


def _fields(row: Row[Any]) -> dict[str, Any]:
    reason = row.problem or _WORDS.get(LeftOutReason(row.reason), row.reason)
    return {"to": row.number, "state": STATE, "row": row.line, "reason": reason}
