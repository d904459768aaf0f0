"""What is known of accounts: holds and balances."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, or_, select, update

from worker.config.credentials import NO_LOGINS, Logins
from worker.policy import account_health
from worker.policy.account_health import WELL, Health
from worker.store.db.clock import later, now
from worker.store.db.dialects import insert_unless_there
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
    health: Health = WELL
    #: The fingerprint of the login that it was held for; None when the login is not at fault.
    held_login: str | None = None


#: So many singles in a row may end without a known outcome before singles wait for a probe too.
DOUBTS_OF_SINGLES = 3
#: What a probe counts among the doubts; calls in doubt between two probes count less together.
PROBE = 8
#: The longest pause between probes, in seconds.
LONGEST_PROBE_PAUSE = 60.0

_still_held = account_state.c.held_since.is_not(None) & or_(
    account_state.c.held_until.is_(None), account_state.c.held_until > now()
)


def _free_for(login: str) -> ColumnElement[bool]:
    """Not held, or for another login only: an answer that comes after a hold proves nothing."""
    return or_(
        account_state.c.held_since.is_(None),
        account_state.c.held_until <= now(),
        account_state.c.held_login != login,
    )


def ensure(connection: Connection, account: str) -> None:
    """Make sure that the account has its row."""
    connection.execute(insert_unless_there(connection, account_state).values(account=account))


#: What is seen of an account, with what the database's clock makes of its times.
SEEN = (
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
_seen = select(*SEEN)


def seen(connection: Connection) -> Sequence[Any]:
    """Return what is seen of all accounts."""
    return connection.execute(_seen).all()


def held(connection: Connection, logins: Logins = NO_LOGINS) -> frozenset[str]:
    """Return the names of the accounts that take nothing now.

    One that was held for its login is held no longer for who has another one.
    """
    return held_of(seen(connection), logins)


def held_of(rows: Sequence[Any], logins: Logins) -> frozenset[str]:
    """Return what `held` does, by what was seen."""
    return frozenset(row.account for row in rows if row.held and _concerns(row, logins))


def _concerns(row: Any, logins: Logins) -> bool:
    return (
        row.held_login is None
        or logins.fingerprints.get(row.account, row.held_login) == row.held_login
    )


@dataclass(frozen=True, slots=True)
class Doubt:
    """An account that takes one call at a time: in doubt, held until now, or not proven yet."""

    #: Calls in a row without a known outcome; none when only the login is not proven.
    doubts: int
    #: Whether the one call that asks may go now.
    probe_due: bool
    #: Whether it takes nothing, because its counter is to tell what was taken.
    settling: bool
    #: Whether the gateway has not accepted this login yet.
    unproven: bool = False

    @property
    def of_singles(self) -> bool:
        """Whether even single messages wait for the probe."""
        return self.unproven or self.doubts >= DOUBTS_OF_SINGLES


def doubtful(connection: Connection, logins: Logins = NO_LOGINS) -> dict[str, Doubt]:
    """Return the accounts that take one call at a time, by name."""
    return doubtful_of(seen(connection), logins)


def doubtful_of(rows: Sequence[Any], logins: Logins) -> dict[str, Doubt]:
    """Return what `doubtful` does, by what was seen."""
    there = {row.account: row for row in rows}
    found = {
        name: _doubt(there, name, logins) for name in there.keys() | logins.fingerprints.keys()
    }
    return {name: one for name, one in found.items() if one.doubts or one.unproven}


def _doubt(there: Mapping[str, Any], name: str, logins: Logins) -> Doubt:
    row, keeper = there.get(name), there.get(logins.keeper(name))
    unproven = name in logins.fingerprints and (
        keeper is None or keeper.proven != logins.fingerprints[name]
    )
    doubts = row.doubts if row is not None else 0
    asked = [row] if doubts else []
    asked += [keeper] if unproven else []
    due = all(one is None or bool(one.due) for one in asked)
    return Doubt(doubts, due, bool(row is not None and row.settling), unproven)


def doubt(connection: Connection, account: str, settle_for: float | None) -> None:
    """Note a call without a known outcome: the next batch waits for a probe, at first 1 s.

    With `settle_for` the account takes nothing for so many seconds, or until `settled`.
    """
    ensure(connection, account)
    known = connection.execute(
        select(account_state.c.doubts).where(account_state.c.account == account).with_for_update()
    ).scalar_one()
    # What was under way when an outage began, or a worker died, is one doubt to the pause; it
    # doubles with each probe.
    more = known + 1 if (known + 1) % PROBE else known
    wait = min(LONGEST_PROBE_PAUSE, 2.0 ** min(more // PROBE, 16))
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


def trust(connection: Connection, account: str, login: str = "") -> None:
    """Note a call with a known outcome: nothing waits any more, unless it is held meanwhile."""
    connection.execute(
        update(account_state)
        .where(account_state.c.account == account, account_state.c.doubts > 0, _free_for(login))
        .values(doubts=0, probe_at=None, settle_until=None)
    )


def take_probe(
    connection: Connection, account: str, seconds: float, login: str = "", *, counts: bool = True
) -> bool:
    """Take the right to ask an account, for some seconds; False when another has it.

    It is there to be taken while the account is in doubt, or the `login` is not proven. It counts
    among the doubts if a submission asks.
    """
    ensure(connection, account)
    wanted = [account_state.c.doubts > 0]
    if login:
        wanted += [account_state.c.proven.is_(None), account_state.c.proven != login]
    taken = connection.execute(
        update(account_state)
        .where(
            account_state.c.account == account,
            or_(*wanted),
            or_(account_state.c.probe_at.is_(None), account_state.c.probe_at <= now()),
            # It may have been held since whoever asks looked.
            _free_for(login),
        )
        .values(
            probe_at=later(seconds),
            doubts=case(
                (account_state.c.doubts > 0, account_state.c.doubts + PROBE * counts),
                else_=account_state.c.doubts,
            ),
        )
    )
    return taken.rowcount == 1


def give_probe(connection: Connection, account: str, wait: float = 0.0) -> None:
    """Let the next one ask an account: its call said nothing, and is over."""
    connection.execute(
        update(account_state)
        .where(account_state.c.account == account, account_state.c.probe_at.is_not(None))
        .values(probe_at=later(wait))
    )


def prove(connection: Connection, account: str, login: str) -> bool:
    """Note that the gateway accepted a login; False when that was known."""
    done = connection.execute(
        update(account_state)
        .where(
            account_state.c.account == account,
            or_(account_state.c.proven.is_(None), account_state.c.proven != login),
            _free_for(login),
        )
        .values(proven=login, probe_at=now())
    )
    return done.rowcount == 1


def known(connection: Connection, names: Collection[str]) -> dict[str, tuple[int, str | None]]:
    """Return the doubts of accounts and the logins that are proven there, by name."""
    rows = connection.execute(
        select(account_state.c.account, account_state.c.doubts, account_state.c.proven).where(
            account_state.c.account.in_(names)
        )
    )
    return {row.account: (row.doubts, row.proven) for row in rows}


def healths(connection: Connection) -> dict[str, Health]:
    """Return the accounts that are to get less than all of their traffic, by name."""
    return healths_of(seen(connection))


def healths_of(rows: Sequence[Any]) -> dict[str, Health]:
    """Return what `healths` does, by what was seen."""
    return {
        row.account: account_health.stored(row.health) for row in rows if row.health is not None
    }


def write_health(connection: Connection, account: str, now_is: Health) -> None:
    """Keep what share of its traffic an account is to get."""
    ensure(connection, account)
    connection.execute(
        update(account_state)
        .where(account_state.c.account == account)
        .values(health=now_is.as_json())
    )


def states(connection: Connection, logins: Logins = NO_LOGINS) -> dict[str, AccountState]:
    """Return what is known of each account that anything is known of."""
    rows = connection.execute(select(account_state, _still_held.label("held")))
    return {
        row.account: _state(row, held=bool(row.held) and _concerns(row, logins)) for row in rows
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
        account_health.stored(row.health),
        row.held_login if held else None,
    )


def hold(
    connection: Connection,
    account: str,
    code: str,
    why: str,
    seconds: float | None,
    login: str | None = None,
) -> bool:
    """Hold an account, for some seconds or until a person releases it; False when it was held.

    One until a person stays, and comes in the place of one that ends by itself. With the
    fingerprint of a `login` it holds that login alone.
    """
    ensure(connection, account)
    free = [account_state.c.held_since.is_(None), account_state.c.held_until <= now()]
    if seconds is None:
        free.append(account_state.c.held_until.is_not(None))
    if login is not None:
        free.append(account_state.c.held_login != login)
    done = connection.execute(
        update(account_state)
        .where(account_state.c.account == account, or_(*free))
        .values(
            held_since=now(),
            held_until=None if seconds is None else later(seconds),
            held_code=code[:64],
            held_why=why[:200],
            held_login=login,
        )
    )
    return done.rowcount == 1


def distrust(connection: Connection, account: str, seconds: float | None) -> None:
    """Let one smallest submission ask first, once a hold of so many seconds, or a person's, ends.

    Whether its login is accepted is asked again as well.
    """
    connection.execute(
        update(account_state)
        .where(account_state.c.account == account)
        .values(
            doubts=case(
                (account_state.c.doubts < DOUBTS_OF_SINGLES, DOUBTS_OF_SINGLES),
                else_=account_state.c.doubts,
            ),
            probe_at=now() if seconds is None else later(seconds),
            proven=None,
        )
    )


def release(connection: Connection, account: str) -> bool:
    """Let an account take messages again; False when it was not held."""
    done = connection.execute(
        update(account_state)
        .where(account_state.c.account == account, account_state.c.held_since.is_not(None))
        .values(held_since=None, held_until=None, held_code=None, held_why=None, held_login=None)
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
