"""The inbox of raw pages and pushes, and what was read from them: reports and inbound messages."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, insert, or_, select, update

from worker.clock import later, now
from worker.store.restored import RESTORED
from worker.store.rows import given, in_parts, insert_unless_there, lists, new_id, one_of, unnested
from worker.tables import inbound_message, inbox, message, opt_out, report, submission
from worker.terms import SubmissionState

#: A report without a message is tried at every turn for so many seconds, then at one of so many.
LATELY = 600.0
TURNS = 120


def keep(
    connection: Connection,
    account: str,
    kind: str,
    body: bytes,
    *,
    status: int | None = None,
    target: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> int:
    """Store a raw page or push before anything is read from it; returns its id."""
    row = insert(inbox).values(
        account=account,
        kind=kind,
        status=status,
        target=target,
        headers=dict(headers or {}),
        body=body,
        received_at=now(),
    )
    return new_id(connection.execute(row))


def waiting(connection: Connection, limit: int) -> list[Row[Any]]:
    """Return raw pages that were not parsed yet, the oldest first; pushes are read elsewhere."""
    rows = connection.execute(
        select(inbox)
        .where(inbox.c.parsed_at.is_(None), inbox.c.kind != "push")
        .order_by(inbox.c.id)
        .limit(limit)
    )
    return list(rows)


def begin(connection: Connection, inbox_id: int) -> bool:
    """Take a page to read it, for the transaction; False when another has read it."""
    taken = connection.execute(
        update(inbox)
        .where(inbox.c.id == inbox_id, inbox.c.parsed_at.is_(None))
        .values(parsed_at=now())
    )
    return taken.rowcount == 1


def kept(
    connection: Connection,
    *,
    account: str | None = None,
    since: datetime | None = None,
    ids: Collection[int] | None = None,
    damaged: bool = False,
) -> list[int]:
    """Return the ids of raw pages and pushes that fit, the oldest first.

    With `damaged` only those of which something could not be read, or nothing was read yet.
    """
    query = select(inbox.c.id).order_by(inbox.c.id)
    if account is not None:
        query = query.where(inbox.c.account == account)
    if since is not None:
        query = query.where(inbox.c.received_at >= since)
    if ids is not None:
        query = query.where(inbox.c.id.in_(list(ids)))
    if damaged:
        query = query.where(or_(inbox.c.damaged > 0, inbox.c.parsed_at.is_(None)))
    return list(connection.execute(query).scalars())


def raw(connection: Connection, inbox_id: int) -> Row[Any] | None:
    """Lock a raw page, and return it; None when it is gone."""
    return connection.execute(select(inbox).where(inbox.c.id == inbox_id).with_for_update()).first()


def parsed(connection: Connection, inbox_id: int, rows: int, damaged: int) -> None:
    """Note that a page was read, and how many rows it had; damaged ones can be read again."""
    connection.execute(
        update(inbox)
        .where(inbox.c.id == inbox_id)
        .values(parsed_at=now(), rows=rows, damaged=damaged)
    )


def add_reports(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[Row[Any]]:
    """Store reports that are new (by account and digest) and return their rows."""
    return _add_new(connection, report, report.c.received_at, rows)


def add_inbound(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[Row[Any]]:
    """Store inbound messages that are new (by account and digest) and return their rows."""
    return _add_new(connection, inbound_message, inbound_message.c.stored_at, rows)


def _add_new(
    connection: Connection, table: Any, stamp: Any, rows: Sequence[Mapping[str, Any]]
) -> list[Row[Any]]:
    by_digest = {row["digest"]: row for row in rows}
    if not by_digest:
        return []
    if connection.dialect.name == "postgresql":
        names = list(rows[0])
        each = given({name: table.c[name] for name in names})
        insertion = insert_unless_there(connection, table).from_select(
            [*names, stamp.name], select(*each.c, now())
        )
        # It returns those that it has inserted, and no others.
        made = connection.execute(insertion.returning(table), lists(list(by_digest.values())))
        return sorted(made, key=lambda row: row.id)
    insertion = insert_unless_there(connection, table).values({stamp: now()})
    mine = table.c.account == rows[0]["account"]
    for (digest,) in _by_digest(connection, select(table.c.digest).where(mine), table, by_digest):
        del by_digest[digest]
    if not by_digest:
        return []
    connection.execute(insertion, list(by_digest.values()))
    new = _by_digest(connection, select(table).where(mine), table, by_digest)
    return sorted(new, key=lambda row: row.id)


def _by_digest(
    connection: Connection, query: Any, table: Any, digests: Collection[str]
) -> list[Row[Any]]:
    return [
        row
        for some in in_parts(connection, table.c.digest, list(digests))
        for row in connection.execute(query.where(some))
    ]


def correct_reports(
    connection: Connection, inbox_id: int, rows: Sequence[Mapping[str, Any]]
) -> list[Row[Any]]:
    """Correct reports that an earlier reading of a page stored otherwise; returns these.

    One that is read otherwise now is the first of the same number that is read no more: it stays
    one row, and counts once.
    """
    return _correct(connection, report, inbox_id, rows)


def correct_inbound(
    connection: Connection, inbox_id: int, rows: Sequence[Mapping[str, Any]]
) -> list[Row[Any]]:
    """Correct inbound messages that an earlier reading of a page stored otherwise, likewise."""
    return _correct(connection, inbound_message, inbox_id, rows)


def _correct(
    connection: Connection, table: Any, inbox_id: int, rows: Sequence[Mapping[str, Any]]
) -> list[Row[Any]]:
    by_digest = {row["digest"]: row for row in rows}
    if not by_digest:
        return []
    here = table.c.account == rows[0]["account"]
    known = connection.execute(
        select(table.c.digest).where(here, one_of(connection, table.c.digest, by_digest))
    ).scalars()
    fresh: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for digest in by_digest.keys() - set(known):
        fresh[by_digest[digest]["msisdn"]].append(by_digest[digest])
    if not fresh:
        return []
    stale = connection.execute(
        select(table.c.id, table.c.msisdn)
        .where(
            here,
            table.c.inbox_id == inbox_id,
            table.c.msisdn.in_(list(fresh)),
            table.c.digest.not_in(list(by_digest)),
        )
        .order_by(table.c.id)
    ).all()
    corrected = []
    for one in stale:
        if fresh[one.msisdn]:
            connection.execute(
                update(table).where(table.c.id == one.id).values(**fresh[one.msisdn].pop(0))
            )
            corrected.append(one.id)
    query = select(table).where(table.c.id.in_(corrected)).order_by(table.c.id)
    return list(connection.execute(query)) if corrected else []


def unmatched(
    connection: Connection, limit: int, seconds: float, after: int, turn: int
) -> list[Row[Any]]:
    """Return reports younger than `seconds` whose message was not found, with ids past `after`.

    Those that came lately, and of the older ones the part whose `turn` it is: they are strangers
    mostly, and each of them comes up once in `TURNS`.
    """
    lately = report.c.received_at >= later(-LATELY)
    rows = connection.execute(
        select(report)
        .where(
            report.c.request_id.is_(None),
            report.c.received_at >= later(-seconds),
            or_(lately, report.c.id % TURNS == turn % TURNS),
            report.c.id > after,
        )
        .order_by(report.c.id)
        .limit(limit)
    )
    return list(rows)


@dataclass(frozen=True, slots=True)
class Origin:
    """A submission that a report may belong to."""

    id: int
    fence: int
    account: str
    state: SubmissionState
    request_id: int
    lo: int | None
    hi: int | None
    segments: int
    reference: str | None
    gateway_id: str | None
    called_at: datetime | None
    #: Whether it stands for calls that a restored backup forgot: what is true of one of its
    #: messages need not be true of the others.
    restored: bool


def origins(
    connection: Connection,
    accounts: Collection[str],
    references: Collection[str],
    ids: Collection[str],
) -> list[Origin]:
    """Return the submissions of accounts with one of our references or of the gateway's ids."""
    rows = connection.execute(
        select(submission).where(
            submission.c.account.in_(list(accounts)),
            or_(
                submission.c.reference.in_(list(references)),
                submission.c.gateway_id.in_(list(ids)),
            ),
        )
    )
    return [_origin(row) for row in rows]


