"""Tries again to find the messages of reports that came before these were known.

By name: our own answer was recorded meanwhile, and with it the id that the report bears. Or by
adoption, where the answer had no id. Both read first; a transaction that writes is begun only for
what was found, and is short.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from time import monotonic
from typing import Any

from sqlalchemy import Connection, Engine

from worker.config.settings import Settings
from worker.domain.enums import Reports
from worker.feedback import adoption, reports
from worker.feedback.adoption import Comparison
from worker.feedback.report_matching import MatchedReport
from worker.store import ticks
from worker.store.db import database
from worker.store.feedback import reports as report_store
from worker.store.feedback import unnamed

#: The names of the two ticks, whose cursors say where they go on.
MATCH_TICK = "matching"
ADOPT_TICK = "adoption"
#: How many reports one transaction looks up.
MATCH_ROWS = 500
#: How long one run goes on; the next one continues.
MAX_SECONDS = 3.0


def match_named(engine: Engine, settings: Settings) -> None:
    """Match reports whose submission has become known; what is left is done by the next run."""
    deadline = monotonic() + MAX_SECONDS
    with database.reading(engine) as connection:
        cursor = ticks.read_cursor(connection, MATCH_TICK)
    turn, after_id = cursor.get("turn", 0), cursor.get("after", 0)
    while after_id is not None and monotonic() < deadline:
        after_id = _match_next(engine, settings, turn, after_id)
    with database.writing(engine) as connection:
        ticks.ensure(connection, {MATCH_TICK})
        following = {"turn": turn + 1} if after_id is None else {"turn": turn, "after": after_id}
        ticks.write_cursor(connection, MATCH_TICK, following)


def _match_next(engine: Engine, settings: Settings, turn: int, after_id: int) -> int | None:
    """Match the reports that follow an id; return the last one's, None when there are no more."""
    close_out_after = settings.top.close_out_after
    with database.reading(engine) as connection:
        rows = report_store.named_since(connection, MATCH_ROWS, close_out_after, after_id, turn)
    by_account = defaultdict(list)
    for row in rows:
        by_account[row.account].append(row)
    for account, account_rows in by_account.items():
        with database.writing(engine) as connection:
            reports.match_stored(connection, settings.accounts_sharing_login(account), account_rows)
    return rows[-1].id if len(rows) == MATCH_ROWS else None


def adopt_ids(engine: Engine, settings: Settings) -> None:
    """Compare waiting reports with the submissions that have no id, login by login."""
    deadline = monotonic() + MAX_SECONDS
    for accounts in _logins_with_reports(settings):
        while monotonic() < deadline and _adopt_next(engine, accounts):
            pass


def _logins_with_reports(settings: Settings) -> Iterator[list[str]]:
    """Yield the accounts of each login whose gateway gives reports."""
    logins = {
        tuple(sorted(settings.accounts_sharing_login(name)))
        for name, account in settings.accounts.items()
        if account.reports is not Reports.NONE
    }
    yield from map(list, sorted(logins))


def _adopt_next(engine: Engine, accounts: Collection[str]) -> bool:
    """Make one comparison, and write down what it found; True when more reports wait for one."""
    login = min(accounts)
    with database.reading(engine) as connection:
        cursor = ticks.read_cursor(connection, ADOPT_TICK)
        comparison = adoption.compare(connection, accounts, cursor.get(login, ()))
    if comparison is None:
        return False
    with database.writing(engine) as connection:
        if ticks.lock_cursor(connection, ADOPT_TICK) != cursor:
            return False  # another process compares; what it left comes with the next run
        _apply(connection, comparison)
        compared = {**cursor, login: sorted(comparison.candidate_ids)}
        ticks.write_cursor(connection, ADOPT_TICK, compared)
    return comparison.has_more


def _apply(connection: Connection, comparison: Comparison) -> None:
    """Let submissions adopt the ids that fit them, unless they learned theirs meanwhile."""
    unnamed.note_compared(connection, comparison.report_ids)
    matched = comparison.matched
    origin_ids = {report.origin.id for report in matched.values()}
    origins = unnamed.lock_submissions(connection, origin_ids) if origin_ids else {}
    adopted: dict[int, MatchedReport] = {
        report_id: report._replace(origin=origins[report.origin.id])
        for report_id, report in matched.items()
        if report.origin.id in origins
    }
    for origin_id, gateway_id in _adopted_ids(adopted).items():
        unnamed.adopt(connection, origin_id, gateway_id)
    reports.apply_stored(connection, adopted, adopting=True)


def _adopted_ids(adopted: Mapping[int, MatchedReport]) -> dict[int, Any]:
    """Return the gateway's ids by the submissions that adopt them: not by calls of a backup."""
    return {
        matched.origin.id: matched.report.gateway_id
        for matched in adopted.values()
        if not matched.origin.restored
    }
