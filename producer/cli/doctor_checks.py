"""What `xinshi doctor` looks at: each check says what is wrong and what to do about it."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from producer.cli import account_calls, output
from producer.cli.commands import accounts as shown
from producer.cli.session import Session, schema_problem
from worker.domain.errors import ConfigurationError, XinshiError
from worker.gateways.base import Account
from worker.runtime import broker
from worker.store import (
    accounts,
    batch_split,
    events,
    requests,
    ticks,
)
from worker.store.db import database

#: How long a server may take to answer, in seconds.
PATIENCE = 3.0
#: A tick that is due for so long says that no worker runs.
LATE = 30.0
#: Events that are looked at for codes that no table has.
MOST_EVENTS = 5000


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `problem` is None when it is as it should be."""

    what: str
    problem: str | None = None
    advice: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON shows it."""
        return {
            "what": self.what,
            "ok": self.problem is None,
            "problem": self.problem,
            "advice": self.advice,
        }


def faults_of(error: ConfigurationError) -> list[Check]:
    """Return a check for each fault of a configuration that could not be read."""
    advice = "mend it; docs/configuration.md has all keys"
    return [Check(f"configuration: {one.where}", one.what, advice) for one in error.problems]


def all_of(here: Session) -> Iterator[Check]:
    """Look at everything; without a database of this schema the rest of it is left out."""
    yield from _configuration(here)
    yield from _servers(here)
    for look in (_database, _schema):
        found = look(here)
        yield found
        if found.problem is not None:
            return
    yield _worker(here)
    yield from _codes(here)
    yield from _gone(here)
    yield from _parked(here)
    yield from _accounts(here)


def _configuration(here: Session) -> Iterator[Check]:
    try:
        broker.check(here.settings)
    except ConfigurationError as error:
        yield from faults_of(error)
    else:
        yield Check("configuration")
    if not here.settings.accounts:
        yield Check("accounts", "none is configured", "add a section [accounts.NAME]")


def _servers(here: Session) -> Iterator[Check]:
    embedded = here.settings.top.broker_url == "embedded"
    start = "start it with `xinshi up`" if embedded else "start it, or mend broker_url"
    yield _reached("broker", lambda: _ring(here), f"messages are late without it; {start}")
    address = broker.redis_url(here.settings)
    if address is not None:
        start = start.replace("broker_url", "redis_url or broker_url")
        yield _reached("redis", lambda: _ping(address), f"the throttle needs it; {start}")


def _ring(here: Session) -> None:
    """Connect to the broker as a doorbell does."""
    from kombu.connection import Connection

    options = broker.options(here.settings)
    with Connection(  # type: ignore[no-untyped-call]
        options["broker_url"],
        connect_timeout=broker.PATIENCE,
        transport_options=options["broker_transport_options"],
    ) as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, interval_max=0)
        connection.default_channel.close()


def _ping(address: str) -> None:
    import redis

    patience = broker.PATIENCE
    with redis.Redis.from_url(
        address, socket_timeout=patience, socket_connect_timeout=patience
    ) as client:
        client.ping()


def _reached(what: str, reach: Callable[[], None], advice: str) -> Check:
    """Try to reach a server, for no longer than `PATIENCE`."""
    problem: list[str | None] = [f"did not answer within {PATIENCE:.0f} s"]

    def run() -> None:
        try:
            reach()
        except Exception as error:  # noqa: BLE001 - a client may raise anything; all of it is said
            problem[0] = f"cannot be reached: {_reason(error)}"
        else:
            problem[0] = None

    looking = threading.Thread(target=run, daemon=True)
    looking.start()
    looking.join(PATIENCE)
    return Check(what, problem[0], advice if problem[0] else None)


def _reason(error: BaseException) -> str:
    """Say why, without the address, which may hold a password."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__


def _database(here: Session) -> Check:
    try:
        with database.reading(here.engine) as connection:
            connection.exec_driver_sql("SELECT 1")
    except XinshiError as error:
        return Check("database", str(error), "start it, or mend database_url")
    return Check("database")


def _schema(here: Session) -> Check:
    problem = schema_problem(here.engine)
    return Check("migrations", problem, "run `xinshi migrate`" if problem else None)


def _worker(here: Session) -> Check:
    with database.reading(here.engine) as connection:
        late = ticks.late(connection, "sweep")
    advice = "run `xinshi up`, or a worker for each class"
    if late is None:
        return Check("worker", "none has run on this database yet", advice)
    if late > LATE:
        return Check("worker", f"none has looked for {late:.0f} s", advice)
    return Check("worker")


def _codes(here: Session) -> Iterator[Check]:
    """Name the codes that were seen and stand in no table as it is now."""
    with database.reading(here.engine) as connection:
        rows = events.unmapped(connection, MOST_EVENTS)
    seen = Counter((row.account, row.code or "", row.words or "") for row in rows)
    for (name, code, words), times in sorted(seen.items()):
        account = here.settings.accounts.get(name)
        if account is not None and not account.gateway.table.read(code, words).mapped:
            said = f"“{code}”" + (f" ({words})" if words else "")
            yield Check(
                f"codes of {name}",
                f"answered {said} {times} time(s), which stands in no table: unknown",
                f'say what it means: "{code or words}" = "rejected" (or another outcome)'
                f" under [accounts.{name}.codes]",
            )
    if not seen:
        yield Check("codes")


def _gone(here: Session) -> Iterator[Check]:
    with database.reading(here.engine) as connection:
        waiting = requests.named_by_waiting(connection)
    for name, number in sorted(waiting.items()):
        if name not in here.settings.accounts:
            yield Check(
                f"account {name}",
                f"{number} request(s) wait for it and it is not in the configuration",
                "put it back, or cancel them; nothing is lost meanwhile",
            )


def _parked(here: Session) -> Iterator[Check]:
    """Name the batches with so many bad numbers that the rest of them waits for a person."""
    with database.reading(here.engine) as connection:
        waiting = batch_split.parked(connection)
    for one in waiting:
        yield Check(
            f"submission {one.id}",
            f"{one.size} message(s) of {one.account} wait: it was refused for a number ({one.code})"
            " and has been split too often",
            f"look at its numbers, then `xinshi settle split {one.id}`, or cancel them",
        )


def _accounts(here: Session) -> Iterator[Check]:
    """Ask each account for its balance, unless it is held."""
    answers = {one.account: one for one in account_calls.ask(here, account_calls.CallKind.BALANCE)}
    with database.reading(here.engine) as connection:
        states = accounts.states(connection, here.settings.logins)
    for name, account in here.settings.accounts.items():
        yield _account(account, answers.get(name), states.get(name))


def _account(
    account: Account,
    answer: account_calls.AccountAnswer | None,
    state: accounts.AccountState | None,
) -> Check:
    name = account.name
    what = f"account {name}"
    if state and state.held:
        since = output.local(state.held_since)
        return Check(what, f"held since {since}: {shown.why(state)}", shown.advice(account, state))
    if answer and answer.failed:
        return Check(what, answer.problem, _mend(name, answer.problem or ""))
    pools = (state and state.balance and state.balance.get("pools")) or ()
    for pool in pools:
        if pool["used"] and not pool["postpaid"] and pool["remaining"] == 0:
            return Check(what, f"nothing is left in {pool['name']}", "top it up")
    return Check(what)


def _mend(name: str, problem: str) -> str:
    if problem.startswith("refused"):
        return f"mend what it complains of: the login in [accounts.{name}], funds, permission"
    return f"check the network, and base_url in [accounts.{name}]"