def adoptable(
    connection: Connection, accounts: Collection[str], seconds: float, limit: int
) -> list[Origin]:
    """Return the newest submissions of accounts whose id at the gateway we never learned.

    Those that are unknown, or were accepted without an id, not more than `seconds` ago.
    """
    rows = connection.execute(
        select(submission)
        .where(
            submission.c.account.in_(list(accounts)),
            submission.c.state.in_([SubmissionState.UNKNOWN.value, SubmissionState.ACCEPTED.value]),
            submission.c.gateway_id.is_(None),
            submission.c.called_at >= later(-seconds),
        )
        .order_by(submission.c.id.desc())
        .limit(limit)
    )
    return [_origin(row) for row in rows]


def adopt(connection: Connection, one: int, gateway_id: str) -> None:
    """Write down the id that a gateway gave to a submission, learned from its reports."""
    connection.execute(
        update(submission)
        .where(submission.c.id == one, submission.c.gateway_id.is_(None))
        .values(gateway_id=gateway_id)
    )


def _origin(row: Any) -> Origin:
    return Origin(
        row.id,
        row.fence,
        row.account,
        SubmissionState(row.state),
        row.request_id,
        row.lo,
        row.hi,
        row.segments,
        row.reference,
        row.gateway_id,
        row.called_at,
        row.code == RESTORED,
    )


