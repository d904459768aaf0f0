"""Takes back opt-outs that came with replies to one account, as a leaked push token makes them."""

from datetime import datetime

from sqlalchemy import Connection, Engine

from worker.config.settings import Settings
from worker.domain.enums import OptOutSource, ReplyMeaning
from worker.store import events
from worker.store.db import database
from worker.store.feedback import inbound, opt_out_origins
from worker.store.feedback.opt_outs import OptOutOrigin

#: How many opt-outs one transaction takes back.
REMOVED_TOGETHER = 500


class _DryRun(Exception):
    """Rolls back a transaction that only tells what it would take back."""


def remove(
    engine: Engine,
    settings: Settings,
    account: str,
    *,
    who: str,
    since: datetime | None = None,
    strange: bool = False,
    act: bool = True,
) -> int:
    """Take back the opt-outs that came with replies to an account; return how many.

    `strange`: only those of numbers to which the account never wrote. A number that also asked
    another account for no more stays opted out, by that reply. With `act` false nothing is changed.
    """
    removed_count, after = 0, ""
    while True:
        with database.reading(engine) as connection:
            msisdns = opt_out_origins.numbers_after(
                connection, after, REMOVED_TOGETHER, account=account, since=since, strange=strange
            )
        if not msisdns:
            break
        after = msisdns[-1]
        try:
            with database.writing(engine) as connection:
                count = _remove(connection, settings, account, msisdns, who)
                detail = {"numbers": count}
                events.add(connection, "opt_outs.removed", who, account=account, detail=detail)
                if not act:
                    raise _DryRun  # noqa: TRY301 - the transaction ends by it
        except _DryRun:
            pass
        removed_count += count
    return removed_count


def _remove(
    connection: Connection, settings: Settings, account: str, msisdns: list[str], who: str
) -> int:
    """Take back opt-outs but for numbers that opted out by a reply to another account too."""
    kept: set[str] = set()
    for reply in inbound.replies_of(connection, msisdns):
        is_out = settings.reply_words.meaning(reply.text) is ReplyMeaning.OUT
        if is_out and reply.account != account and reply.msisdn not in kept:
            opt_out_origins.move(connection, reply.msisdn, reply.account, reply.id)
            kept.add(reply.msisdn)
    why = f"what came with replies to {account} is taken back"
    origin = OptOutOrigin(OptOutSource.PERSON, who, why, account=account)
    return opt_out_origins.remove(connection, account, set(msisdns) - kept, origin)
