"""What is known of accounts: holds and balances."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select, update

from worker import health
from worker.clock import later, now
from worker.health import WELL, Health
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
    health: Health = WELL


#: So many singles in a row may end without a known outcome before singles wait for a probe too.
DOUBTS_OF_SINGLES = 3
#: The longest pause between probes, in seconds.
LONGEST_PROBE_PAUSE = 60.0

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


@dataclass(frozen=True, slots=True)
class Doubt:
    """An account whose last calls ended without a known outcome."""

    doubts: int
    #: Whether the one smallest submission that asks again may go now.
    probe_due: bool
    #: Whether it takes nothing, because its counter is to tell what was taken.
    settling: bool

    @property
    def of_singles(self) -> bool:
        """Whether even single messages wait for the probe."""
        return self.doubts >= DOUBTS_OF_SINGLES


def doubtful(connection: Connection) -> dict[str, Doubt]:
    """Return the accounts in doubt, by name."""
    rows = connection.execute(
        select(
            account_state.c.account,
            account_state.c.doubts,
            (account_state.c.probe_at <= now()).label("due"),
            (account_state.c.settle_until > now()).label("settling"),
        ).where(account_state.c.doubts > 0)
    )
    return {row.account: Doubt(row.doubts, bool(row.due), bool(row.settling)) for row in rows}


def doubt(connection: Connection, account: str, settle_for: float | None) -> None:
    """Note a call without a known outcome: the next batch waits for a probe, at first 1 s.

    With `settle_for` the account takes nothing for so many seconds, or until `settled`.
    """
    ensure(connection, account)
    known = connection.execute(
        select(account_state.c.doubts).where(account_state.c.account == account).with_for_update()
    ).scalar_one()
    more = known + 1
    # Many calls may fail at once: the pause doubles with every eighth.
    wait = min(LONGEST_PROBE_PAUSE, 2.0 ** min(more // 8, 16))
    connection.execute(
        update(account_state)
        .where(account_state.c.account == account)
        .values(
            doubts=more,
            probe_at=later(wait),
            settle_until=None if settle_for is None else later(settle_for),
        )
    )


def settled(connection: Connection, account: str) -> None:
    """Let a doubtful account be probed: its counter has told what it can."""
    connection.execute(
        update(account_state)
        .where(account_state.c.account == account)
        .values(settle_until=None, probe_at=now())
    )


def counter(connection: Connection, account: str) -> Mapping[str, Any]:
    """Return the sent counter at a quiet moment; empty when there was none."""
    found = connection.execute(
        select(account_state.c.counter).where(account_state.c.account == account)
    ).scalar()
    return found or {}


def write_counter(connection: Connection, account: str, baseline: Mapping[str, Any]) -> None:
    """Keep the sent counter as it is at a quiet moment."""
    ensure(connection, account)
    connection.execute(
        update(account_state)
        .where(account_state.c.account == account)
        .values(counter=dict(baseline))
    )


def trust(connection: Connection, account: str) -> None:
    """Note a call with a known outcome: nothing waits any more."""
    connection.execute(
        update(account_state)
        .where(account_state.c.account == account, account_state.c.doubts > 0)
        .values(doubts=0, probe_at=None, settle_until=None)
    )


def take_probe(connection: Connection, account: str, seconds: float) -> bool:
    """Take the right to probe a doubtful account, for some seconds; False when another has it."""
    taken = connection.execute(
        update(account_state)
        .where(
            account_state.c.account == account,
            account_state.c.doubts > 0,
            account_state.c.probe_at <= now(),
        )
        .values(probe_at=later(seconds))
    )
    return taken.rowcount == 1


def healths(connection: Connection) -> dict[str, Health]:
    """Return the accounts that are to get less than all of their traffic, by name."""
    rows = connection.execute(
        select(account_state.c.account, account_state.c.health).where(
            account_state.c.health.is_not(None)
        )
    )
    return {row.account: health.stored(row.health) for row in rows}


def write_health(connection: Connection, account: str, now_is: Health) -> None:
    """Keep what share of its traffic an account is to get."""
    ensure(connection, account)
    connection.execute(
        update(account_state)
        .where(account_state.c.account == account)
        .values(health=now_is.as_json())
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
            health.stored(row.health),
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