def numbers_of(
    connection: Connection, origin: Origin, msisdns: Collection[str] | None
) -> list[Row[Any]]:
    """Return request, n, number and own state of an origin's messages: all, or some numbers."""
    # A message that was sent once more still belongs to the first submission's reports.
    again = select(submission.c.id).where(submission.c.resend_of == origin.id)
    named = [origin.id, *connection.execute(again).scalars()]
    # Each by an index of its own: together they would be looked for in the whole table.
    carried: list[Any] = [message.c.submission_id.in_(named)]
    if origin.lo is not None:
        in_range = and_(
            message.c.request_id == origin.request_id,
            message.c.n >= origin.lo,
            message.c.n < origin.hi,
            message.c.submission_id.is_(None),
        )
        carried.append(in_range)
    query: Any = select(message.c.request_id, message.c.n, message.c.msisdn, message.c.state)
    if msisdns is not None:
        query = query.where(one_of(connection, message.c.msisdn, msisdns))
    return [row for which in carried for row in connection.execute(query.where(which))]


def match(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write down which messages reports belong to: each row has `one`, `of` and `nth`."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        each = unnested(rows, one=report.c.id, of=report.c.request_id, nth=report.c.n)
        matching = update(report).where(report.c.id == each.c.one)
        connection.execute(matching.values(request_id=each.c.of, n=each.c.nth))
        return
    connection.execute(
        update(report)
        .where(report.c.id == bindparam("one"))
        .values(request_id=bindparam("of"), n=bindparam("nth")),
        list(rows),
    )


def statuses_of(connection: Connection, request_id: int, n: int) -> list[str]:
    """Return the statuses of all reports of a message."""
    rows = connection.execute(
        select(report.c.status).where(report.c.request_id == request_id, report.c.n == n)
    )
    return list(rows.scalars())


def reports_of(connection: Connection, request_id: int, n: int) -> list[Row[Any]]:
    """Return all reports of a message, in the order in which they came."""
    query = select(report).where(report.c.request_id == request_id, report.c.n == n)
    return list(connection.execute(query.order_by(report.c.id)))


def opt_outs(connection: Connection, msisdns: Collection[str], why: str) -> list[str]:
    """Note who does not want any more; returns those that are new."""
    known = set(
        connection.execute(
            select(opt_out.c.msisdn).where(opt_out.c.msisdn.in_(list(msisdns)))
        ).scalars()
    )
    new = [one for one in dict.fromkeys(msisdns) if one not in known]
    for msisdn in new:
        connection.execute(insert(opt_out).values(msisdn=msisdn, since=now(), why=why))
    return new


def inbound(
    connection: Connection, limit: int, *, msisdn: str | None = None, account: str | None = None
) -> list[Row[Any]]:
    """Return inbound messages, the newest first."""
    query = select(inbound_message)
    if msisdn is not None:
        query = query.where(inbound_message.c.msisdn == msisdn)
    if account is not None:
        query = query.where(inbound_message.c.account == account)
    return list(connection.execute(query.order_by(inbound_message.c.id.desc()).limit(limit)))
