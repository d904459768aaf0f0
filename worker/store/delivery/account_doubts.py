"""Read and write the doubts about accounts: calls without a known outcome, and unproven logins.

An account in doubt takes one call at a time: the probe, which learns whether the account works.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, case, or_, select, update

from worker.config.credentials import NO_LOGINS, Logins
from worker.store.accounts import ensure, snapshots
from worker.store.db.clock import later, now
from worker.store.schema.tables import account_state

#: After so many calls in a row without a known outcome, singles wait for a probe too.
DOUBTS_OF_SINGLES = 3
#: What one probe adds to the column `doubts`; the calls between two probes add less together.
PACKED_PROBE = 8
#: The longest pause between probes, in seconds.
LONGEST_PROBE_PAUSE = 60.0
#: 2 to this power is longer than the longest pause.
_MAX_PAUSE_EXPONENT = 16


class DoubtCounts(NamedTuple):
    """How many calls in a row ended without a known outcome, and how many probes asked since.

    The column `doubts` holds both in one integer, eight times the probes plus the calls. So it is 0
    while there is no doubt, and one statement can compare it and add a probe to it. What was under
    way when an outage began, or a worker died, counts as one doubt for the pause between probes,
    however many calls it was: no more than seven are counted.
    """

    calls: int
    probes: int = 0

    @classmethod
    def unpacked(cls, doubts: int) -> "DoubtCounts":
        """Return the counts that a value of the column `doubts` holds."""
        probes, calls = divmod(doubts, PACKED_PROBE)
        return cls(calls, probes)

    def packed(self) -> int:
        """Return the value of the column `doubts` that holds these counts."""
        return self.probes * PACKED_PROBE + self.calls

    def with_call(self) -> "DoubtCounts":
        """Return the counts after one more call without a known outcome."""
        return self._replace(calls=min(self.calls + 1, PACKED_PROBE - 1))

    def probe_pause(self) -> float:
        """Return the seconds until the next probe: 1 at first, doubled by each probe."""
        return min(LONGEST_PROBE_PAUSE, 2.0 ** min(self.probes, _MAX_PAUSE_EXPONENT))


@dataclass(frozen=True, slots=True)
class Doubt:
    """An account that takes one call at a time: in doubt, held until now, or not proven yet."""

    #: The column `doubts`, which is packed (`DoubtCounts`); 0 when only the login is not proven.
    doubts: int
    #: Whether the one call that asks may go now.
    probe_due: bool
    #: Whether it takes nothing, because its counter, or its balance, is to tell how it stands.
    settling: bool
    #: Whether the gateway has not accepted this login yet.
    unproven: bool = False

    @property
    def stops_singles(self) -> bool:
        """Whether even single messages wait for the probe."""
        return self.unproven or self.doubts >= DOUBTS_OF_SINGLES


class AccountTrust(NamedTuple):
    """What calls have shown of an account so far."""

    #: The column `doubts`, which is packed (`DoubtCounts`).
    doubts: int = 0
    #: The fingerprint of the login that the gateway accepted last, in the row of its keeper.
    proven_login: str | None = None


def current_doubts(connection: Connection, logins: Logins = NO_LOGINS) -> dict[str, Doubt]:
    """Return the accounts that take one call at a time, by name."""
    return doubts_in(snapshots(connection), logins)


def doubts_in(rows: Sequence[Any], logins: Logins) -> dict[str, Doubt]:
    """Return what `current_doubts` does, from the rows of `accounts.snapshots`."""
    rows_by_account = {row.account: row for row in rows}
    doubts = {
        name: _doubt(rows_by_account, name, logins)
        for name in rows_by_account.keys() | logins.fingerprints.keys()
    }
    return {name: doubt for name, doubt in doubts.items() if doubt.doubts or doubt.unproven}


def _doubt(rows_by_account: Mapping[str, Any], name: str, logins: Logins) -> Doubt:
    row, keeper_row = rows_by_account.get(name), rows_by_account.get(logins.keeper(name))
    unproven = name in logins.fingerprints and (
        keeper_row is None or keeper_row.proven != logins.fingerprints[name]
    )
    doubts = row.doubts if row is not None else 0
    probed_rows = [row] if doubts else []
    probed_rows += [keeper_row] if unproven else []
    probe_due = all(probed is None or bool(probed.due) for probed in probed_rows)
    return Doubt(doubts, probe_due, bool(row is not None and row.settling), unproven)


def trust_by_name(connection: Connection, names: Collection[str]) -> dict[str, AccountTrust]:
    """Return the doubts of accounts and the logins that are proven there; without those unknown."""
    rows = connection.execute(
        select(account_state.c.account, account_state.c.doubts, account_state.c.proven).where(
            account_state.c.account.in_(names)
        )
    )
    return {row.account: AccountTrust(row.doubts, row.proven) for row in rows}


def add(connection: Connection, account_name: str, settling_seconds: float | None) -> None:
    """Note a call without a known outcome: the next batch waits for a probe, at first 1 s.

    With `settling_seconds` the account takes nothing for that long, or until `end_settling`.
    """
    ensure(connection, account_name)
    doubts = connection.execute(
        select(account_state.c.doubts)
        .where(account_state.c.account == account_name)
        .with_for_update()
    ).scalar_one()
    counts = DoubtCounts.unpacked(doubts).with_call()
    connection.execute(
        update(account_state)
        .where(account_state.c.account == account_name)
        .values(doubts=counts.packed(), probe_at=later(counts.probe_pause()))
    )
    if settling_seconds is not None:
        settle_for(connection, account_name, settling_seconds)


def settle_for(connection: Connection, account_name: str, seconds: float) -> None:
    """Let an account take nothing for some seconds or longer, so that another call can tell."""
    settles_longer = account_state.c.settle_until > later(seconds)
    connection.execute(
        update(account_state)
        .where(
            account_state.c.account == account_name,
            or_(account_state.c.settle_until.is_(None), ~settles_longer),
        )
        .values(settle_until=later(seconds))
    )


def end_settling(connection: Connection, account_name: str) -> None:
    """Let a doubtful account be probed now: its counter has told what it can."""
    connection.execute(
        update(account_state)
        .where(account_state.c.account == account_name)
        .values(settle_until=None, probe_at=now())
    )


def clear(connection: Connection, account_name: str, login: str = "") -> None:
    """Note a call with a known outcome: the doubts end, unless the account is held meanwhile."""
    connection.execute(
        update(account_state)
        .where(
            account_state.c.account == account_name, account_state.c.doubts > 0, _free_for(login)
        )
        .values(doubts=0, probe_at=None, settle_until=None)
    )


def require_probe(connection: Connection, account_name: str, hold_seconds: float | None) -> None:
    """Let one smallest submission ask first when a hold ends; None is a hold until a person.

    Whether its login is accepted is asked again as well.
    """
    connection.execute(
        update(account_state)
        .where(account_state.c.account == account_name)
        .values(
            doubts=case(
                (account_state.c.doubts < DOUBTS_OF_SINGLES, DOUBTS_OF_SINGLES),
                else_=account_state.c.doubts,
            ),
            probe_at=now() if hold_seconds is None else later(hold_seconds),
            proven=None,
        )
    )


def take_probe(
    connection: Connection,
    account_name: str,
    seconds: float,
    login: str = "",
    *,
    counts: bool = True,
) -> bool:
    """Take the right to ask an account, for some seconds; False when it is taken or not needed.

    It is needed while the account is in doubt, or the `login` is not proven. With `counts`, as when
    a submission asks, the probe counts among the doubts.
    """
    ensure(connection, account_name)
    is_needed = [account_state.c.doubts > 0]
    if login:
        is_needed += [account_state.c.proven.is_(None), account_state.c.proven != login]
    taking = connection.execute(
        update(account_state)
        .where(
            account_state.c.account == account_name,
            or_(*is_needed),
            or_(account_state.c.probe_at.is_(None), account_state.c.probe_at <= now()),
            # It may have been held since the caller looked.
            _free_for(login),
        )
        .values(
            probe_at=later(seconds),
            doubts=case(
                (account_state.c.doubts > 0, account_state.c.doubts + PACKED_PROBE * counts),
                else_=account_state.c.doubts,
            ),
        )
    )
    return taking.rowcount == 1


def release_probe(connection: Connection, account_name: str, wait: float = 0.0) -> None:
    """Let the next caller ask in `wait` seconds: the call that asked is over and told nothing."""
    connection.execute(
        update(account_state)
        .where(account_state.c.account == account_name, account_state.c.probe_at.is_not(None))
        .values(probe_at=later(wait))
    )


def prove_login(connection: Connection, account_name: str, login: str) -> bool:
    """Note that the gateway accepted a login; False when that was known."""
    proof = connection.execute(
        update(account_state)
        .where(
            account_state.c.account == account_name,
            or_(account_state.c.proven.is_(None), account_state.c.proven != login),
            _free_for(login),
        )
        .values(proven=login, probe_at=now())
    )
    return proof.rowcount == 1


def _free_for(login: str) -> ColumnElement[bool]:
    """Return the condition that an account is not held, or for another login only.

    An answer that comes after a hold proves nothing.
    """
    return or_(
        account_state.c.held_since.is_(None),
        account_state.c.held_until <= now(),
        account_state.c.held_login != login,
    )
