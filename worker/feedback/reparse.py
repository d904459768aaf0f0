"""Reading raw pages and pushes again after a fix of their reader: nothing counts twice.

What was read before and is read alike changes nothing. What is read otherwise now corrects the row
that it was, and what was not read before is new; both move the messages that they belong to, under
the same guards as ever.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
from sqlalchemy import Connection, Engine, Row

from worker.config.settings import Settings
from worker.feedback import inbound as inbound_module
from worker.feedback import pushes
from worker.feedback import reports as reports_module
from worker.gateways.base import Account
from worker.gateways.results import Pushed
from worker.store import (
    events,
    inbox,
    reports,
)
from worker.store import (
    pushes as pushes_store,
)
from worker.store.db import database


@dataclass(frozen=True, slots=True)
class Reread:
    """What came of one page: its rows as they are read now, and what that changed."""

    id: int
    account: str
    kind: str
    rows: int = 0
    new: int = 0
    corrected: int = 0
    damaged: int = 0
    #: Why it was not read.
    problem: str | None = None

    @property
    def changes(self) -> bool:
        """Tell whether reading it again changed anything, or could not be done."""
        return bool(self.new or self.corrected or self.damaged or self.problem)


class _Undone(Exception):
    """Takes a transaction back that was for looking only."""


def reread(
    engine: Engine, settings: Settings, ids: Iterable[int], *, who: str, act: bool = True
) -> Iterator[Reread]:
    """Read pages again, each in a transaction of its own; with `act` false none of it stays."""
    for one in ids:
        found: Reread | None = None
        try:
            with database.writing(engine) as connection:
                found = _page(connection, settings, one)
                if found is not None and found.changes:
                    _note(connection, found, who)
                _keep(act)
        except _Undone:
            pass
        if found is not None:
            yield found


def _keep(act: bool) -> None:  # noqa: FBT001 - it is what it decides by
    if not act:
        raise _Undone


def _page(connection: Connection, settings: Settings, one: int) -> Reread | None:
    raw = inbox.raw(connection, one)
    if raw is None:
        return None
    account = settings.accounts.get(raw.account)
    if account is None:
        return Reread(raw.id, raw.account, raw.kind, problem="its account is not configured")
    try:
        found = _read(account, raw)
    except Exception as error:  # noqa: BLE001 - readers never raise; if one does, it is said
        why = f"cannot be read: {type(error).__name__}"
        return Reread(raw.id, raw.account, raw.kind, problem=why)
    corrected, new = _apply(connection, settings, raw, found)
    rows = len(found.reports) + len(found.inbound)
    inbox.parsed(connection, raw.id, rows, found.damaged)
    return Reread(raw.id, raw.account, raw.kind, rows, new, corrected, found.damaged)


def _read(account: Account, raw: Row[Any]) -> Pushed:
    """Read a page or a push as its gateway does now; a refusal of then is not heeded again."""
    if raw.kind == pushes_store.KIND:
        return account.gateway.read_push(pushes.request(raw))
    response = httpx.Response(raw.status or 200, headers=raw.headers or {}, content=raw.body)
    if raw.kind == "reports":
        reports = account.gateway.read_reports(response)
        return Pushed(reports=reports.items, damaged=reports.damaged)
    inbound = account.gateway.read_inbound(response)
    return Pushed(inbound=inbound.items, damaged=inbound.damaged)


def _apply(
    connection: Connection, settings: Settings, raw: Row[Any], found: Pushed
) -> tuple[int, int]:
    """Correct what was read otherwise, and add what is new; returns how many of each."""
    of, one = raw.account, raw.id
    sharing = sorted(settings.sharing(of), key=of.__ne__)
    told = reports.correct(
        connection, one, [reports_module.row(of, one, report) for report in found.reports]
    )
    reports_module.apply(connection, sharing, told)
    replies = inbox.correct_inbound(
        connection, one, [inbound_module.row(of, one, reply) for reply in found.inbound]
    )
    inbound_module.heed(connection, of, [(reply.msisdn, reply.text) for reply in replies])
    new = reports_module.take_many(connection, sharing, [(one, report) for report in found.reports])
    new += inbound_module.take_many(connection, of, [(one, reply) for reply in found.inbound])
    return len(told) + len(replies), new


def _note(connection: Connection, found: Reread, who: str) -> None:
    detail = {"inbox": found.id, "new": found.new, "corrected": found.corrected}
    events.add(connection, "page.reread", who, account=found.account, detail=detail)
