"""Find the messages of many submissions at once, in as many statements for many as for one."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, select, true

from worker.store.db.dialects import any_of_in_parts, is_any_of, planned_by_index
from worker.store.schema.tables import message, submission

#: With more numbers than this all messages are read, and compared by the caller.
MAX_NAMED_NUMBERS = 1000


class CarriedMessage(NamedTuple):
    """A message, its number, and the submission that its reports name."""

    origin_id: int
    msisdn: str
    request_id: int
    n: int


def of_submissions(
    connection: Connection, ids: Sequence[int], msisdns: Collection[str] | None = None
) -> list[CarriedMessage]:
    """Return the messages of submissions: all, or at least those that these numbers may mean.

    A message that was sent once more still belongs to the first submission's reports.
    """
    is_asked: ColumnElement[bool] = true()
    if msisdns is not None and len(msisdns) <= MAX_NAMED_NUMBERS and "*" not in "".join(msisdns):
        is_asked = is_any_of(connection, message.c.msisdn, msisdns)
    with planned_by_index(connection):
        return [
            CarriedMessage(*row)
            for query in _queries(connection, ids)
            for row in connection.execute(query.where(is_asked))
        ]


def _queries(connection: Connection, ids: Sequence[int]) -> Iterator[Select[Any]]:
    """Yield the queries for messages in ranges, with a submission of their own, and sent again.

    Each by an index of its own: together they would be looked for in the whole table.
    """
    facts = (message.c.msisdn, message.c.request_id, message.c.n)
    in_range = and_(
        message.c.request_id == submission.c.request_id,
        message.c.n >= submission.c.lo,
        message.c.n < submission.c.hi,
        message.c.submission_id.is_(None),
    )
    names_it = message.c.submission_id == submission.c.id
    for is_named in any_of_in_parts(connection, submission.c.id, ids):
        for belongs in (in_range, names_it):
            query = select(submission.c.id, *facts).join_from(submission, message, belongs)
            yield query.where(is_named)
    for is_first in any_of_in_parts(connection, submission.c.resend_of, ids):
        query = select(submission.c.resend_of, *facts).join_from(submission, message, names_it)
        yield query.where(is_first)
