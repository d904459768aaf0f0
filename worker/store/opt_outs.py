"""Who does not want any more: looked up for many numbers at once."""

from collections.abc import Sequence

from sqlalchemy import Connection, exists, select

from worker.store.db.dialects import in_parts
from worker.store.schema.tables import opt_out


def among(connection: Connection, msisdns: Sequence[str]) -> set[str]:
    """Return which numbers have opted out; where nobody has, that is one short look."""
    if not msisdns or not connection.execute(select(exists().select_from(opt_out))).scalar():
        return set()
    found: set[str] = set()
    for some in in_parts(connection, opt_out.c.msisdn, msisdns):
        found.update(connection.execute(select(opt_out.c.msisdn).where(some)).scalars())
    return found
