"""Looks up whether the account of an opt-out ever wrote to the number, and warns of many that none.

An opt-out is heeded at once. Numbers of campaigns have no index, so this comes afterwards, for many
numbers together and within bounds. Whoever has a push token can opt out any number: those that were
never written to are counted, and can be taken back together.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from time import monotonic

import structlog
from sqlalchemy import Engine

from worker.config.settings import Settings
from worker.store import events, ticks
from worker.store.db import clock, database
from worker.store.feedback import carried_messages
from worker.store.feedback import opt_out_origins as origin_store

log = structlog.get_logger()

#: The name of the tick; its cursor has when each account was warned of.
TICK_NAME = "opt_outs"
#: How many opt-outs one run looks up.
MAX_OPT_OUTS = 1000
#: After so long a run looks up no further account; the next one does.
MAX_SECONDS = 3.0
#: In how many messages of a login a number is searched, the newest first.
MAX_SEARCHED_MESSAGES = 1_000_000
#: How many submissions are searched together.
SUBMISSIONS_TOGETHER = 200
#: So many opt-outs of strangers in `UNUSUAL_SECONDS` are unusual for an account.
UNUSUAL_COUNT = 20
UNUSUAL_SECONDS = 86400.0


def has_unchecked(engine: Engine) -> bool:
    """Tell whether the origin of an opt-out was not looked up yet."""
    with database.reading(engine) as connection:
        return bool(origin_store.unchecked(connection, 1))


def look_up(engine: Engine, settings: Settings) -> None:
    """Look up the origins of the oldest opt-outs without one; warn where many are strange."""
    with database.reading(engine) as connection:
        rows = origin_store.unchecked(connection, MAX_OPT_OUTS)
    msisdns_by_account: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        msisdns_by_account[row.account].append(row.msisdn)
    deadline = monotonic() + MAX_SECONDS
    for account, msisdns in sorted(msisdns_by_account.items()):
        if monotonic() >= deadline:
            break
        known = _find_known(engine, settings.accounts_sharing_login(account), msisdns)
        strange = [msisdn for msisdn in msisdns if msisdn not in known]
        with database.writing(engine) as connection:
            origin_store.mark(connection, sorted(known), known=True)
            origin_store.mark(connection, strange, known=False)
    _warn(engine)


def _find_known(engine: Engine, accounts: Sequence[str], msisdns: Sequence[str]) -> set[str]:
    """Return the numbers to which one of the accounts wrote, each look in a short transaction."""
    with database.reading(engine) as connection:
        known = origin_store.written_to_singly(connection, accounts, msisdns)
    before, searched = None, 0
    while searched < MAX_SEARCHED_MESSAGES and (missing := set(msisdns) - known):
        with database.reading(engine) as connection:
            submissions = origin_store.submissions_before(
                connection, accounts, before, SUBMISSIONS_TOGETHER
            )
            if not submissions:
                break
            ids = [row.id for row in submissions]
            carried = carried_messages.of_submissions(connection, ids, missing)
        known |= {message.msisdn for message in carried} & missing
        before, searched = ids[-1], searched + sum(row.size for row in submissions)
    return known


def _warn(engine: Engine) -> None:
    """Write one event and one line of the log for each account with unusually many, once a day."""
    with database.writing(engine) as connection:
        warned_at = ticks.lock_cursor(connection, TICK_NAME)
        moment = clock.read(connection)
        recent = (moment - timedelta(seconds=UNUSUAL_SECONDS)).isoformat()
        until = moment.isoformat()
        # A warning of the future was written by a clock that was ahead.
        warned = {account: at for account, at in warned_at.items() if recent < at <= until}
        for account, count in origin_store.count_strange(connection, UNUSUAL_SECONDS).items():
            if count < UNUSUAL_COUNT or account in warned:
                continue
            warned[account] = moment.isoformat()
            detail = {"numbers": count}
            events.add(connection, "opt_outs.strange", TICK_NAME, account=account, detail=detail)
            log.warning("opt_outs.strange", account=account, numbers=count)
        if warned != warned_at:
            ticks.write_cursor(connection, TICK_NAME, warned)
