"""Show as unknown what may have been sent between the making of a backup and its restoring.

The restored database is older than the truth. Whatever waited in it may have gone out meanwhile and
would go out again; so all of it is put aside, and people or evidence say what became of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine

from worker.config.settings import Settings
from worker.domain.enums import MessageClass
from worker.domain.errors import TooLate
from worker.policy import eligibility
from worker.store import events, spool, ticks
from worker.store.db import database
from worker.store.settlement import restored_backup
from worker.store.settlement.restored_backup import UnsentRange


@dataclass(frozen=True, slots=True)
class PutAside:
    """What was put aside: how many messages, in which submissions, and what cannot be told."""

    messages: int
    submissions: tuple[int, ...]
    #: Campaigns that were being loaded: they may have been loaded and sent since.
    loading: tuple[int, ...]


def put_aside(
    engine: Engine, settings: Settings, since: datetime, *, who: str, reason: str, act: bool = True
) -> PutAside:
    """Make unknown whatever a backup of `since` holds that may have been sent after it.

    All of it in one transaction; each submission leaves an event with who and why. With `act`
    false nothing is written. Raises `TooLate` while a worker looks at the database, and while
    outcomes of the lost one lie on this machine's disk.
    """
    with database.writing(engine) as connection:
        _refuse_while_in_use(connection, settings)
        ranges = [
            unsent
            for unsent in restored_backup.lock_unsent_ranges(connection, since)
            if unsent.size
        ]
        unfinished = restored_backup.lock_unfinished(connection, since)
        plan = PutAside(
            sum(waiting.size for waiting in (*ranges, *unfinished)),
            tuple(submission.id for submission in unfinished),
            tuple(restored_backup.loading_campaign_ids(connection, since)),
        )
        if not act:
            return plan
        restored_backup.mark_unknown(connection, plan.submissions, since)
        new_ids = [
            restored_backup.put_aside(connection, unsent, _account_name(settings, unsent), since)
            for unsent in ranges
        ]
        restored_backup.reset_counters(connection)
        submission_ids = (*plan.submissions, *new_ids)
        _add_events(connection, submission_ids, who, reason, since)
    return PutAside(plan.messages, submission_ids, plan.loading)


def _refuse_while_in_use(connection: Connection, settings: Settings) -> None:
    """Raise `TooLate` when a worker uses the database, or outcomes of the lost one are spooled."""
    late_seconds = ticks.late_seconds(connection, ticks.SWEEP)
    max_late_seconds = settings.top.sweep_every + settings.top.look_every
    if late_seconds is not None and late_seconds <= max_late_seconds:
        msg = "a worker looks at this database, or did a moment ago: stop all of them first"
        raise TooLate(msg)
    outcome_files = sorted(spool.folder(settings).glob(f"*{spool.SpoolFileKind.OUTCOMES}"))
    if outcome_files:
        msg = (
            f"{outcome_files[0].parent} holds outcomes of the database that was lost: move them"
            " away, on every machine, or they are taken for outcomes of others"
        )
        raise TooLate(msg)


def _account_name(settings: Settings, unsent: UnsentRange) -> str:
    """Return the account that the request named, else the first that may have carried it."""
    candidates = eligibility.candidates(
        settings.accounts.values(), MessageClass(unsent.message_class), unsent.account
    )
    preferred = max(candidates, key=lambda account: account.settings.priority, default=None)
    return preferred.name if preferred else unsent.account or ""


def _add_events(
    connection: Connection, ids: Iterable[int], who: str, reason: str, since: datetime
) -> None:
    detail = {"why": reason, "since": since.isoformat()}
    for submission_id in ids:
        events.add(connection, "settle.restored", who, submission_id=submission_id, detail=detail)
