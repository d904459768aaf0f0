"""Reads what gateways say, by their own readers, and fits it to what the tables hold.

Every answer, page and push is read here and nowhere else. `read_results` never raises, since
whoever called a gateway has to record something. The others let a reader's error through, and their
callers put the page aside.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

import httpx

from worker.domain.enums import Outcome
from worker.gateways import storable, storable_fields
from worker.gateways.base import Gateway, OutgoingSubmission
from worker.gateways.page_contents import PageContents
from worker.gateways.results import (
    Balance,
    InboundMessage,
    Page,
    Report,
    Result,
    Results,
    SentCount,
    SentRow,
)

#: The pools of a balance that are kept; the most that a gateway is known to have is three.
MAX_POOLS = 32

Row = TypeVar("Row")


def read_results(
    gateway: Gateway, response: httpx.Response, submission: OutgoingSubmission
) -> Results:
    """Read the answer to a submission; if its reader fails, the messages may have been taken."""
    try:
        return storable.results(gateway.read_results(response, submission), len(submission.msisdns))
    except Exception as error:  # noqa: BLE001 - readers never raise; if one does, it is unknown
        return Results(Result(Outcome.UNKNOWN, "unreadable", type(error).__name__, mapped=False))


def read_reports(gateway: Gateway, response: httpx.Response) -> PageContents:
    """Read a page of reports."""
    page = gateway.read_reports(response)
    return _contents(page.items, (), page.damaged, page.refusal)


def read_inbound(gateway: Gateway, response: httpx.Response) -> PageContents:
    """Read a page of inbound messages."""
    page = gateway.read_inbound(response)
    return _contents((), page.items, page.damaged, page.refusal)


def read_push(gateway: Gateway, push: httpx.Request) -> PageContents:
    """Read a push."""
    contents = gateway.read_push(push)
    return _contents(contents.reports, contents.inbound, contents.damaged, None)


def read_balance(gateway: Gateway, response: httpx.Response) -> Balance:
    """Read a balance; of more than `MAX_POOLS` pools the first ones."""
    balance = gateway.read_balance(response)
    pools = tuple(storable.pool(pool) for pool in balance.pools[:MAX_POOLS])
    return Balance(pools, _refusal(balance.refusal))


def read_sent_count(gateway: Gateway, response: httpx.Response) -> SentCount:
    """Read a sent counter; a number that no counter can show is none."""
    counter = gateway.read_sent_count(response)
    return SentCount(storable_fields.count(counter.sent), _refusal(counter.refusal))


def read_query(gateway: Gateway, response: httpx.Response) -> Page[SentRow]:
    """Read what a gateway says that a number was sent."""
    page = gateway.read_query(response)
    rows, lost = _fit(storable.sent_row, page.items)
    return Page(rows, _refusal(page.refusal), page.damaged + lost)


def read_password(gateway: Gateway, response: httpx.Response) -> Result:
    """Read the answer to a change of the password."""
    return storable.result(gateway.read_password(response))


def _contents(
    reports: Iterable[Report],
    inbound: Iterable[InboundMessage],
    damaged: int,
    refusal: Result | None,
) -> PageContents:
    """Fit the rows of a page; those that do not fit are counted with the damaged ones."""
    kept_reports, lost_reports = _fit(storable.report, reports)
    kept_inbound, lost_inbound = _fit(storable.inbound_message, inbound)
    damaged = min(damaged + lost_reports + lost_inbound, storable_fields.MAX_DAMAGED)
    return PageContents(kept_reports, kept_inbound, damaged, _refusal(refusal))


def _fit(fit: Callable[[Row], Row | None], rows: Iterable[Row]) -> tuple[tuple[Row, ...], int]:
    """Return the rows that fit, and how many do not."""
    fitted = [fit(row) for row in rows]
    kept = tuple(row for row in fitted if row is not None)
    return kept, len(fitted) - len(kept)


def _refusal(refusal: Result | None) -> Result | None:
    return None if refusal is None else storable.result(refusal)
