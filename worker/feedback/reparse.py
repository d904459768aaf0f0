"""Reads raw pages and pushes again after a fix of their reader: nothing counts twice.

A row that is read as before changes nothing. A row that is read otherwise now corrects the stored
one, and a row that was not read before is new; both move the messages that they belong to, under
the same guards as at any other time.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from worker.config.settings import Settings
from worker.domain.enums import ReplyMeaning
from worker.feedback import inbound, raw_pages, reply_meanings, reports
from worker.feedback.reply_meanings import NotedReply
from worker.gateways.page_contents import PageContents
from worker.store import events
from worker.store.db import database
from worker.store.feedback import inbox
from worker.store.feedback import reports as report_store
from worker.store.feedback.inbound import correct_replies
from worker.store.feedback.inbox import StoredPage


@dataclass(frozen=True, slots=True)
class ReparsedPage:
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
    def has_changes(self) -> bool:
        """Tell whether reading it again changed anything, or could not be done."""
        return bool(self.new or self.corrected or self.damaged or self.problem)


class _DryRun(Exception):
    """Rolls back a transaction that only tells what would change."""


def reparse_pages(
    engine: Engine, settings: Settings, ids: Iterable[int], *, who: str, act: bool = True
) -> Iterator[ReparsedPage]:
    """Read pages again, each in a transaction of its own; with `act` false none of it stays."""
    for inbox_id in ids:
        with database.reading(engine) as connection:
            raw = inbox.find(connection, inbox_id)
        if raw is None:
            continue
        contents = _read_raw(settings, raw)
        if isinstance(contents, str):
            page: ReparsedPage | None = ReparsedPage(
                raw.id, raw.account, raw.kind, problem=contents
            )
        else:
            page = _take_page(engine, settings, raw, contents, who=who, act=act)
        if page is not None:
            yield page


def _read_raw(settings: Settings, raw: StoredPage) -> PageContents | str:
    """Return what a page holds, or why it cannot be read."""
    account = settings.accounts.get(raw.account)
    if account is None:
        return "its account is not configured"
    try:
        # A refusal that the page held is not heeded again.
        return raw_pages.read_stored(account, raw)
    except Exception as error:  # noqa: BLE001 - readers never raise; if one does, it is said
        return f"cannot be read: {type(error).__name__}"


def _take_page(
    engine: Engine,
    settings: Settings,
    raw: StoredPage,
    contents: PageContents,
    *,
    who: str,
    act: bool,
) -> ReparsedPage | None:
    """Correct what a page's rows changed, and take in its new ones; None when it is gone."""
    page: ReparsedPage | None = None
    try:
        with database.writing(engine) as connection:
            if not inbox.lock(connection, raw.id):
                return None
            corrected = _correct(connection, settings, raw, contents)
            new = raw_pages.take(connection, settings, raw.account, [(raw.id, contents)])
            inbox.finish_page(connection, raw.id, contents.rows, contents.damaged)
            page = ReparsedPage(
                raw.id, raw.account, raw.kind, contents.rows, new, corrected, contents.damaged
            )
            if page.has_changes:
                _add_event(connection, page, who)
            if not act:
                raise _DryRun  # noqa: TRY301 - the transaction ends by it
    except _DryRun:
        pass
    return page


def _correct(
    connection: Connection, settings: Settings, raw: StoredPage, contents: PageContents
) -> int:
    """Correct the stored rows of a page that are read otherwise now; return how many they were."""
    account, inbox_id = raw.account, raw.id
    corrected_reports = report_store.correct(
        connection,
        inbox_id,
        [reports.report_row(account, inbox_id, report) for report in contents.reports],
    )
    accounts = settings.accounts_sharing_login(account)
    reports.match_stored(connection, accounts, corrected_reports)
    corrected_replies = correct_replies(
        connection,
        inbox_id,
        [inbound.inbound_row(settings, account, inbox_id, reply) for reply in contents.inbound],
    )
    asking = [
        NotedReply(reply.id, reply.msisdn, reply.extension, ReplyMeaning(reply.meaning))
        for reply in corrected_replies
        if reply.meaning
    ]
    reply_meanings.note(connection, settings, account, asking)
    return len(corrected_reports) + len(corrected_replies)


def _add_event(connection: Connection, page: ReparsedPage, who: str) -> None:
    detail = {"inbox": page.id, "new": page.new, "corrected": page.corrected}
    events.add(connection, "page.reread", who, account=page.account, detail=detail)
