"""What a page of inbound messages changes: each is kept once, and an opt-out is heeded."""

import unicodedata
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection

from worker.feedback import reports
from worker.gateways.results import InboundMessage
from worker.store import callback_outbox, events, inbox

#: A reply that is one of these, as a whole, in any case or width, means "no more": what Chinese
#: platforms print below advertising (R, T, TD, N), and the words themselves.
OPT_OUT_WORDS = frozenset({"r", "t", "td", "n", "退订", "拒收"})


def take(
    connection: Connection, account: str, inbox_id: int, inbound: Iterable[InboundMessage]
) -> int:
    """Store a page's inbound messages; returns how many were new."""
    return take_many(connection, account, ((inbox_id, one) for one in inbound))


def take_many(
    connection: Connection, account: str, inbound: Iterable[tuple[int, InboundMessage]]
) -> int:
    """Do as `take` does for inbound messages of several pages, each with its page's id."""
    rows = {one["digest"]: one for one in (row(account, *each) for each in inbound)}
    new = inbox.add_inbound(connection, list(rows.values()))
    callback_outbox.came_in(connection, list(new.values()))
    heed(connection, account, [(rows[one]["msisdn"], rows[one]["text"]) for one in new])
    return len(new)


def heed(connection: Connection, account: str, inbound: Iterable[tuple[str, str]]) -> None:
    """Note who asks for no more, by numbers and their texts."""
    leaving = [msisdn for msisdn, text in inbound if is_opt_out(text) and "*" not in msisdn]
    if leaving:
        for _ in inbox.opt_outs(connection, leaving, f"a reply to {account}"):
            events.add(connection, "recipient.opted_out", "inbound", account=account)


def is_opt_out(text: str) -> bool:
    """Tell whether a reply asks for no more: the whole of it, not a part."""
    folded = unicodedata.normalize("NFKC", text).strip().strip("。.!").strip().casefold()
    return folded in OPT_OUT_WORDS


def row(account: str, inbox_id: int, inbound: InboundMessage) -> dict[str, Any]:
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
        "msisdn": inbound.msisdn[:16],
        "text": inbound.text,
        "extension": inbound.extension,
        "service_number": inbound.service_number,
        "gateway_id": inbound.gateway_id,
        "received_at": inbound.received_at,
        "digest": reports.digest(facts),
        "inbox_id": inbox_id,
    }
