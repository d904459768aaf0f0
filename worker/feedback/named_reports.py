"""Matches reports that came before our own answer was recorded, and with it the id that they bear.

It reads first; a transaction that writes is begun only for what was found, and is short.
"""

from collections import defaultdict
from time import monotonic

from sqlalchemy import Engine

from worker.config.settings import Settings
from worker.feedback import reports
from worker.store import ticks
from worker.store.db import database
from worker.store.feedback import reports as report_store

#: The name of the tick, whose cursor says where it goes on.
TICK_NAME = "matching"
#: How many reports one transaction looks up.
MATCH_ROWS = 500
#: How long one run goes on; the next one continues.
MAX_SECONDS = 3.0


def match_named(engine: Engine, settings: Settings) -> None:
    """Match reports whose submission has become known; what is left is done by the next run."""
    deadline = monotonic() + MAX_SECONDS
    with database.reading(engine) as connection:
        cursor = ticks.read_cursor(connection, TICK_NAME)
    turn, after_id = cursor.get("turn", 0), cursor.get("after", 0)
    while after_id is not None and monotonic() < deadline:
        after_id = _match_next(engine, settings, turn, after_id)
    with database.writing(engine) as connection:
        ticks.ensure(connection, {TICK_NAME})
        following = {"turn": turn + 1} if after_id is None else {"turn": turn, "after": after_id}
        ticks.write_cursor(connection, TICK_NAME, following)


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
