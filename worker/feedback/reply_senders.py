"""Lets a person opt out who wrote a reply: from a masked number, or in other words."""

from sqlalchemy import Connection

from worker.domain import msisdn as numbers
from worker.domain.errors import NotFound, Problem, Refused
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
    reply = inbound_store.find_reply(connection, inbound_id)
    if reply is None:
        msg = f"there is no reply {inbound_id}; `xinshi inbound --unclear` shows those that wait"
        raise NotFound(msg)
    sender = msisdn or reply.msisdn
    if "*" in sender:
        raise Refused([Problem("number", f"{sender} is masked; say whose it is")])
    if not numbers.matches(reply.msisdn, sender):
        what = f"does not fit {numbers.mask(reply.msisdn)}, as its gateway prints it"
        raise Refused([Problem("number", what)])
    taken_back = [other for other in opt_outs.of_reply(connection, inbound_id) if other != sender]
    why = f"a reply to {reply.account}"
    opt_outs.narrow(connection, inbound_id, sender, why, account=reply.account)
    inbound_store.mark_opt_out(connection, inbound_id)
    detail = {"inbound": inbound_id, "taken_back": len(taken_back)}
    events.add(connection, "reply.opted_out", who, account=reply.account, detail=detail)
    return taken_back
