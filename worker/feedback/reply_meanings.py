"""Acts on what replies ask for: opts numbers out and in, and leaves the rest to a person.

A person sees an event for whatever is left to her: what is near to an answer, and a masked number
that nobody fits, or several do. Where several fit, all of them are left out of marketing until she
narrows them: to write to somebody who asked for no more is worse than to leave somebody out.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from worker import instrumentation
from worker.config.settings import Settings
from worker.domain.enums import OptOutSource, ReplyMeaning
from worker.feedback import masked_numbers
from worker.feedback.masked_numbers import MaskedSender
from worker.store import events
from worker.store.feedback import opt_outs
from worker.store.feedback.opt_outs import OptOutOrigin


class NotedReply(NamedTuple):
    """A stored reply that asks for something: its id, who wrote, and the extension written to."""

    id: int
    msisdn: str
    extension: str | None
    meaning: ReplyMeaning

    @property
    def is_masked(self) -> bool:
        """Tell whether the gateway hides who wrote."""
        return "*" in self.msisdn


def note(
    connection: Connection, settings: Settings, account: str, replies: Sequence[NotedReply]
) -> None:
    """Note what the new replies of an account ask for.

    A number that asks for both in one page is out.
    """
    asking_out = [reply for reply in replies if reply.meaning is ReplyMeaning.OUT]
    whole = [reply for reply in asking_out if not reply.is_masked]
    for reply in whole:
        opt_out(connection, account, reply, [reply.msisdn])
    _note_masked(connection, settings, account, [reply for reply in asking_out if reply.is_masked])
    staying_out = {reply.msisdn for reply in whole}
    for reply in replies:
        if reply.meaning is ReplyMeaning.IN and reply.msisdn not in staying_out:
            _opt_in(connection, settings, account, reply)
        elif reply.meaning is ReplyMeaning.NEAR:
            _leave_to_person(connection, account, "near", [reply])


def _note_masked(
    connection: Connection, settings: Settings, account: str, replies: Sequence[NotedReply]
) -> None:
    """Opt out whom masked numbers mean; several where that cannot be told."""
    senders = {reply: MaskedSender(reply.msisdn, reply.extension) for reply in replies}
    accounts = settings.accounts_sharing_login(account)
    candidates = masked_numbers.resolve(connection, accounts, set(senders.values()))
    for reply, sender in senders.items():
        msisdns = candidates[sender]
        opt_out(connection, account, reply, msisdns)
        if len(msisdns) != 1:
            _leave_to_person(connection, account, "masked", [reply], fitting=len(msisdns))


def opt_out(connection: Connection, account: str, reply: NotedReply, msisdns: Sequence[str]) -> int:
    """Opt out whom a reply to an account may be from; return how many had not opted out before."""
    why = _why(account) if len(msisdns) == 1 else f"{_why(account)}, masked: fits {len(msisdns)}"
    new = opt_outs.add_new(connection, msisdns, reply_origin(account, reply.id, "inbound", why))
    for _ in new:
        events.add(connection, "recipient.opted_out", "inbound", account=account)
        instrumentation.backend.opted_out("reply")
    return len(new)


def _opt_in(connection: Connection, settings: Settings, account: str, reply: NotedReply) -> None:
    """Take back what the same number opted out of by a reply; a person's own entries stay."""
    reasons = [_why(name) for name in settings.accounts_sharing_login(account)]
    origin = reply_origin(account, reply.id, "inbound", _why(account))
    if opt_outs.remove_for(connection, reply.msisdn, reasons, origin):
        events.add(connection, "recipient.opted_in", "inbound", account=account)


def _leave_to_person(
    connection: Connection,
    account: str,
    why: str,
    replies: Iterable[NotedReply],
    **detail: int,
) -> None:
    for reply in replies:
        facts = {"inbound": reply.id, "why": why, **detail}
        events.add(connection, "reply.unclear", "inbound", account=account, detail=facts)


def reply_origin(account: str, inbound_id: int, who: str, why: str | None = None) -> OptOutOrigin:
    """Return the origin of what a reply to an account changed, as `who` understood it."""
    return OptOutOrigin(
        OptOutSource.REPLY,
        who,
        why or _why(account),
        account=account,
        inbound_id=inbound_id,
    )


def _why(account: str) -> str:
    return f"a reply to {account}"
