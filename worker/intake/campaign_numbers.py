"""Makes campaigns' messages findable by number, after they are loaded and while nothing is due.

It works in parts, the newest campaign first, and rests after each: long while messages are to be
handed out, and as long as the part took when none are. So a campaign of a million is found
minutes after it was loaded, and nothing that is sent waits for it.
"""

from time import monotonic
from typing import NamedTuple

from sqlalchemy import Connection, Engine

from worker.store import ticks
from worker.store.db import capabilities, database
from worker.store.intake import campaign_numbers as number_store

#: The name of the tick; its cursor has the campaign that it is at, and how far it came there.
TICK_NAME = "numbers"
#: A rest is so many times as long as the part before it: while messages are to be sent, and not.
REST_WHILE_SENDING = 29.0
REST_WHILE_IDLE = 1.0


class _Part(NamedTuple):
    """The messages `lo <= n < hi` of a campaign, with the tick's cursor when they were chosen."""

    campaign_id: int
    lo: int
    hi: int
    is_last: bool
    cursor: dict[str, int]


def has_work(engine: Engine) -> bool:
    """Tell whether a loaded campaign is not searched yet."""
    with database.reading(engine) as connection:
        return number_store.next_campaign(connection) is not None


def store_part(engine: Engine) -> bool:
    """Store the numbers of one part of a campaign, and rest; False when none was left.

    A part is stored once: whoever comes late finds the cursor moved on. After a process was killed
    its part begins again, and rows that are there stay.
    """
    began = monotonic()
    with database.reading(engine) as connection:
        part = _next_part(connection)
    if part is None:
        return False
    if capabilities.is_file(engine):
        with database.reading(engine) as connection:
            pieces = list(number_store.read_pieces(connection, part.campaign_id, part.lo, part.hi))
        for piece in pieces:
            with database.writing(engine) as connection:
                number_store.add_piece(connection, part.campaign_id, piece)
    with database.writing(engine) as connection:
        _finish(connection, part)
    with database.writing(engine) as connection:
        rest = REST_WHILE_SENDING if number_store.is_sending(connection) else REST_WHILE_IDLE
        ticks.run_in(connection, TICK_NAME, rest * (monotonic() - began))
    return True


def _next_part(connection: Connection) -> _Part | None:
    cursor = dict(ticks.read_cursor(connection, TICK_NAME))
    campaign = number_store.next_campaign(connection, cursor.get("campaign"))
    if campaign is None:
        return None
    lo = cursor["n"] if cursor.get("campaign") == campaign.request_id else 0
    hi = min(lo + number_store.part_size(connection), campaign.total)
    return _Part(campaign.request_id, lo, hi, hi == campaign.total, cursor)


def _finish(connection: Connection, part: _Part) -> None:
    """Store a part where a server sorts it by itself, and move on, unless another process did."""
    if dict(ticks.lock_cursor(connection, TICK_NAME)) != part.cursor:
        return
    if not capabilities.is_file(connection):
        number_store.add(connection, part.campaign_id, part.lo, part.hi)
    ticks.write_cursor(connection, TICK_NAME, {"campaign": part.campaign_id, "n": part.hi})
    if part.is_last:
        number_store.mark_searchable(connection, part.campaign_id)
