"""Reads replies again by the words of today: those of earlier versions, or of other words.

Only replies that asked for nothing so far are read. What one asks for is stored; who asks for no
more is opted out, unless a later reply of the same number asks for more. A masked number is left to
a person: to whom its account wrote at that time is not looked up.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Row

from worker.config.settings import Settings
from worker.domain.enums import ReplyMeaning
from worker.feedback import reply_meanings
from worker.feedback.reply_meanings import NotedReply
from worker.store import events
from worker.store.db import database
from worker.store.feedback import inbound

#: How many replies one transaction reads.
READ_TOGETHER = 500
#: How many replies were read, and how many numbers opted out, among the counts of meanings.
READ, OPTED_OUT = "read", "opted_out"


def reread(engine: Engine, settings: Settings, *, who: str, act: bool = True) -> Counter[str]:
    """Read all replies that asked for nothing; return how many ask for what.

    It may be cut off and called again: what was done is done, and nothing is done twice. Without
    `act` nothing is stored. The counts are `read`, `opted_out`, and those of each meaning.
    """
    counts: Counter[str] = Counter()
    after = 0
    while True:
        with database.reading(engine) as connection:
            rows = inbound.without_meaning(connection, after, READ_TOGETHER)
        if not rows:
            return counts
        after = rows[-1].id
        replies = [_noted(settings, row) for row in rows]
        asking = [reply for reply in replies if reply is not None]
        counts[READ] += len(rows)
        counts.update(reply.meaning.value for reply in asking)
        if asking and act:
            with database.writing(engine) as connection:
                counts[OPTED_OUT] += _store(connection, settings, rows, asking, who)


def _noted(settings: Settings, row: Row[Any]) -> NotedReply | None:
    meaning = settings.reply_words.meaning(row.text)
    return None if meaning is None else NotedReply(row.id, row.msisdn, row.extension, meaning)


def _store(
    connection: Connection,
    settings: Settings,
    rows: Sequence[Row[Any]],
    asking: Sequence[NotedReply],
    who: str,
) -> int:
    """Store what replies ask for, and opt out who asks for no more; return how many were new."""
    for meaning in ReplyMeaning:
        inbound_ids = [reply.id for reply in asking if reply.meaning is meaning]
        if inbound_ids:
            inbound.mark(connection, inbound_ids, meaning)
    account_by_id = {row.id: row.account for row in rows}
    leaving = [
        reply for reply in asking if reply.meaning is ReplyMeaning.OUT and not reply.is_masked
    ]
    coming_back = _asked_again(connection, settings, {reply.msisdn for reply in leaving})
    opted_out = sum(
        reply_meanings.opt_out(connection, account_by_id[reply.id], reply, [reply.msisdn])
        for reply in leaving
        if reply.id > coming_back.get(reply.msisdn, 0)
    )
    detail = {"replies": len(asking), "opted_out": opted_out}
    events.add(connection, "replies.reread", who, detail=detail)
    return opted_out


def _asked_again(
    connection: Connection, settings: Settings, msisdns: Collection[str]
) -> dict[str, int]:
    """Return the last reply of each number that asks for advertising again, if any does."""
    return {
        reply.msisdn: reply.id
        for reply in sorted(inbound.replies_of(connection, msisdns), key=lambda reply: reply.id)
        if settings.reply_words.meaning(reply.text) is ReplyMeaning.IN
    }
