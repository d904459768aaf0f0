"""Read and write the rows of accounts: holds, health, balances, the sent counter's baseline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select, update

from worker.config.credentials import NO_LOGINS, Logins
from worker.policy import account_health
from worker.policy.account_health import HEALTHY, Health
from worker.store.db.clock import later, now
from worker.store.db.dialects import insert_if_absent
from worker.store.schema.tables import account_state


@dataclass(frozen=True, slots=True)
class AccountState:
    """An account as it stands; `held_until` None while held means until a person releases it."""

    account: str
    held: bool = False
    held_since: datetime | None = None
    held_until: datetime | None = None
    held_code: str | None = None
    held_why: str | None = None
    balance: Mapping[str, Any] | None = None
    balance_at: datetime | None = None
    health: Health = HEALTHY
    #: The fingerprint of the login that it was held for; None when the login is not at fault.
    held_login: str | None = None
    #: When a submission may ask whether the account works again, where it is in doubt.
    probe_at: datetime | None = None


_still_held = account_state.c.held_since.is_not(None) & or_(
    account_state.c.held_until.is_(None), account_state.c.held_until > now()
)

#: What a claim reads of each account, its times already compared with the database's clock.
SNAPSHOT_COLUMNS = (
    account_state.c.account,
    account_state.c.held_login,
    _still_held.label("held"),
    account_state.c.doubts,
    account_state.c.proven,
    or_(account_state.c.probe_at.is_(None), account_state.c.probe_at <= now()).label("due"),
    (account_state.c.settle_until > now()).label("settling"),
    account_state.c.health,
    account_state.c.pace,
    account_state.c.learned,
    (account_state.c.gather_until > now()).label("gathers"),
    now().label("at"),
)
_snapshots = select(*SNAPSHOT_COLUMNS)


def ensure(connection: Connection, account_name: str) -> None:
    """Make sure that the account has its row."""
    connection.execute(insert_if_absent(connection, account_state).values(account=account_name))


def snapshots(connection: Connection) -> Sequence[Any]:
    """Return a row of the `SNAPSHOT_COLUMNS` for each account that has a row."""
    return connection.execute(_snapshots).all()


def held_names(connection: Connection, logins: Logins = NO_LOGINS) -> frozenset[str]:
    """Return the names of the accounts that take nothing now.

    An account that was held for its login is not held once `logins` has another one for it.
    """
    return held_names_in(snapshots(connection), logins)


def held_names_in(rows: Sequence[Any], logins: Logins) -> frozenset[str]:
    """Return what `held_names` does, from the rows of `snapshots`."""
    return frozenset(row.account for row in rows if row.held and _hold_concerns(row, logins))


def _hold_concerns(row: Any, logins: Logins) -> bool:
    """Whether an account's hold is for any login, or for the one that `logins` has for it."""
    return (
        row.held_login is None
        or logins.fingerprints.get(row.account, row.held_login) == row.held_login
    )


def names_held_for(connection: Connection, login: str) -> list[str]:
    """Return the names of the accounts that are held for a login, sorted."""
    held_for_login = select(account_state.c.account).where(
        account_state.c.held_since.is_not(None), account_state.c.held_login == login
    )
    return sorted(connection.execute(held_for_login).scalars())


def states(connection: Connection, logins: Logins = NO_LOGINS) -> dict[str, AccountState]:
    """Return the state of each account that has a row, by name."""
    rows = connection.execute(select(account_state, _still_held.label("held")))
    return {
        row.account: _state(row, held=bool(row.held) and _hold_concerns(row, logins))
        for row in rows
    }


def _state(row: Any, *, held: bool) -> AccountState:
    return AccountState(
        row.account,
        held,
        row.held_since if held else None,
        row.held_until if held else None,
        row.held_code if held else None,
        row.held_why if held else None,
        row.balance,
        row.balance_at,
        account_health.health_from_json(row.health),
        row.held_login if held else None,
        row.probe_at if row.doubts else None,
    )


def hold(
    connection: Connection,
    account_name: str,
    code: str,
    reason: str,
    seconds: float | None,
    login: str | None = None,
    *,
    prolongs: bool = True,
) -> bool:
    """Hold an account, for some seconds or until a person releases it; False when it was held.

    A hold until a person stays, and replaces one that ends by itself unless `prolongs` is False.
    With the fingerprint of a `login` it holds that login alone.
    """
    ensure(connection, account_name)
    may_hold = [account_state.c.held_since.is_(None), account_state.c.held_until <= now()]
    if seconds is None and prolongs:
        may_hold.append(account_state.c.held_until.is_not(None))
    if login is not None:
        may_hold.append(account_state.c.held_login != login)
    holding = connection.execute(
        update(account_state)
        .where(account_state.c.account == account_name, or_(*may_hold))
        .values(
            held_since=now(),
            held_until=None if seconds is None else later(seconds),
            held_code=code[:64],
            held_why=reason[:200],
            held_login=login,
        )
    )
    return holding.rowcount == 1


def release(connection: Connection, account_name: str) -> bool:
    """Let an account take messages again; False when it was not held."""
    releasing = connection.execute(
        update(account_state)
        .where(account_state.c.account == account_name, account_state.c.held_since.is_not(None))
        .values(held_since=None, held_until=None, held_code=None, held_why=None, held_login=None)
    )
    return releasing.rowcount == 1


def healths(connection: Connection) -> dict[str, Health]:
    """Return the health of the accounts whose health is stored, by name."""
    return healths_in(snapshots(connection))


def healths_in(rows: Sequence[Any]) -> dict[str, Health]:
    """Return what `healths` does, from the rows of `snapshots`."""
    return {
        row.account: account_health.health_from_json(row.health)
        for row in rows
        if row.health is not None
    }


def write_health(connection: Connection, account_name: str, health: Health) -> None:
    """Store the health of an account: the share of its traffic that it is to get, and why."""
    ensure(connection, account_name)
    connection.execute(
        update(account_state)
        .where(account_state.c.account == account_name)
        .values(health=health.as_json())
    )


def write_balance(connection: Connection, account_name: str, balance: Mapping[str, Any]) -> None:
    """Store the balance that the gateway told, with the time of this statement."""
    ensure(connection, account_name)
    connection.execute(
        update(account_state)
        .where(account_state.c.account == account_name)
        .values(balance=balance, balance_at=now())
    )


def counter_baseline(connection: Connection, account_name: str) -> Mapping[str, Any]:
    """Return the sent counter as it was at a quiet moment; empty when it was never read."""
    baseline = connection.execute(
        select(account_state.c.counter).where(account_state.c.account == account_name)
    ).scalar()
    return baseline or {}


def write_counter_baseline(
    connection: Connection, account_name: str, baseline: Mapping[str, Any]
) -> None:
    """Store the sent counter as it is at a quiet moment."""
    ensure(connection, account_name)
    connection.execute(
        update(account_state)
        .where(account_state.c.account == account_name)
        .values(counter=dict(baseline))
    )
