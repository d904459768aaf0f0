"""What is known of accounts: holds and balances."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select, update

from worker.clock import later, now
from worker.store.rows import insert_unless_there
from worker.tables import account_state


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


_still_held = account_state.c.held_since.is_not(None) & or_(
    account_state.c.held_until.is_(None), account_state.c.held_until > now()
)


def ensure(connection: Connection, account: str) -> None:
    """Make sure that the account has its row."""
    connection.execute(insert_unless_there(connection, account_state).values(account=account))


def held(connection: Connection) -> frozenset[str]:
    """Return the names of the accounts that take nothing now."""
    return frozenset(
        connection.execute(select(account_state.c.account).where(_still_held)).scalars()
    )


def states(connection: Connection) -> dict[str, AccountState]:
    """Return what is known of each account that anything is known of."""
    rows = connection.execute(select(account_state, _still_held.label("held")))
    return {
        row.account: AccountState(
            row.account,
            bool(row.held),
            row.held_since if row.held else None,
            row.held_until if row.held else None,
            row.held_code if row.held else None,
            row.held_why if row.held else None,
            row.balance,
            row.balance_at,
        )
        for row in rows
    }


def hold(connection: Connection, account: str, code: str, why: str, seconds: float | None) -> None:
    """Hold an account, for some seconds or until a person releases it; a longer hold stays."""
    ensure(connection, account)
    connection.execute(
        update(account_state)
        .where(
            account_state.c.account == account,
            or_(
                account_state.c.held_since.is_(None),
                account_state.c.held_until <= now(),
            ),
        )
        .values(
            held_since=now(),
            held_until=None if seconds is None else later(seconds),
            held_code=code[:64],
            held_why=why[:200],
        )
    )


def release(connection: Connection, account: str) -> bool:
    """Let an account take messages again; False when it was not held."""
    done = connection.execute(
        update(account_state)
        .where(account_state.c.account == account, account_state.c.held_since.is_not(None))
        .values(held_since=None, held_until=None, held_code=None, held_why=None)
    )
    return done.rowcount == 1


def write_balance(connection: Connection, account: str, balance: Mapping[str, Any]) -> None:
    """Keep what the account said of its balance."""
    ensure(connection, account)
    connection.execute(
        update(account_state)
        .where(account_state.c.account == account)
        .values(balance=balance, balance_at=now())
    )
