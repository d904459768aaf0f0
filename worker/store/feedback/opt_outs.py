"""Look up and store the numbers that have opted out, each change with its line of history."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    delete,
    exists,
    insert,
    literal,
    select,
    true,
    update,
)

from worker.domain.enums import OptOutAct, OptOutScope, OptOutSource
from worker.store.db.clock import now
from worker.store.db.dialects import any_of_in_parts, insert_if_absent, insert_new
from worker.store.schema.tables import opt_out, opt_out_history

#: How many characters of a reason, and of what proves it, are kept; and of a name.
MAX_REASON_LENGTH = 200
MAX_WHO_LENGTH = 64


@dataclass(frozen=True, slots=True)
class OptOutOrigin:
    """Who says that numbers opt out, or opt out no more, why, and what proves it."""

    source: OptOutSource
    who: str
    why: str
    evidence: str | None = None
    #: The account that was replied to, and the reply.
    account: str | None = None
    inbound_id: int | None = None


@dataclass(frozen=True, slots=True)
class Additions:
    """The numbers that had not opted out before, and those whose opt-out stops more now."""

    added: Sequence[str]
    changed: Sequence[str]


def find(
    connection: Connection,
    msisdns: Sequence[str],
    scopes: Collection[OptOutScope] = tuple(OptOutScope),
) -> set[str]:
    """Return which numbers have opted out by one of `scopes`.

    While no number has, one short query tells.
    """
    in_scope = _is_in(scopes)
    if not msisdns or not connection.execute(select(exists().where(in_scope))).scalar():
        return set()
    opted_out: set[str] = set()
    for condition in any_of_in_parts(connection, opt_out.c.msisdn, msisdns):
        query = select(opt_out.c.msisdn).where(condition, in_scope)
        opted_out.update(connection.execute(query).scalars())
    return opted_out


def _is_in(scopes: Collection[OptOutScope]) -> ColumnElement[bool]:
    """Return the condition that an opt-out is of one of `scopes`.

    The values are written out, so that databases see that their index of the few fits.
    """
    if len(scopes) == len(OptOutScope):
        return opt_out.c.msisdn.is_not(None)
    values = [literal(scope.value, literal_execute=True) for scope in scopes]
    return opt_out.c.scope == values[0] if len(values) == 1 else opt_out.c.scope.in_(values)


def rows_of(connection: Connection, msisdns: Collection[str]) -> list[Row[Any]]:
    """Return the opt-outs of numbers, sorted by number."""
    rows: list[Row[Any]] = []
    for condition in any_of_in_parts(connection, opt_out.c.msisdn, sorted(msisdns)):
        rows += connection.execute(select(opt_out).where(condition))
    return sorted(rows, key=lambda row: str(row.msisdn))


def rows_after(
    connection: Connection, after: str, limit: int, scopes: Collection[OptOutScope]
) -> list[Row[Any]]:
    """Return up to `limit` opt-outs of some scopes past a number, sorted by number."""
    query = select(opt_out).where(opt_out.c.msisdn > after, _is_in(scopes))
    return list(connection.execute(query.order_by(opt_out.c.msisdn).limit(limit)))


def history_of(connection: Connection, msisdn: str, limit: int) -> list[Row[Any]]:
    """Return the newest lines of a number's history, the oldest of them first."""
    query = select(opt_out_history).where(opt_out_history.c.msisdn == msisdn)
    rows = connection.execute(query.order_by(opt_out_history.c.id.desc()).limit(limit)).all()
    return list(reversed(rows))


def add_new(connection: Connection, msisdns: Collection[str], origin: OptOutOrigin) -> list[str]:
    """Store that numbers opt out of marketing; return those that had not opted out before."""
    values = {"since": now(), **_origin_values(origin)}
    added = [
        msisdn
        for msisdn in sorted(set(msisdns))
        if insert_new(connection, opt_out, {"msisdn": msisdn, **values})
    ]
    _note(connection, added, OptOutAct.ADDED, OptOutScope.MARKETING, origin)
    return added


def add_many(
    connection: Connection, msisdns: Collection[str], scope: OptOutScope, origin: OptOutOrigin
) -> Additions:
    """Store that numbers opt out, of which most may have; who has keeps it, unless it stops less.

    For thousands at a time. A number that another transaction adds meanwhile counts for both.
    """
    sorted_msisdns = sorted(set(msisdns))
    scope_by_msisdn = {row.msisdn: row.scope for row in rows_of(connection, sorted_msisdns)}
    added = [msisdn for msisdn in sorted_msisdns if msisdn not in scope_by_msisdn]
    values = {"scope": scope.value, **_origin_values(origin)}
    if added:
        insertion = insert_if_absent(connection, opt_out).values(since=now())
        connection.execute(insertion, [{"msisdn": msisdn, **values} for msisdn in added])
    changed: list[str] = []
    if scope is OptOutScope.ALL:
        changed = [msisdn for msisdn, stored in scope_by_msisdn.items() if stored != scope.value]
        for condition in any_of_in_parts(connection, opt_out.c.msisdn, changed):
            connection.execute(update(opt_out).where(condition).values(known=None, **values))
    _note(connection, added, OptOutAct.ADDED, scope, origin)
    _note(connection, changed, OptOutAct.CHANGED, scope, origin)
    return Additions(added, changed)


