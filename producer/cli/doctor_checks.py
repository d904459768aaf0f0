"""Run the checks of `xinshi doctor`; each says what is wrong and what to do about it."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from producer.cli import (
    account_calls,
    callback_checks,
    output,
    server_deeds,
    stop_notices,
    troubles,
)
from producer.cli.account_report import hold_advice
from producer.cli.session import Session, schema_problem
from producer.waiting import worker_delay
from producer.waiting.account_words import hold_words
from worker.config import secret_places
from worker.config.settings import Settings
from worker.domain.errors import ConfigurationError, XinshiError
from worker.gateways.base import Account
from worker.gateways.transport import certificate_names, tls
from worker.gateways.transport.client import FAILURES
from worker.runtime import broker, socket_folder
from worker.store import accounts, events, migrations, ticks
from worker.store.db import database, pooler_probe
from worker.store.delivery import batch_split
from worker.store.intake import requests

#: How long a server may take to answer, in seconds.
SERVER_TIMEOUT = 3.0
#: How many of the newest events are searched for codes that no table has.
MAX_EVENTS = 5000


@dataclass(frozen=True, slots=True)
class Check:
    """What was found about one subject; `problem` is None when all is well.

    A problem that is a mere warning stops no delivery, and may be as somebody wants it.
    """

    subject: str
    problem: str | None = None
    advice: str | None = None
    is_warning: bool = False

    @property
    def state(self) -> str:
        """Return in one word how the subject stands."""
        if self.problem is None:
            return "ok"
        return "warning" if self.is_warning else "wrong"

    def as_json(self) -> dict[str, Any]:
        """Return the check as JSON shows it."""
        return {
            "what": self.subject,
            "ok": self.state != "wrong",
            "problem": self.problem,
            "advice": self.advice,
        }


def configuration_checks(error: ConfigurationError) -> list[Check]:
    """Return a check for each problem of a configuration that could not be read."""
    advice = "mend it; docs/configuration.md has all keys"
    return [
        Check(f"configuration: {problem.where}", problem.what, advice) for problem in error.problems
    ]


def run_checks(session: Session) -> Iterator[Check]:
    """Run all checks; those after the schema only on a database that has it and takes writes."""
    yield from _check_configuration(session)
    yield from _check_servers(session)
    for run_check in (_check_database, _check_schema, _check_writing):
        check = run_check(session)
        yield check
        if check.state == "wrong":
            return
    yield from _check_pooler(session)
    yield _check_worker(session)
    for stop in stop_notices.read_stops(session).values():
        yield Check(
            f"class {stop.message_class.value}",
            stop_notices.reason(stop),
            stop_notices.advice(stop),
        )
    yield from _check_troubles(session)
    yield from _check_codes(session)
    yield from _check_missing_accounts(session)
    yield from _check_parked_submissions(session)
    for finding in callback_checks.findings(session):
        yield Check(*finding)
    yield from _check_accounts(session)


def _check_configuration(session: Session) -> Iterator[Check]:
    try:
        broker.check(session.settings)
        socket_folder.check(session.settings)
    except ConfigurationError as error:
        yield from configuration_checks(error)
    else:
        yield Check("configuration")
    for problem in secret_places.missing_secrets(session.settings):
        yield Check(
            f"configuration: {problem.where}",
            f"cannot be read here: {problem.what}",
            "nothing, if the services have it; a worker without it does not start",
            is_warning=True,
        )
    if not session.settings.accounts:
        yield Check("accounts", "none is configured", "add a section [accounts.NAME]")


def _check_servers(session: Session) -> Iterator[Check]:
    """Check each thing that the broker and, where one is configured, Redis are there for."""
    settings = session.settings
    embedded = settings.top.broker_url == "embedded"
    start_advice = "start it with `xinshi up`" if embedded else "mend it, or broker_url"
    late = f"messages are late without it; {start_advice}"
    yield _check_server("broker", settings, server_deeds.use_queue, late)
    if broker.client_url(settings) is not None:
        yield _check_server("doorbell", settings, server_deeds.ring, late)
    if broker.redis_url(settings) is not None:
        start_advice = start_advice.replace("broker_url", "redis_url or broker_url")
        advice = f"the throttle needs it: marketing waits meanwhile; {start_advice}"
        yield _check_server("redis", settings, server_deeds.ask_throttle, advice)


def _check_server(name: str, settings: Settings, deed: server_deeds.Deed, advice: str) -> Check:
    """Do a deed at a server, for `SERVER_TIMEOUT` seconds at the most."""
    problem: list[str | None] = [f"did not answer within {SERVER_TIMEOUT:.0f} s"]

    def run() -> None:
        try:
            deed(settings)
        except Exception as error:  # noqa: BLE001 - a client may raise anything; all of it is said
            problem[0] = server_deeds.explain(error)
        else:
            problem[0] = None

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(SERVER_TIMEOUT)
    return Check(name, problem[0], advice if problem[0] else None)


def _check_database(session: Session) -> Check:
    try:
        with database.reading(session.engine) as connection:
            connection.exec_driver_sql("SELECT 1")
    except XinshiError as error:
        return Check("database", str(error), "start it, or mend database_url")
    return Check("database")


def _check_writing(session: Session) -> Check:
    """Check that a transaction may write, by one that changes no row."""
    try:
        with database.writing(session.engine) as connection:
            ticks.try_write(connection)
    except XinshiError as error:
        return Check("writing", str(error), "nothing is accepted nor sent until it is mended")
    return Check("writing")


def _check_pooler(session: Session) -> Iterator[Check]:
    """Report a transaction pooler before the database that the configuration does not name."""
    if not session.settings.top.database_pooler and pooler_probe.stands_before(session.engine):
        yield Check(
            "database_pooler",
            "a pooler before the database changes connections with each transaction",
            "set database_pooler = true: else what our sessions set reaches its other clients",
        )


def _check_schema(session: Session) -> Check:
    problem = schema_problem(session.engine)
    if problem and migrations.is_newer(migrations.revision(session.engine)):
        advice = "install that version, or see in CHANGELOG.md whether this one may run beside it"
        return Check("migrations", problem, advice, is_warning=True)
    return Check("migrations", problem, "run `xinshi migrate`" if problem else None)


def _check_worker(session: Session) -> Check:
    with database.reading(session.engine) as connection:
        delay = worker_delay.read_delay(connection)
    advice = "run `xinshi up`, or a worker for each class"
    if delay is None:
        return Check("worker", "none has run on this database yet", advice)
    if delay > worker_delay.MAX_DELAY:
        return Check("worker", f"none has looked for {delay:.0f} s", advice)
    return Check("worker")


def _check_troubles(session: Session) -> Iterator[Check]:
    """Report what workers could not do by themselves: ticks that fail, pages not read."""
    with database.reading(session.engine) as connection:
        yield from [Check(*trouble) for trouble in troubles.find(connection)]


def _check_codes(session: Session) -> Iterator[Check]:
    """Report each code that a gateway answered and that its table, as it is now, does not have."""
    with database.reading(session.engine) as connection:
        rows = events.unmapped_answers(connection, MAX_EVENTS)
    count_by_code = Counter((row.account, row.code or "", row.words or "") for row in rows)
    for (name, code, words), count in sorted(count_by_code.items()):
        account = session.settings.accounts.get(name)
        if account is not None and not account.gateway.table.read(code, words).mapped:
            answer = f"“{code}”" + (f" ({words})" if words else "")
            yield Check(
                f"codes of {name}",
                f"answered {answer} {count} time(s), which stands in no table: unknown",
                f'say what it means: "{code or words}" = "rejected" (or another outcome)'
                f" under [accounts.{name}.codes]",
            )
    if not count_by_code:
        yield Check("codes")


def _check_missing_accounts(session: Session) -> Iterator[Check]:
    """Report each account that requests wait for and that the configuration does not have."""
    with database.reading(session.engine) as connection:
        request_counts = requests.count_waiting_by_account(connection)
    for name, request_count in sorted(request_counts.items()):
        if name not in session.settings.accounts:
            yield Check(
                f"account {name}",
                f"{request_count} request(s) wait for it and it is not in the configuration",
                "put it back, or cancel them; nothing is lost meanwhile",
            )


def _check_parked_submissions(session: Session) -> Iterator[Check]:
    """Report each batch that was split for bad numbers so often that it waits for a person."""
    with database.reading(session.engine) as connection:
        parked_submissions = batch_split.parked_submissions(connection)
    for submission in parked_submissions:
        yield Check(
            f"submission {submission.id}",
            f"{submission.size} message(s) of {submission.account} wait: it was refused for"
            f" a number ({submission.code}) and has been split too often",
            f"look at its numbers, then `xinshi settle split {submission.id}`, or cancel them",
        )


def _check_accounts(session: Session) -> Iterator[Check]:
    """Check each account: ask it for its balance, unless it is held."""
    answers = {
        answer.account: answer
        for answer in account_calls.ask(session, account_calls.AccountCall.BALANCE)
    }
    with database.reading(session.engine) as connection:
        states = accounts.states(connection, session.settings.logins)
    for name, account in session.settings.accounts.items():
        yield _check_account(account, answers.get(name), states.get(name))


def _check_account(
    account: Account,
    answer: account_calls.AccountAnswer | None,
    state: accounts.AccountState | None,
) -> Check:
    """Check that an account is not held, answered, and has credit in the pools that it draws on."""
    name = account.name
    subject = f"account {name}"
    if state and state.held:
        since = output.local_time(state.held_since)
        return Check(
            subject,
            f"held since {since}: {hold_words(state)}",
            hold_advice(account, state),
        )
    if state and state.probe_at is not None:
        asks_at = output.local_time(state.probe_at)
        advice = f"in doubt: its last calls have no known outcome; a submission asks at {asks_at}"
        return Check(subject, advice=advice)
    if answer and answer.failed and not answer.lacks_secret:
        return Check(subject, answer.problem, _account_advice(account, answer.problem or ""))
    pools = (state and state.balance and state.balance.get("pools")) or ()
    for pool in pools:
        if pool["used"] and not pool["postpaid"] and pool["remaining"] == 0:
            return Check(subject, f"nothing is left in {pool['name']}", "top it up")
    return Check(subject)


def _account_advice(account: Account, problem: str) -> str:
    """Return what to do when an account refused its balance call or did not answer it."""
    section = f"[accounts.{account.name}]"
    if problem.startswith("refused"):
        return f"mend what it complains of: the login in {section}, funds, permission"
    names = _certificate_names(account) if tls.OTHER_NAME in problem else ()
    if names:
        return (
            f"its certificate is for {', '.join(names)}: where that is your gateway, set"
            f" server_name to one of them in {section}"
        )
    return f"check the network, and base_url, proxy and ca_file in {section}"


def _certificate_names(account: Account) -> Sequence[str]:
    """Return the names in the certificate of an account's gateway, where it shows them."""
    settings = account.settings
    reading = certificate_names.read(
        httpx.URL(settings.base_url), settings.egress, settings.timeout
    )
    try:
        return asyncio.run(reading)
    except (*FAILURES, TimeoutError):
        return ()
