"""Look up and store the numbers that have opted out."""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, exists, select

from worker.store.db.clock import now
from worker.store.db.dialects import any_of_in_parts, insert_new
from worker.store.schema.tables import opt_out


def find(connection: Connection, msisdns: Sequence[str]) -> set[str]:
    """Return which of the numbers have opted out; while no number has, one short query tells."""
    if not msisdns or not connection.execute(select(exists().select_from(opt_out))).scalar():
        return set()
    opted_out: set[str] = set()
    for condition in any_of_in_parts(connection, opt_out.c.msisdn, msisdns):
        opted_out.update(connection.execute(select(opt_out.c.msisdn).where(condition)).scalars())
    return opted_out


def add_new(
    connection: Connection,
    msisdns: Collection[str],
    reason: str,
    *,
    account: str | None = None,
    inbox_ids: Mapping[str, int] | None = None,
) -> list[str]:
    """Store which numbers opt out, and why; return those that had not opted out before.

    `account` is the one that they replied to, `inbox_ids` has the page or push of each. A number
    that another transaction stores at the same time is new to one of the two.
    """
    common = {"since": now(), "why": reason, "account": account}
    pages = inbox_ids or {}
    return [
        msisdn
        for msisdn in sorted(set(msisdns))
        if insert_new(
            connection, opt_out, {**common, "msisdn": msisdn, "inbox_id": pages.get(msisdn)}
        )
    ]
