"""Check callbacks for `xinshi doctor`: who is told twice, late, or at a URL that will not do."""

from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter

from producer.cli.session import Session
from worker.domain import urls
from worker.store.db import database
from worker.store.feedback import callbacks
from worker.store.feedback.callbacks import Callback

#: An event that is due for longer than so many seconds says that something holds it up.
MAX_DELAY_SECONDS = 300.0

#: What is checked, what is wrong with it, and what to do.
Finding = tuple[str, str, str]


def findings(session: Session) -> Iterator[Finding]:
    """Yield what is wrong with callbacks."""
    with database.reading(session.engine) as connection:
        stored = callbacks.list_callbacks(connection)
        delays = callbacks.delays(connection, MAX_DELAY_SECONDS)
    yield from _told_twice(stored)
    for callback in stored:
        subject = f"callback {callback.id}"
        problem = urls.problem(callback.url, session.settings.top.callback_networks)
        if problem is not None:
            advice = "replace it, or name its network in callback_networks"
            yield subject, f"its URL {problem}", advice
        if callback.id in delays:
            seconds = delays[callback.id]
            advice = "see that a worker runs, and how long its receiver takes to answer"
            yield subject, f"an event has been due for {seconds:.0f} s", advice


def _told_twice(stored: list[Callback]) -> Iterator[Finding]:
    """Report each sender with several standing callbacks, as they could be added before."""
    standing = sorted(
        (callback for callback in stored if callback.standing), key=attrgetter("sender", "id")
    )
    for sender, group in groupby(standing, key=attrgetter("sender")):
        ids = [callback.id for callback in group]
        if len(ids) > 1:
            names = " and ".join(map(str, ids))
            problem = f"{names} are all told of all that {sender or 'local callers'} enqueue"
            yield "callbacks", problem, f"leave one: `xinshi callbacks remove {ids[-1]}`"
