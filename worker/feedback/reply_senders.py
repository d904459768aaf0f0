"""Lets a person decide on an unclear reply: opt out who wrote it, or say that it asks for nothing.

Unclear is what is near to an answer, and a masked number that nobody fits, or several do.
"""

from typing import Any

from sqlalchemy import Connection, Row

from worker.domain import msisdn as numbers
from worker.domain.enums import ReplyMeaning
from worker.domain.errors import NotFound, Problem, Refused
from worker.feedback.reply_meanings import reply_origin
from worker.store import events
from worker.store.feedback import inbound as inbound_store
from worker.store.feedback import opt_outs


def opt_out_sender(
    connection: Connection, inbound_id: int, msisdn: str | None, *, who: str
) -> list[str]:
    """Opt out who wrote a reply, and take back the others that a masked number might have been.

    `msisdn` says who it was, where the reply's own number is masked. Returns those that were taken
    back. Raises `NotFound` when there is no such reply, and `Refused` when the number is missing or
    does not fit.
    """
    reply = _find(connection, inbound_id)
    sender = msisdn or reply.msisdn
    if "*" in sender:
        raise Refused([Problem("number", f"{sender} is masked; say whose it is")])
    if not numbers.matches(reply.msisdn, sender):
        what = f"does not fit {numbers.mask(reply.msisdn)}, as its gateway prints it"
        raise Refused([Problem("number", what)])
    taken_back = [other for other in opt_outs.of_reply(connection, inbound_id) if other != sender]
    opt_outs.narrow(connection, sender, reply_origin(reply.account, inbound_id, who))
    inbound_store.mark(connection, [inbound_id], ReplyMeaning.OUT)
    detail = {"inbound": inbound_id, "taken_back": len(taken_back)}
    events.add(connection, "reply.opted_out", who, account=reply.account, detail=detail)
    return taken_back


def dismiss(connection: Connection, inbound_id: int, *, who: str) -> int:
    """Store that an unclear reply asks for nothing; return how many it had opted out meanwhile.

    These are written to again. Raises `NotFound` when there is no such reply, and `Refused` when it
    is not unclear: who asked for no more stays opted out.
    """
    reply = _find(connection, inbound_id)
    if not inbound_store.is_unclear(connection, inbound_id):
        asks_for = reply.meaning or "nothing"
        what = f"reply {inbound_id} is not unclear: it asks for {asks_for}"
        raise Refused([Problem("reply", what)])
    origin = reply_origin(reply.account, inbound_id, who, "the reply asks for nothing")
    count = opt_outs.remove_of_reply(connection, inbound_id, origin)
    inbound_store.mark(connection, [inbound_id], ReplyMeaning.NONE)
    detail = {"inbound": inbound_id, "taken_back": count}
    events.add(connection, "reply.dismissed", who, account=reply.account, detail=detail)
    return count


def _find(connection: Connection, inbound_id: int) -> Row[Any]:
    reply = inbound_store.find_reply(connection, inbound_id)
    if reply is None:
        msg = f"there is no reply {inbound_id}; `xinshi inbound --unclear` shows those that wait"
        raise NotFound(msg)
    return reply
