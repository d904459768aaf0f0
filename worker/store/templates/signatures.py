"""Read and write the signatures that accounts may use, as their vendors know them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, update

from worker.domain import registrations
from worker.domain.enums import RegistrationState
from worker.store import events
from worker.store.db.clock import now
from worker.store.db.dialects import insert_new
from worker.store.schema.tables import signature


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature of an account. `name` is without 【】; `vendor_id` None where the name does."""

    id: int
    account: str
    name: str
    vendor_id: str | None
    state: RegistrationState
    since: datetime
    who: str
    why: str | None


def add(
    connection: Connection,
    account: str,
    name: str,
    vendor_id: str | None,
    state: RegistrationState,
    who: str,
) -> tuple[Signature, bool]:
    """Add a signature; return it, and whether it is new. One that is there stays as it is."""
    values = {
        "account": account,
        "name": name,
        "vendor_id": vendor_id or "",
        "state": state.value,
        "since": now(),
        "who": who[:64],
        "why": None,
    }
    is_new = insert_new(connection, signature, values)
    (stored,) = _select(
        connection,
        signature.c.account == account,
        signature.c.name == name,
        signature.c.vendor_id == (vendor_id or ""),
    )
    if is_new:
        _add_event(connection, stored, "signature.added", who)
    return stored, is_new


def find(connection: Connection, signature_id: int) -> Signature | None:
    """Return the signature of an id; None when there is none."""
    return next(iter(_select(connection, signature.c.id == signature_id)), None)


def list_signatures(
    connection: Connection, account: str | None = None, name: str | None = None
) -> list[Signature]:
    """Return the signatures, of one account and of one name where these are given."""
    conditions = [
        column == value
        for column, value in ((signature.c.account, account), (signature.c.name, name))
        if value is not None
    ]
    return _select(connection, *conditions)


def set_state(
    connection: Connection,
    signature_id: int,
    state: RegistrationState,
    who: str,
    why: str | None = None,
) -> bool:
    """Move a signature to a state; False when it is there already, or there is none."""
    moved = connection.execute(
        update(signature)
        .where(
            signature.c.id == signature_id,
            signature.c.state.in_([source.value for source in registrations.sources(state)]),
        )
        .values(state=state.value, since=now(), who=who[:64], why=registrations.kept_reason(why))
    )
    if moved.rowcount != 1:
        return False
    (stored,) = _select(connection, signature.c.id == signature_id)
    _add_event(
        connection,
        stored,
        {
            RegistrationState.APPROVED: "signature.resumed",
            RegistrationState.PAUSED: "signature.paused",
            RegistrationState.REFUSED: "signature.refused",
        }[state],
        who,
    )
    return True


def _add_event(connection: Connection, stored: Signature, event_name: str, who: str) -> None:
    detail = {
        "signature": stored.id,
        "name": stored.name,
        "state": stored.state.value,
        "why": stored.why,
    }
    events.add(connection, event_name, who, account=stored.account, detail=detail)


def _select(connection: Connection, *conditions: ColumnElement[bool]) -> list[Signature]:
    query = select(signature).where(*conditions)
    rows = connection.execute(query.order_by(signature.c.account, signature.c.name, signature.c.id))
    return [_signature(row) for row in rows]


def _signature(row: Any) -> Signature:
    return Signature(
        row.id,
        row.account,
        row.name,
        row.vendor_id or None,
        RegistrationState(row.state),
        row.since,
        row.who,
        row.why,
    )
