"""Look up and store the numbers that have opted out."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, delete, exists, select, update

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
    inbound_id: int | None = None,
) -> list[str]:
    """Store which numbers opt out, and why; return those that had not opted out before.

    `inbound_id` is the reply by which they came, where one did, and `account` the one that it went
    to. A number that another transaction stores at the same time is new to one of the two.
    """
    return [
        msisdn
        for msisdn in sorted(set(msisdns))
        if insert_new(
            connection,
            opt_out,
            {
                "msisdn": msisdn,
                "since": now(),
                "why": reason,
                "account": account,
                "inbound_id": inbound_id,
            },
        )
    ]


def remove(connection: Connection, msisdn: str, reasons: Collection[str]) -> bool:
    """Take back the opt-out of a number that came for one of these reasons; False without one."""
    removal = delete(opt_out).where(opt_out.c.msisdn == msisdn, opt_out.c.why.in_(list(reasons)))
    return connection.execute(removal).rowcount == 1


def of_reply(connection: Connection, inbound_id: int) -> list[str]:
    """Return the numbers that one reply opted out, sorted: several where its own was masked."""
    query = select(opt_out.c.msisdn).where(opt_out.c.inbound_id == inbound_id)
    return list(connection.execute(query.order_by(opt_out.c.msisdn)).scalars())


def remove_of_reply(connection: Connection, inbound_id: int) -> int:
    """Take back what one reply opted out; return how many numbers."""
    removal = delete(opt_out).where(opt_out.c.inbound_id == inbound_id)
    return int(connection.execute(removal).rowcount)


def narrow(
    connection: Connection, inbound_id: int, msisdn: str, reason: str, *, account: str
) -> None:
    """Leave of the numbers that a reply opted out this one alone; it is added if it is missing."""
    of_reply = opt_out.c.inbound_id == inbound_id
    connection.execute(delete(opt_out).where(of_reply, opt_out.c.msisdn != msisdn))
    if not add_new(connection, [msisdn], reason, account=account, inbound_id=inbound_id):
        is_kept = (of_reply, opt_out.c.msisdn == msisdn)
        connection.execute(update(opt_out).where(*is_kept).values(why=reason))
