"""After a backup was restored: what may have been sent since it was made is shown as unknown.

The database is older than the truth then. Whatever waited in it may have gone out meanwhile and
would go out again; so all of it is put aside, and people or evidence say what became of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine

from worker.config.settings import Settings
from worker.domain.enums import MessageClass
from worker.domain.errors import TooLate
from worker.policy import routing
from worker.store import events, restored_backup, spool, ticks
from worker.store.db import database
from worker.store.restored_backup import Rest


@dataclass(frozen=True, slots=True)
class PutAside:
    """What was put aside: messages, in how many submissions; and what nobody can say."""

    messages: int
    submissions: tuple[int, ...]
    #: Campaigns that were being loaded: they may have been loaded and sent since.
    loading: tuple[int, ...]


def put_aside(
    engine: Engine, settings: Settings, since: datetime, *, who: str, why: str, act: bool = True
) -> PutAside:
    """Make unknown whatever a backup of `since` holds that may have been sent after it.

    All of it in one transaction; each submission leaves an event with who and why. With `act`
    false nothing is written. Raises `TooLate` while a worker looks at the database, and while
    outcomes of the lost one lie on this machine's disk.
    """
    with database.writing(engine) as connection:
        _refuse(connection, settings)
        rests = [one for one in restored_backup.rests(connection, since) if one.size]
        going = restored_backup.going(connection, since)
        found = PutAside(
            sum(one.size for one in (*rests, *going)),
            tuple(one.id for one in going),
            tuple(restored_backup.loading(connection, since)),
        )
        if not act:
            return found
        restored_backup.doubt(connection, found.submissions, since)
        made = [
            restored_backup.put_aside(connection, one, _account(settings, one), since)
            for one in rests
        ]
        restored_backup.forget_counters(connection)
        _note(connection, (*found.submissions, *made), who, why, since)
    return PutAside(found.messages, (*found.submissions, *made), found.loading)


def _refuse(connection: Connection, settings: Settings) -> None:
    late = ticks.late(connection, "sweep")
    if late is not None and late <= settings.top.sweep_every + settings.top.look_every:
        msg = "a worker looks at this database, or did a moment ago: stop all of them first"
        raise TooLate(msg)
    left = sorted(spool.folder(settings).glob(f"*{spool.Kind.OUTCOMES}"))
    if left:
        msg = (
            f"{left[0].parent} holds outcomes of the database that was lost: move them away,"
            " on every machine, or they are taken for outcomes of others"
        )
        raise TooLate(msg)


def _account(settings: Settings, rest: Rest) -> str:
    """The account that it named, else the first one that may have carried it."""
    may = routing.candidates(
        settings.accounts.values(), MessageClass(rest.message_class), rest.account
    )
    first = max(may, key=lambda one: one.settings.priority, default=None)
    return first.name if first else rest.account or ""


def _note(connection: Connection, ids: Iterable[int], who: str, why: str, since: datetime) -> None:
    detail = {"why": why, "since": since.isoformat()}
    for one in ids:
        events.add(connection, "settle.restored", who, submission_id=one, detail=detail)
