"""Fits what gateways say to what the tables hold: words are cut, names never are.

A word, a sentence or a text that was cut still says nearly the same. An id, a reference, an
extension or a number that was cut would be another one, and lead to another message or recipient:
it is left out, or, where a row is nothing without it, the row counts as damaged and its raw page
can be read again. Nothing here raises for any value of the right types.
"""

from dataclasses import replace

from worker.gateways import storable_fields as fields
from worker.gateways.results import InboundMessage, Pool, Report, Result, Results, SentRow


def results(answer: Results, size: int) -> Results:
    """Fit the results of a submission of so many messages; those of others are left out.

    Ids that are not as many as the messages belong to nobody knows which: they are left out.
    """
    gateway_ids: tuple[str | None, ...] = ()
    if len(answer.gateway_ids) == size:
        gateway_ids = tuple(fields.name(name, fields.MAX_ID) for name in answer.gateway_ids)
    per_recipient = {
        position: result(answer.per_recipient[position])
        for position in sorted(answer.per_recipient)
        if 0 <= position < size
    }
    return Results(
        result(answer.default),
        per_recipient,
        gateway_ids if any(gateway_ids) else (),
        answer.by_recipient,
    )


def result(answer: Result) -> Result:
    """Fit one result. Without its id a report finds the submission by reference or number."""
    return replace(
        answer,
        code=fields.cut(answer.code, fields.MAX_CODE),
        words=fields.cut(answer.words, fields.MAX_WORDS),
        gateway_id=fields.name(answer.gateway_id, fields.MAX_ID),
        hold=fields.seconds(answer.hold),
        retry_after=fields.seconds(answer.retry_after),
        wait=fields.seconds(answer.wait),
    )


def report(row: Report) -> Report | None:
    """Fit a report; None when its number does not fit, or none of the names that it bears."""
    msisdn = fields.name(row.msisdn, fields.MAX_MSISDN)
    reference, gateway_id = (
        fields.name(row.reference, fields.MAX_ID),
        fields.name(row.gateway_id, fields.MAX_ID),
    )
    is_named = bool(row.reference or row.gateway_id)
    if msisdn is None or (is_named and not (reference or gateway_id)):
        return None
    return replace(
        row,
        code=fields.cut(row.code, fields.MAX_CODE),
        words=fields.cut(row.words, fields.MAX_WORDS),
        reference=reference,
        gateway_id=gateway_id,
        reported_at=fields.time(row.reported_at),
    )


def sent_row(row: SentRow) -> SentRow | None:
    """Fit a message that was sent; None when its number does not fit."""
    msisdn = fields.name(row.msisdn, fields.MAX_MSISDN)
    if msisdn is None:
        return None
    return replace(
        row,
        msisdn=msisdn,
        reference=fields.name(row.reference, fields.MAX_ID),
        gateway_id=fields.name(row.gateway_id, fields.MAX_ID),
    )


def inbound_message(row: InboundMessage) -> InboundMessage | None:
    """Fit a reply; None when its number does not fit.

    Without an extension or an id it is still a reply, and may be an opt-out.
    """
    msisdn = fields.name(row.msisdn, fields.MAX_MSISDN)
    if msisdn is None:
        return None
    return replace(
        row,
        text=fields.cut(row.text, fields.MAX_TEXT),
        extension=fields.name(row.extension, fields.MAX_EXTENSION),
        service_number=fields.name(row.service_number, fields.MAX_SERVICE_NUMBER),
        gateway_id=fields.name(row.gateway_id, fields.MAX_ID),
        received_at=fields.time(row.received_at),
    )


def pool(stock: Pool) -> Pool:
    """Fit a pool of a balance."""
    return replace(
        stock, name=fields.cut(stock.name, fields.MAX_CODE), remaining=fields.count(stock.remaining)
    )
