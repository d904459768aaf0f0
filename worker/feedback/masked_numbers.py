"""Finds whose a masked number is, among those whom its account wrote to lately."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from worker.domain import msisdn as numbers
from worker.store.feedback import recent_recipients

#: How long after a text a reply is taken for an answer to it, in seconds.
ANSWER_SECONDS = 72 * 3600.0


class MaskedSender(NamedTuple):
    """A number as its gateway masks it, and the extension that was written to, where it tells."""

    msisdn: str
    extension: str | None


def resolve(
    connection: Connection, accounts: Sequence[str], senders: Collection[MaskedSender]
) -> dict[MaskedSender, list[str]]:
    """Return the numbers that each sender may be, sorted; none where nobody fits.

    Those who got a text with the extension that was written to come first: others count only where
    nobody of these fits. All senders of a page are looked for in one pass.
    """
    if not senders:
        return {}
    masks = {sender.msisdn for sender in senders}
    recipients = recent_recipients.fitting(connection, accounts, masks, ANSWER_SECONDS)
    candidates = {}
    for sender in senders:
        fitting = [row for row in recipients if numbers.matches(sender.msisdn, row.msisdn)]
        answered = [row for row in fitting if row.extension == sender.extension]
        narrowed = answered if sender.extension and answered else fitting
        candidates[sender] = sorted({row.msisdn for row in narrowed})
    return candidates