def remove(
    connection: Connection,
    condition: ColumnElement[bool],
    origin: OptOutOrigin,
    scopes: Collection[OptOutScope] = (OptOutScope.MARKETING,),
) -> list[str]:
    """Take back the opt-outs of some scopes that fit a condition; return whose, sorted.

    Those that stop everything stay unless `scopes` names them: a person entered them.
    """
    query = select(opt_out.c.msisdn, opt_out.c.scope).where(condition, _is_in(scopes))
    rows = connection.execute(query.order_by(opt_out.c.msisdn).with_for_update()).all()
    removed = [row.msisdn for row in rows]
    for is_removed in any_of_in_parts(connection, opt_out.c.msisdn, removed):
        connection.execute(delete(opt_out).where(is_removed))
    for scope in OptOutScope:
        of_scope = [row.msisdn for row in rows if row.scope == scope.value]
        _note(connection, of_scope, OptOutAct.REMOVED, scope, origin)
    return removed


def remove_many(
    connection: Connection,
    msisdns: Sequence[str],
    origin: OptOutOrigin,
    scopes: Collection[OptOutScope],
) -> list[str]:
    """Take back the opt-outs of numbers as `remove` does; for thousands at a time."""
    removed: list[str] = []
    for condition in any_of_in_parts(connection, opt_out.c.msisdn, sorted(set(msisdns))):
        removed += remove(connection, condition, origin, scopes)
    return removed


def remove_for(
    connection: Connection, msisdn: str, reasons: Collection[str], origin: OptOutOrigin
) -> bool:
    """Take back the opt-out of a number that came for one of these reasons; False without one."""
    condition = (opt_out.c.msisdn == msisdn) & opt_out.c.why.in_(list(reasons))
    return bool(remove(connection, condition, origin))


def of_reply(connection: Connection, inbound_id: int) -> list[str]:
    """Return the numbers that one reply opted out, sorted: several where its own was masked."""
    query = select(opt_out.c.msisdn).where(opt_out.c.inbound_id == inbound_id)
    return list(connection.execute(query.order_by(opt_out.c.msisdn)).scalars())


def remove_of_reply(connection: Connection, inbound_id: int, origin: OptOutOrigin) -> int:
    """Take back what one reply opted out; return how many numbers."""
    return len(remove(connection, opt_out.c.inbound_id == inbound_id, origin))


def narrow(connection: Connection, msisdn: str, origin: OptOutOrigin) -> None:
    """Leave of the numbers that a reply opted out this one alone; it is added if it is missing."""
    of_reply = opt_out.c.inbound_id == origin.inbound_id
    remove(connection, of_reply & (opt_out.c.msisdn != msisdn), origin)
    if not add_new(connection, [msisdn], origin):
        is_kept = (of_reply, opt_out.c.msisdn == msisdn)
        connection.execute(update(opt_out).where(*is_kept).values(why=origin.why))


def suggest(connection: Connection, msisdns: Collection[str], origin: OptOutOrigin) -> None:
    """Note that a vendor calls numbers blacklisted, once for each that has no line of that yet."""
    known: set[str] = set()
    for condition in any_of_in_parts(connection, opt_out_history.c.msisdn, sorted(msisdns)):
        query = select(opt_out_history.c.msisdn).where(condition, _is_suggestion)
        known.update(connection.execute(query).scalars())
    new = sorted(set(msisdns) - known)
    _note(connection, new, OptOutAct.SUGGESTED, OptOutScope.MARKETING, origin)


_is_suggestion = opt_out_history.c.act == literal(OptOutAct.SUGGESTED.value, literal_execute=True)


def suggestions(connection: Connection, before: int | None, limit: int) -> list[Row[Any]]:
    """Return suggestions before an id, the newest first, each with whether its number opted out."""
    has_opted_out = exists().where(opt_out.c.msisdn == opt_out_history.c.msisdn)
    query = select(opt_out_history, has_opted_out.label("opted_out")).where(
        _is_suggestion, true() if before is None else opt_out_history.c.id < before
    )
    return list(connection.execute(query.order_by(opt_out_history.c.id.desc()).limit(limit)))


def _origin_values(origin: OptOutOrigin) -> dict[str, Any]:
    return {
        "source": origin.source.value,
        "why": origin.why[:MAX_REASON_LENGTH],
        "evidence": origin.evidence and origin.evidence[:MAX_REASON_LENGTH],
        "account": origin.account,
        "inbound_id": origin.inbound_id,
    }


def _note(
    connection: Connection,
    msisdns: Iterable[str],
    act: OptOutAct,
    scope: OptOutScope,
    origin: OptOutOrigin,
) -> None:
    """Append a line of history for each number."""
    values = {
        "act": act.value,
        "scope": scope.value,
        "who": origin.who[:MAX_WHO_LENGTH],
        **_origin_values(origin),
    }
    rows = [{"msisdn": msisdn, **values} for msisdn in msisdns]
    if rows:
        connection.execute(insert(opt_out_history).values(at=now()), rows)
