"""The work of the ticks and looks that belong to no account: what each does, in transactions.

All of it may run in two processes at once: every write is guarded by the state that it leaves.
"""

from time import monotonic

import structlog
from sqlalchemy import Engine

from worker import failpoints, instrumentation
from worker.config.settings import Settings
from worker.delivery import account_guard, record
from worker.domain.enums import SubmissionState
from worker.feedback.page_writer import PageWriter
from worker.intake import campaigns
from worker.store import (
    messages,
    spool,
    spool_entries,
    ticks,
)
from worker.store.db import database
from worker.store.delivery import account_doubts, outcomes, recipient_calls
from worker.store.intake import allowances, requests
from worker.store.settlement import unknown

log = structlog.get_logger()

#: How many rows one transaction of `forget` removes at the most, and how long one run goes on.
FORGET_ROWS = 500
FORGET_SECONDS = 3.0
#: How many submissions one run of `close_out` looks at.
CLOSE_OUT_ROWS = 1000


def sweep(engine: Engine, settings: Settings, owner: str) -> None:
    """Put right what was left behind; each step commits for itself."""
    failpoints.reach("sweep.before")
    end_overdue_leases(engine, settings, owner)
    expire(engine)
    campaigns.end_cancelled(engine)
    for campaign_id in campaigns.finish_drained(engine):
        log.info("campaign.done", campaign=campaign_id)


def end_overdue_leases(engine: Engine, settings: Settings, owner: str) -> None:
    """Make the submissions whose lease ran out unknown: nobody knows how their calls ended."""
    with database.writing(engine) as connection:
        overdue = outcomes.sweep(connection)
        for submission_id, account in overdue:
            settling_seconds = account_guard.settling_seconds(settings, account)
            account_doubts.add(connection, account, settling_seconds)
            record.mark_unknown(connection, submission_id, account, owner, "lease", mapped=True)
    if overdue:
        instrumentation.backend.lost_leases(len(overdue))
        log.warning("leases.ended", unknown=len(overdue))


def expire(engine: Engine) -> None:
    """End the messages that wait past their validity."""
    with database.writing(engine) as connection:
        requests.expire(connection)
        emptied = []
        for submission_id, resend_of in outcomes.lock_expired(connection):
            if resend_of is not None:
                unknown.return_messages(connection, submission_id, resend_of)
            if resend_of is not None or messages.expire(connection, submission_id):
                emptied.append(submission_id)
        if emptied:
            outcomes.mark_not_sent(connection, emptied, SubmissionState.PLANNED)


def forget(engine: Engine) -> None:
    """Remove the calls and codes to numbers that no limit counts any more, some at a time."""
    deadline = monotonic() + FORGET_SECONDS
    for forget_some in (recipient_calls.forget, allowances.forget):
        count = FORGET_ROWS
        while count == FORGET_ROWS and monotonic() < deadline:
            with database.writing(engine) as connection:
                count = forget_some(connection, FORGET_ROWS)


def drain_spools(engine: Engine, settings: Settings, owner: str) -> None:
    """Write to the database what this machine's disk holds for it.

    That is outcomes that processes left behind which ended, and raw pages.
    """
    folder = spool.folder(settings)
    with spool.abandoned_rows(folder, spool.SpoolFileKind.OUTCOMES) as rows:
        calls = list(spool_entries.read_outcomes(rows))
        if calls:
            with database.writing(engine) as connection:
                record.record(connection, calls, settings, owner, current_settings=False)
            log.warning("spool.drained", outcomes=len(calls))
    with spool.abandoned_rows(folder, spool.SpoolFileKind.PAGE) as rows:
        pages = list(spool_entries.read_pages(rows))
        for page, begun_id in pages:
            PageWriter(engine, page, begun_id).write()
        if rows:
            log.warning("spool.drained", pages=len(pages))


def close_out(engine: Engine, settings: Settings, account: str) -> None:
    """Stop waiting for an account's overdue reports; the messages keep their states."""
    tick = f"close_out:{account}"
    with database.writing(engine) as connection:
        after_id = ticks.read_cursor(connection, tick).get("last", 0)
        last_id = outcomes.close_out(
            connection, account, after_id, settings.top.close_out_after, CLOSE_OUT_ROWS
        )
        if last_id:
            ticks.write_cursor(connection, tick, {"last": last_id})
