"""Stores the inbound messages of a page, each once, and notes what they ask for."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection

from worker import instrumentation
from worker.config.settings import Settings
from worker.domain.enums import ReplyMeaning
from worker.feedback import reply_meanings, reports
from worker.feedback.reply_meanings import NotedReply
from worker.gateways.results import InboundMessage
from worker.store import callback_outbox
from worker.store.feedback.inbound import add_replies


def take_pages(
    connection: Connection,
    settings: Settings,
    account: str,
    inbound: Iterable[tuple[int, InboundMessage]],
) -> int:
    """Store the inbound messages of pages, each with its page's id; return how many were new.

    The callbacks that are told of replies get the new ones, and what these ask for is noted.
    """
    rows = [inbound_row(settings, account, inbox_id, reply) for inbox_id, reply in inbound]
    rows_by_digest = {row["digest"]: row for row in rows}
    new_ids = add_replies(connection, list(rows_by_digest.values()))
    callback_outbox.note_inbound(connection, list(new_ids.values()))
    asking = [
        NotedReply(new_ids[digest], row["msisdn"], row["extension"], ReplyMeaning(row["meaning"]))
        for digest, row in rows_by_digest.items()
        if digest in new_ids and row["meaning"]
    ]
    reply_meanings.note(connection, settings, account, asking)
    for digest in new_ids:
        instrumentation.backend.inbound(account, rows_by_digest[digest]["meaning"] or "reply")
    return len(new_ids)


def inbound_row(
    settings: Settings, account: str, inbox_id: int, inbound: InboundMessage
) -> dict[str, Any]:
    """Return an inbound message as it is stored."""
    facts = (
        inbound.gateway_id or "",
        inbound.msisdn,
        inbound.service_number or inbound.extension or "",
        inbound.text,
        inbound.received_at.isoformat() if inbound.received_at else "",
    )
    return {
        "account": account,
        "msisdn": inbound.msisdn,
        "text": inbound.text,
        "extension": inbound.extension,
        "service_number": inbound.service_number,
        "gateway_id": inbound.gateway_id,
        "received_at": inbound.received_at,
        "digest": reports.digest(facts),
        "inbox_id": inbox_id,
        "meaning": settings.reply_words.meaning(inbound.text),
    }
