"""Lets submissions without an id adopt the ids of the reports that fit them, and applies these."""

from collections.abc import Collection, Iterator, Mapping
from time import monotonic
from typing import Any

from sqlalchemy import Connection, Engine

from worker.config.settings import Settings
from worker.domain.enums import Reports
from worker.feedback import comparison as comparing
from worker.feedback import reports
from worker.feedback.comparison import Comparison
from worker.feedback.report_matching import MatchedReport
from worker.store import ticks
from worker.store.db import database
from worker.store.feedback import unnamed_reports, unnamed_submissions

#: The name of the tick; its cursor has the submissions of each login's last comparison.
TICK_NAME = "adoption"
#: How long one run goes on; the next one continues.
MAX_SECONDS = 3.0


def adopt_ids(engine: Engine, settings: Settings) -> None:
    """Compare waiting reports with the submissions that have no id, login by login."""
    deadline = monotonic() + MAX_SECONDS
    for accounts in _logins_with_reports(settings):
        while monotonic() < deadline and _adopt_next(engine, accounts):
            pass


def _logins_with_reports(settings: Settings) -> Iterator[list[str]]:
    """Yield the accounts of each login whose gateway gives reports about submissions.

    An id that names one message is never adopted by a submission.
    """
    logins = {
        tuple(sorted(settings.accounts_sharing_login(name)))
        for name, account in settings.accounts.items()
        if account.reports is not Reports.NONE
        and not account.gateway.capabilities.reports_by_recipient
    }
    yield from map(list, sorted(logins))


def _adopt_next(engine: Engine, accounts: Collection[str]) -> bool:
    """Make one comparison, and write down what it found; True when more reports wait for one."""
    login = min(accounts)
    with database.reading(engine) as connection:
        cursor = ticks.read_cursor(connection, TICK_NAME)
        comparison = comparing.compare(connection, accounts, cursor.get(login, ()))
    if comparison is None:
        return False
    with database.writing(engine) as connection:
        if ticks.lock_cursor(connection, TICK_NAME) != cursor:
            return False  # another process compares; what it left comes with the next run
        _apply(connection, comparison)
        compared = {**cursor, login: sorted(comparison.candidate_ids)}
        ticks.write_cursor(connection, TICK_NAME, compared)
    return comparison.has_more


def _apply(connection: Connection, comparison: Comparison) -> None:
    """Let submissions adopt the ids that fit them, unless they learned theirs meanwhile."""
    unnamed_reports.note_compared(connection, comparison.report_ids)
    matched = comparison.matched
    origin_ids = {report.origin.id for report in matched.values()}
    origins = unnamed_submissions.lock(connection, origin_ids) if origin_ids else {}
    adopted: dict[int, MatchedReport] = {
        report_id: report._replace(origin=origins[report.origin.id])
        for report_id, report in matched.items()
        if report.origin.id in origins
    }
    for origin_id, gateway_id in _adopted_ids(adopted).items():
        unnamed_submissions.adopt(connection, origin_id, gateway_id)
    reports.apply_stored(connection, adopted, adopting=True)


def _adopted_ids(adopted: Mapping[int, MatchedReport]) -> dict[int, Any]:
    """Return the gateway's ids by the submissions that adopt them: not by calls of a backup."""
    return {
        matched.origin.id: matched.report.gateway_id
        for matched in adopted.values()
        if not matched.origin.restored
    }
