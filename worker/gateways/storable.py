"""Fits what gateways say to what the tables hold: words are cut, names never are.

A word, a sentence or a text that was cut still says nearly the same. An id, a reference, an
extension or a number that was cut would be another one, and lead to another message or recipient:
it is left out, or, where a row is nothing without it, the row counts as damaged and its raw page
can be read again. Nothing here raises for any value of the right types.
"""

import math
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from worker.gateways.formats.values import make_storable
from worker.gateways.results import InboundMessage, Pool, Report, Result, Results

# The lengths of the columns, in characters; a test compares them with the schema.
MAX_CODE = 64
MAX_WORDS = 200
MAX_ID = 64
MAX_MSISDN = 16
MAX_EXTENSION = 20
MAX_SERVICE_NUMBER = 32
#: The longest text of a handset that is kept; carriers join at most 255 parts of 67 characters.
MAX_TEXT = 20_000
#: Gateways' times outside of these years are none.
YEARS = range(1990, 2101)
#: The longest hold or pause in seconds that is heeded as it was given.
MAX_SECONDS = 366 * 86400.0
#: Counts beyond this, up or down, are no counts.
MAX_COUNT = 10**18
#: The most damaged rows that are told of one page.
MAX_DAMAGED = 10**9


def results(answer: Results, msisdns: Collection[str]) -> Results:
    """Fit the results of a submission; those of numbers that it does not carry are left out."""
    named = [msisdn for msisdn in msisdns if msisdn in answer.per_recipient]
    per_recipient = {msisdn: result(answer.per_recipient[msisdn]) for msisdn in named}
    return Results(result(answer.default), per_recipient)


def result(answer: Result) -> Result:
    """Fit one result. Without its id a report finds the submission by reference or number."""
    return replace(
        answer,
        code=cut(answer.code, MAX_CODE),
        words=cut(answer.words, MAX_WORDS),
        gateway_id=name(answer.gateway_id, MAX_ID),
        hold=_seconds(answer.hold),
        retry_after=_seconds(answer.retry_after),
    )


def report(row: Report) -> Report | None:
    """Fit a report; None when its number does not fit, or none of the names that it bears."""
    msisdn = name(row.msisdn, MAX_MSISDN)
    reference, gateway_id = name(row.reference, MAX_ID), name(row.gateway_id, MAX_ID)
    is_named = bool(row.reference or row.gateway_id)
    if msisdn is None or (is_named and not (reference or gateway_id)):
        return None
    return replace(
        row,
        code=cut(row.code, MAX_CODE),
        words=cut(row.words, MAX_WORDS),
        reference=reference,
        gateway_id=gateway_id,
        reported_at=_time(row.reported_at),
    )


def inbound_message(row: InboundMessage) -> InboundMessage | None:
    """Fit a reply; None when its number does not fit.

    Without an extension or an id it is still a reply, and may be an opt-out.
    """
    msisdn = name(row.msisdn, MAX_MSISDN)
    if msisdn is None:
        return None
    return replace(
        row,
        text=cut(row.text, MAX_TEXT),
        extension=name(row.extension, MAX_EXTENSION),
        service_number=name(row.service_number, MAX_SERVICE_NUMBER),
        gateway_id=name(row.gateway_id, MAX_ID),
        received_at=_time(row.received_at),
    )


def pool(stock: Pool) -> Pool:
    """Fit a pool of a balance."""
    return replace(stock, name=cut(stock.name, MAX_CODE), remaining=count(stock.remaining))


def count(number: int | None) -> int | None:
    """Return a count; None for one that no counter can have."""
    return None if number is None or abs(number) > MAX_COUNT else number


def cut(text: str, length: int) -> str:
    """Return a text as databases store it, cut to a length."""
    return make_storable(text[: 2 * length])[:length]


def name(text: str | None, length: int) -> str | None:
    """Return a name unchanged; None for one that is empty, too long, or not storable."""
    if not text or len(text) > length or make_storable(text) != text:
        return None
    return text


def _seconds(span: float | None) -> float | None:
    """Return a span of time between nothing and `MAX_SECONDS`; None for one that is no number."""
    if span is None:
        return None
    bounded = min(max(span, 0.0), MAX_SECONDS)
    return None if math.isnan(bounded) else bounded


def _time(moment: datetime | None) -> datetime | None:
    """Return a moment; None for one without a zone, or that no clock can have shown."""
    if moment is None or moment.utcoffset() is None or moment.year not in YEARS:
        return None
    return moment
