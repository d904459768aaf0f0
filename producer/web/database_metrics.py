"""Reads the metrics that only the database knows, for `GET /metrics`: once in ten seconds at most.

Each figure is read by statements that may take two seconds; one that takes longer is left out, and
`xinshi_unread_figures` counts it.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from worker.config.settings import Settings
from worker.delivery import permits
from worker.domain.enums import MessageClass
from worker.feedback import opt_out_origins
from worker.store import accounts, backlog, current_figures, throughput
from worker.store.db import database, statement_limit
from worker.store.delivery import account_pace, claims

#: How long what was read is shown again, and how long a statement may take, in seconds.
CACHE_SECONDS = 10.0
STATEMENT_SECONDS = 2.0
#: Ticks that stay due while there is nothing for them to do.
_WAITING_TICKS = frozenset({opt_out_origins.TICK_NAME, "pushes"})
#: The share of an account for numbers of all carriers.
ALL_CARRIERS = "all"

Labels = tuple[str, ...]


class Figure(NamedTuple):
    """A metric of the database: its name, labels and meaning, and how it is read."""

    name: str
    labels: Labels
    help_text: str
    read: Callable[[Connection, Settings], Mapping[Labels, float]]


def _oldest_due(connection: Connection, settings: Settings) -> Mapping[Labels, float]:
    free_accounts = set(settings.accounts) - accounts.held_names(connection, settings.logins)
    return {
        (message_class.value,): backlog.oldest_due(connection, message_class, free_accounts) or 0.0
        for message_class in MessageClass
    }


def _waiting(connection: Connection, _settings: Settings) -> Mapping[Labels, float]:
    counts = throughput.waiting_by_class(connection)
    return {(name.value,): counts.get(name.value, 0) for name in MessageClass}


def _of_accounts(
    count: Callable[[Connection], Mapping[str, int]],
) -> Callable[[Connection, Settings], Mapping[Labels, float]]:
    """Return how to read a count of each account: 0 where the database has none."""

    def read(connection: Connection, settings: Settings) -> Mapping[Labels, float]:
        counts = dict.fromkeys(settings.accounts, 0) | dict(count(connection))
        return {(account_name,): number for account_name, number in counts.items()}

    return read


def _held(connection: Connection, settings: Settings) -> Mapping[Labels, float]:
    held = accounts.held_names(connection, settings.logins)
    return {(name,): float(name in held) for name in settings.accounts}


def _shares(connection: Connection, settings: Settings) -> Mapping[Labels, float]:
    states = accounts.states(connection, settings.logins)
    shares: dict[Labels, float] = {}
    for name in settings.accounts.keys() & states.keys():
        health = states[name].health
        shares[name, ALL_CARRIERS] = health.share
        for carrier in health.carrier_shares:
            shares[name, carrier.value] = health.share_of(carrier)
    return shares


def _balances(connection: Connection, settings: Settings) -> Mapping[Labels, float]:
    states = accounts.states(connection, settings.logins)
    return {
        (name, pool["name"]): pool["remaining"]
        for name in settings.accounts.keys() & states.keys()
        for pool in (states[name].balance or {}).get("pools", ())
        if pool["remaining"] is not None and not pool["postpaid"]
    }


def _rates(connection: Connection, settings: Settings) -> Mapping[Labels, float]:
    pacings = account_pace.pacings(connection)
    limits: dict[Labels, float] = {}
    for name, account in settings.accounts.items():
        pacing = pacings.get(name)
        rates = permits.rates(account.settings, pacing.allowed_rate if pacing else None)
        submission_rates = [rate for rate in (rates.submissions, rates.learned) if rate]
        if submission_rates:
            limits[name, "submissions"] = min(submission_rates)
        if rates.messages:
            limits[name, "messages"] = rates.messages
        if rates.segments:
            limits[name, "segments"] = rates.segments
    return limits


def _database_paced(connection: Connection, settings: Settings) -> Mapping[Labels, float]:
    pacings = account_pace.pacings(connection)
    return {
        (name,): float(name in pacings and pacings[name].state is not None)
        for name in settings.accounts
    }


def _callback_events(connection: Connection, _settings: Settings) -> Mapping[Labels, float]:
    return {(state,): count for state, count in current_figures.callback_events(connection).items()}


def _tick_delays(connection: Connection, settings: Settings) -> Mapping[Labels, float]:
    delays = current_figures.tick_delays(connection, _WAITING_TICKS)
    return {(name,): delay for name, delay in delays.items() if _is_run(name, settings)}


def _tick_failures(connection: Connection, settings: Settings) -> Mapping[Labels, float]:
    failures = current_figures.tick_failures(connection)
    return {(name,): count for name, count in failures.items() if _is_run(name, settings)}


def _is_run(tick_name: str, settings: Settings) -> bool:
    """Whether a tick is of an account that is configured, or of none."""
    _, _, account_name = tick_name.partition(":")
    return not account_name or account_name in settings.accounts


FIGURES = (
    Figure(
        "xinshi_oldest_due_seconds", ("class",), "How long the oldest due work waits.", _oldest_due
    ),
    Figure("xinshi_waiting_messages", ("class",), "Messages that wait to be handed out.", _waiting),
    Figure(
        "xinshi_in_flight_submissions",
        ("account",),
        "Submissions that are under way.",
        _of_accounts(claims.count_in_flight),
    ),
    Figure(
        "xinshi_unknown_messages",
        ("account",),
        "Messages in doubt.",
        _of_accounts(current_figures.unknown_messages),
    ),
    Figure("xinshi_account_held", ("account",), "1 while the account takes nothing.", _held),
    Figure(
        "xinshi_account_share_ratio",
        ("account", "carrier"),
        "The share of its traffic that the account gets.",
        _shares,
    ),
    Figure(
        "xinshi_account_balance",
        ("account", "pool"),
        "What is left at the gateway, in its own unit.",
        _balances,
    ),
    Figure(
        "xinshi_account_rate",
        ("account", "unit"),
        "What the account may be given in a second, where it has a limit.",
        _rates,
    ),
    Figure(
        "xinshi_account_paced_by_database",
        ("account",),
        "1 while the database paces the account because Redis does not answer.",
        _database_paced,
    ),
    Figure(
        "xinshi_inbox_unread_pages",
        ("account",),
        "Raw pages that wait to be read.",
        _of_accounts(current_figures.unread_pages),
    ),
    Figure(
        "xinshi_reports_unmatched",
        ("account",),
        "Reports whose message is not known.",
        _of_accounts(current_figures.unmatched_reports),
    ),
    Figure(
        "xinshi_callback_events",
        ("state",),
        "What applications are yet to be told.",
        _callback_events,
    ),
    Figure("xinshi_tick_late_seconds", ("tick",), "How long the tick has been due.", _tick_delays),
    Figure(
        "xinshi_tick_failures", ("tick",), "How often in a row the tick failed.", _tick_failures
    ),
)


class Reading(NamedTuple):
    """What was read of one figure; None where it took too long."""

    figure: Figure
    values: Mapping[Labels, float] | None


class DatabaseMetrics:
    """What the database said last, and when."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings
        self._readings: list[Reading] = []
        self._read_at: float | None = None

    def read(self) -> list[Reading]:
        """Return all figures, not older than `CACHE_SECONDS`; raises `Unavailable`.

        Blocking, and for one caller at a time.
        """
        if self._read_at is None or time.monotonic() - self._read_at > CACHE_SECONDS:
            self._readings = list(self._read_all())
            self._read_at = time.monotonic()
        return self._readings

    def _read_all(self) -> Iterator[Reading]:
        with database.reading(self._engine) as connection:
            for figure in FIGURES:
                try:
                    with statement_limit.limited(connection, STATEMENT_SECONDS):
                        values = figure.read(connection, self._settings)
                except DBAPIError as error:
                    if error.connection_invalidated:
                        raise
                    connection.rollback()
                    yield Reading(figure, None)
                else:
                    yield Reading(figure, values)
