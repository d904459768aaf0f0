"""Stores the inbound messages of a page, each once, and notes the opt-outs among them."""

import unicodedata
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection

from worker.feedback import reports
from worker.gateways.results import InboundMessage
from worker.store import callback_outbox, events
from worker.store.feedback import opt_outs
from worker.store.feedback.inbound import add_replies

#: A reply that is one of these, as a whole, in any case or width, means "no more": what Chinese
#: platforms print below advertising (R, T, TD, N), and the words themselves.
OPT_OUT_WORDS = frozenset({"r", "t", "td", "n", "退订", "拒收"})


def take_pages(
    connection: Connection, account: str, inbound: Iterable[tuple[int, InboundMessage]]
) -> int:
    """Store the inbound messages of pages, each with its page's id; return how many were new.

    The callbacks that are told of replies get the new ones, and opt-outs are noted.
    """
    rows = [inbound_row(account, inbox_id, reply) for inbox_id, reply in inbound]
    rows_by_digest = {row["digest"]: row for row in rows}
    new_ids = add_replies(connection, list(rows_by_digest.values()))
    callback_outbox.note_inbound(connection, list(new_ids.values()))
    new_rows = [rows_by_digest[digest] for digest in new_ids]
    note_opt_outs(
        connection, account, [(row["msisdn"], row["text"], row["inbox_id"]) for row in new_rows]
    )
    return len(new_ids)


def note_opt_outs(
    connection: Connection, account: str, replies: Iterable[tuple[str, str, int]]
) -> None:
    """Note the numbers that opt out, given numbers, what they replied to an account, and the page.

    A masked number is passed over: it is nobody's that is known. Each is heeded at once; whether
    the account ever wrote to it is looked up afterwards (`opt_out_origins`).
    """
    inbox_ids = {
        msisdn: inbox_id
        for msisdn, text, inbox_id in replies
        if is_opt_out(text) and "*" not in msisdn
    }
    reason = f"a reply to {account}"
    for _ in opt_outs.add_new(
        connection, inbox_ids.keys(), reason, account=account, inbox_ids=inbox_ids
    ):
        events.add(connection, "recipient.opted_out", "inbound", account=account)


def is_opt_out(text: str) -> bool:
    """Tell whether a reply asks for no more: the whole of it, not a part."""
    folded = unicodedata.normalize("NFKC", text).strip().strip("。.!").strip().casefold()
    return folded in OPT_OUT_WORDS


def inbound_row(account: str, inbox_id: int, inbound: InboundMessage) -> dict[str, Any]:
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
    }
