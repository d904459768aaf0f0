"""Find what the workers could not do by themselves: ticks that fail, pages that were not read."""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Connection

from producer.cli import output
from worker.feedback.opt_out_origins import UNUSUAL_COUNT
from worker.store import events, ticks
from worker.store.feedback import opt_out_origins as origin_store
from worker.store.feedback import troubled_pages
from worker.store.feedback.inbox import CUT_PROBLEM
from worker.store.feedback.troubled_pages import TroubledPages

#: A page that waits for longer is not read by itself.
MAX_UNREAD_SECONDS = 600.0
#: For so long a page that was put aside is shown; `xinshi collect reparse` reaches it ever after.
SHOWN_SECONDS = 7 * 86400.0
#: The event of refused pushes, and how many of the newest are counted.
REFUSED_PUSH_EVENT = "push.refused"
MAX_REFUSALS = 10_000


class Trouble(NamedTuple):
    """Something that waits for a person: what it is about, what is wrong, what to do."""

    subject: str
    problem: str
    advice: str


def find(connection: Connection) -> Iterator[Trouble]:
    """Yield all troubles that the database knows of."""
    yield from _failing_ticks(connection)
    yield from _put_aside_pages(connection)
    yield from _overdue_pages(connection)
    yield from _strange_opt_outs(connection)
    yield from _refused_pushes(connection)


def _failing_ticks(connection: Connection) -> Iterator[Trouble]:
    for tick in ticks.failing(connection):
        yield Trouble(
            f"tick {tick.name}",
            f"failed {tick.failures} times in a row: {tick.problem}",
            "look for tick.failed in a worker's log; what it does waits meanwhile",
        )


def _put_aside_pages(connection: Connection) -> Iterator[Trouble]:
    for pages in troubled_pages.put_aside(connection, SHOWN_SECONDS):
        if (pages.problem or "").startswith(CUT_PROBLEM):
            yield _cut_pages(pages)
            continue
        yield Trouble(
            f"pages of {pages.account}",
            f"{pages.pages} put aside, the first is {pages.first_id}: {pages.problem}",
            "their reports and replies, opt-outs too, are not read: report it with the page,"
            f" numbers masked; after a fix `xinshi collect reparse --id {pages.first_id}`"
            " or --damaged reads them",
        )


def _cut_pages(pages: TroubledPages) -> Trouble:
    return Trouble(
        f"pages of {pages.account}",
        f"{pages.pages} came in part only, the first is {pages.first_id}: {pages.problem}",
        "rows that came whole are read, the others are lost where the gateway gives a page once:"
        " ask it for its reports and replies of that time;"
        f" `xinshi collect reparse --id {pages.first_id}` or --damaged reads what came again,"
        " and ends this notice",
    )


def _overdue_pages(connection: Connection) -> Iterator[Trouble]:
    for pages in troubled_pages.overdue(connection, MAX_UNREAD_SECONDS):
        yield Trouble(
            f"pages of {pages.account}",
            f"{pages.pages} not read yet, the first is {pages.first_id}",
            "run a worker whose configuration has the account; for a push, its push_tokens too",
        )


def _strange_opt_outs(connection: Connection) -> Iterator[Trouble]:
    for account, count in origin_store.count_strange(connection, SHOWN_SECONDS).items():
        if count >= UNUSUAL_COUNT:
            yield Trouble(
                f"opt-outs of {account}",
                f"{count} numbers opted out by replies to it to which it never wrote",
                "if its push token leaked, change it, then `xinshi opt-out undo"
                f" --account {account} --strange`",
            )


def _refused_pushes(connection: Connection) -> Iterator[Trouble]:
    """Yield the accounts whose pushes were refused lately for where they came from."""
    rows = events.recent(connection, REFUSED_PUSH_EVENT, SHOWN_SECONDS, MAX_REFUSALS)
    refusals_by_account = defaultdict(list)
    for row in rows:
        refusals_by_account[row.account].append(row)
    for account, refusals in sorted(refusals_by_account.items()):
        count = sum(refusal.detail["count"] for refusal in refusals)
        newest = refusals[0].detail
        since = output.local_time(refusals[-1].at)
        forwarded = newest.get("forwarded")
        unreadable = f"; X-Forwarded-For says {forwarded}, which is no address" if forwarded else ""
        yield Trouble(
            f"pushes of {account}",
            f"{count} or more were refused since {since}, the last from {newest['peer']}"
            f"{unreadable}",
            "if that is its gateway, list it in push_from; if it is your proxy, in"
            " web.trusted_proxies; if you know neither, change push_tokens",
        )
