"""Store the numbers of campaigns' messages in their order, and tell which campaigns wait for that.

Rows that come in the order of the key touch each page of it once; a row at a time, as a list has
them, an index would cost more than all of the loading.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    String,
    and_,
    bindparam,
    column,
    exists,
    func,
    insert,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError

from worker.domain.enums import CampaignState
from worker.store.db import capabilities
from worker.store.db.capabilities import Bind
from worker.store.db.clock import now
from worker.store.db.dialects import insert_if_absent
from worker.store.intake.campaign_rows import FILE_TRANSACTION_MESSAGES
from worker.store.schema.tables import campaign, message, number, request

#: How many messages are sorted together.
PART_MESSAGES = 100_000
#: A file's numbers are read sorted, and written in pieces: nobody waits while it sorts.
FILE_PART_MESSAGES = 200_000
#: So many campaigns are counted at the most that are not searched yet.
MAX_COUNTED = 100


@dataclass(frozen=True, slots=True)
class Unsearched:
    """The campaigns whose messages are not found by number yet: how many, and since when."""

    #: `MAX_COUNTED` stands for as many or more.
    count: int
    #: When the oldest of them was stored; None where there is none.
    since: datetime | None

    @property
    def count_text(self) -> str:
        """The count in words of a list's end: `100+` where there may be more."""
        return f"{self.count}+" if self.count == MAX_COUNTED else str(self.count)


def next_campaign(connection: Connection, begun_id: int | None = None) -> Any:
    """Return id and total of the newest loaded campaign whose numbers are not all stored.

    The one that was begun, if any, comes first.
    """
    query = (
        select(campaign.c.request_id, request.c.total)
        .join(request, request.c.id == campaign.c.request_id)
        .where(
            campaign.c.searchable_at.is_(None),
            campaign.c.state != CampaignState.LOADING.value,
        )
        .order_by(campaign.c.request_id.desc())
        .limit(1)
    )
    queries = (
        [query] if begun_id is None else [query.where(campaign.c.request_id == begun_id), query]
    )
    rows = (connection.execute(choice).first() for choice in queries)
    return next((row for row in rows if row is not None), None)


def is_sending(connection: Connection) -> bool:
    """Tell whether some request has messages to hand out now."""
    is_due = exists().where(request.c.next_at.is_not(None), request.c.next_at <= now())
    return bool(connection.execute(select(is_due)).scalar())


def part_size(bind: Bind) -> int:
    """Return how many messages are sorted together."""
    return FILE_PART_MESSAGES if capabilities.is_file(bind) else PART_MESSAGES


def add(connection: Connection, request_id: int, lo: int, hi: int) -> None:
    """Store the numbers of messages `lo <= n < hi`, sorted; those that are there stay.

    That none is there is tried first: to ask so for each costs as much as to store it.
    """
    numbers = (
        select(message.c.msisdn, message.c.request_id, message.c.n)
        .where(_is_in_part(request_id, lo, hi))
        .order_by(message.c.msisdn)
    )
    names = [stored.name for stored in number.columns]
    try:
        with connection.begin_nested():
            connection.execute(insert(number).from_select(names, numbers))
    except IntegrityError:
        connection.execute(insert_if_absent(connection, number).from_select(names, numbers))


def read_pieces(connection: Connection, request_id: int, lo: int, hi: int) -> Iterator[str]:
    """Yield the numbers of messages `lo <= n < hi` of a file, sorted, as `add_piece` takes them.

    The file's own functions sort and write them: other threads run meanwhile.
    """
    position = func.row_number().over(order_by=message.c.msisdn) - 1
    numbered = (
        select(message.c.msisdn, message.c.n, position.label("position"))
        .where(_is_in_part(request_id, lo, hi))
        .subquery()
    )
    piece = func.json_group_array(func.json_array(numbered.c.msisdn, numbered.c.n))
    piece_number = numbered.c.position.op("/", return_type=Integer())(FILE_TRANSACTION_MESSAGES)
    query = select(piece).group_by(piece_number).order_by(piece_number)
    yield from connection.execute(query).scalars()


def add_piece(connection: Connection, request_id: int, piece: str) -> None:
    """Store a piece that `read_pieces` yielded."""
    rows = func.json_each(bindparam("piece", type_=String())).table_valued(column("value"))
    numbers = select(
        func.json_extract(rows.c.value, "$[0]"),
        literal(request_id),
        func.json_extract(rows.c.value, "$[1]"),
    ).where(text("true"))
    names = [stored.name for stored in number.columns]
    insertion = insert_if_absent(connection, number).from_select(names, numbers)
    connection.execute(insertion, {"piece": piece})


def _is_in_part(request_id: int, lo: int, hi: int) -> ColumnElement[bool]:
    return and_(message.c.request_id == request_id, message.c.n >= lo, message.c.n < hi)


def mark_searchable(connection: Connection, campaign_id: int) -> None:
    """Note that all numbers of a campaign are stored."""
    connection.execute(
        update(campaign).where(campaign.c.request_id == campaign_id).values(searchable_at=now())
    )


def unsearched(connection: Connection, sender: str | None = None) -> Unsearched:
    """Return the campaigns whose messages are not found by number yet; `sender`: only its own."""
    query = (
        select(request.c.created_at)
        .join(campaign, campaign.c.request_id == request.c.id)
        .where(campaign.c.searchable_at.is_(None))
        .order_by(campaign.c.request_id)
        .limit(MAX_COUNTED)
    )
    if sender is not None:
        query = query.where(request.c.sender == sender)
    moments = connection.execute(query).scalars().all()
    return Unsearched(len(moments), moments[0] if moments else None)
