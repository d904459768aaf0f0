"""Waiting for messages to end, with a word on how far they are."""

import time
from collections import Counter
from collections.abc import Callable, Sequence

from sqlalchemy import Engine

from worker.config.settings import Settings
from worker.domain.enums import MessageState, Reports
from worker.domain.transitions import ENDS
from worker.intake import lookup
from worker.intake.lookup import Message

#: Seconds between two looks.
PACE = 0.25
_GOOD = {MessageState.SUBMITTED, MessageState.DELIVERED}


def settled(message: Message, settings: Settings) -> bool:
    """Tell whether nothing more is likely to happen to a message soon."""
    if message.state is MessageState.SUBMITTED:
        account = settings.accounts.get(message.account or "")
        no_report = account is None or account.reports is Reports.NONE
        return no_report or message.closed_at is not None
    return message.state in ENDS or message.state is MessageState.UNKNOWN


def went_well(messages: Sequence[Message], settings: Settings) -> bool:
    """Tell whether every message was taken by its gateway, and none failed since."""
    return all(one.state in _GOOD and settled(one, settings) for one in messages)


def until_settled(
    engine: Engine,
    settings: Settings,
    ids: list[str],
    seconds: float,
    tell: Callable[[str], None],
) -> list[Message]:
    """Look until every message has ended or the time is over; `tell` hears each change."""
    until = time.monotonic() + seconds
    said = ""
    while True:
        found = lookup.many(engine, ids)
        words = summary(found)
        if words != said:
            tell(words)
            said = words
        if all(settled(one, settings) for one in found) or time.monotonic() >= until:
            return found
        time.sleep(min(PACE, max(0.0, until - time.monotonic())))


def summary(messages: Sequence[Message]) -> str:
    """Say how many messages are in which state: `1 queued, 2 delivered`."""
    counts = Counter(one.state.value for one in messages)
    return ", ".join(f"{counts[state]} {state}" for state in MessageState if counts[state])
