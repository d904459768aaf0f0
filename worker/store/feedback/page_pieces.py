"""Store long raw pages in pieces, and put them together again.

Each piece is committed for itself, so that who writes beside a long page waits for one piece at the
most. Until the last of them is there the page is marked as cut off on its way, and as nothing that
waits to be read: nobody takes it for a whole one.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from worker.gateways.page_contents import CUT_HEADER, NOT_STORED
from worker.store.db.clock import later, now
from worker.store.db.dialects import insert_if_absent, inserted_id
from worker.store.schema.tables import inbox, inbox_piece

#: How many bytes of a page are stored in one transaction.
PIECE_BYTES = 128 * 1024
#: What `problem` says of a page of which not all pieces are there.
INCOMPLETE = "cut off: not all of it is stored yet"
#: A page that is not complete after so many seconds was left behind by a process that died.
ABANDONED_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class RawPage:
    """A page or push as a gateway gave it."""

    account: str
    #: What the column `kind` says of it.
    kind: str
    body: bytes
    #: The answer's status; None for a push.
    status: int | None = None
    #: The push's method and query; None for a page.
    target: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_long(self) -> bool:
        """Whether it is stored in pieces."""
        return len(self.body) > PIECE_BYTES

    def pieces(self) -> Iterator[bytes]:
        """Yield its bytes, cut into pieces."""
        for start in range(0, len(self.body), PIECE_BYTES):
            yield self.body[start : start + PIECE_BYTES]


def begin(connection: Connection, page: RawPage) -> int:
    """Store the first piece of a long page, marked as cut off; return the page's id."""
    insertion = insert(inbox).values(
        account=page.account,
        kind=page.kind,
        status=page.status,
        target=page.target,
        headers={**page.headers, CUT_HEADER: NOT_STORED},
        body=page.body[:PIECE_BYTES],
        size=len(page.body),
        received_at=now(),
        # Processes of the version before read whatever has no time here.
        parsed_at=now(),
        damaged=1,
        problem=INCOMPLETE,
    )
    inbox_id = inserted_id(connection.execute(insertion))
    # SQLite gives an id again whose page was deleted, and a foreign tool may leave its pieces.
    connection.execute(inbox_piece.delete().where(inbox_piece.c.inbox_id == inbox_id))
    return inbox_id


def stored_numbers(connection: Connection, inbox_id: int, page: RawPage) -> set[int] | None:
    """Return the numbers of the stored pieces of a page that was begun; None when it is not there.

    The first piece, number 0, is the page's own row.
    """
    query = select(inbox.c.id).where(
        inbox.c.id == inbox_id,
        inbox.c.account == page.account,
        inbox.c.size == len(page.body),
        inbox.c.body == page.body[:PIECE_BYTES],
    )
    if connection.execute(query).first() is None:
        return None
    numbers = select(inbox_piece.c.n).where(inbox_piece.c.inbox_id == inbox_id)
    return {0, *connection.execute(numbers).scalars()}


def add(connection: Connection, inbox_id: int, n: int, piece: bytes) -> bool:
    """Store a further piece of a page, unless it is there; False when the page is gone."""
    locking = select(inbox.c.id).where(inbox.c.id == inbox_id).with_for_update()
    if connection.execute(locking).first() is None:
        return False
    insertion = insert_if_absent(connection, inbox_piece)
    connection.execute(insertion.values(inbox_id=inbox_id, n=n, body=piece))
    return True


def complete(connection: Connection, inbox_id: int, headers: Mapping[str, str]) -> None:
    """Note that all pieces of a page are there: from now on it waits to be read."""
    connection.execute(
        update(inbox)
        .where(inbox.c.id == inbox_id)
        .values(headers=dict(headers), parsed_at=None, rows=None, damaged=None, problem=None)
    )


def abandoned_ids(connection: Connection) -> list[int]:
    """Return the ids of pages whose last piece is not there for longer than it can take."""
    query = select(inbox.c.id).where(
        inbox.c.problem == INCOMPLETE, inbox.c.received_at < later(-ABANDONED_SECONDS)
    )
    return list(connection.execute(query.order_by(inbox.c.id)).scalars())


def release(connection: Connection, inbox_id: int) -> None:
    """Let what is there of an abandoned page be read; it stays marked as cut off."""
    connection.execute(
        update(inbox)
        .where(inbox.c.id == inbox_id, inbox.c.problem == INCOMPLETE)
        .values(parsed_at=None, damaged=None, problem=None)
    )


def whole_bodies(connection: Connection, rows: Iterable[Row[Any]]) -> dict[int, bytes]:
    """Return all bytes that are stored of pages, by the ids of their rows of the inbox."""
    bodies = {row.id: [bytes(row.body)] for row in rows}
    long_ids = [row.id for row in rows if row.size is not None]
    if long_ids:
        query = (
            select(inbox_piece.c.inbox_id, inbox_piece.c.n, inbox_piece.c.body)
            .where(inbox_piece.c.inbox_id.in_(long_ids))
            .order_by(inbox_piece.c.inbox_id, inbox_piece.c.n)
        )
        for piece in connection.execute(query):
            # Behind a gap nothing belongs to what comes before it.
            if piece.n == len(bodies[piece.inbox_id]):
                bodies[piece.inbox_id].append(bytes(piece.body))
    return {inbox_id: b"".join(pieces) for inbox_id, pieces in bodies.items()}
