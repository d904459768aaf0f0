"""Convert outcomes and raw pages to and from the rows of a spool.

Outcomes are kept without numbers and texts: recipients that fared differently by their positions in
the call. Raw pages are kept whole.
"""

import base64
import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from worker.domain.enums import (
    Advice,
    Fault,
    MessageClass,
    Outcome,
    SubmissionState,
)
from worker.domain.message_ranges import MessageRange
from worker.gateways.base import Content
from worker.gateways.results import Result
from worker.store.delivery.call_outcomes import CallOutcome, Fates, RecipientGroup
from worker.store.delivery.claims import Lease
from worker.store.feedback.page_pieces import RawPage

#: The content of a lease that was read from a spool: to record an outcome needs none.
_NO_CONTENT = Content("")
#: What reading a row raises that another version wrote.
_FOREIGN_ROW_ERRORS = (ValueError, KeyError, TypeError)


def outcome_row(call: CallOutcome) -> dict[str, Any]:
    """Return the row of an outcome."""
    lease, fates = call.lease, call.fates
    return {
        "id": lease.id,
        "fence": lease.fence,
        "account": lease.account,
        "class": lease.message_class.value,
        "request": lease.request_id,
        "lo": lease.lo,
        "hi": lease.hi,
        "size": lease.size,
        "attempts": lease.attempts,
        "resend_of": lease.resend_of,
        "binding": lease.binding_id,
        "barred": list(lease.barred),
        "state": fates.state.value,
        **_result_fields(fates.result),
        "refused": [
            [position, _result_fields(result)] for position, result in fates.refused.items()
        ],
        "apart": [
            [group.state.value, _result_fields(group.result), list(group.positions)]
            for group in fates.apart
        ],
        "messages": [[span.request_id, span.lo, span.hi] for span in call.ranges],
        "gateway_ids": list(call.gateway_ids),
    }


def _result_fields(result: Result) -> dict[str, Any]:
    """Return what is kept of a result."""
    return {
        "outcome": result.outcome.value,
        "code": result.code,
        "words": result.words,
        "gateway_id": result.gateway_id,
        "fault": result.fault and result.fault.value,
        "advice": result.advice and result.advice.value,
        "hold": result.hold,
        "mapped": result.mapped,
        "wait": result.wait,
    }


def _result(fields: Mapping[str, Any]) -> Result:
    """Return the result that was kept as these fields; earlier versions had no `wait`."""
    return Result(
        Outcome(fields["outcome"]),
        fields["code"],
        fields["words"],
        fields["gateway_id"],
        Fault(fields["fault"]) if fields["fault"] else None,
        Advice(fields["advice"]) if fields["advice"] else None,
        fields["hold"],
        fields["mapped"],
        wait=1.0 if fields["advice"] == "recipient_second" else fields.get("wait"),
    )


def read_outcomes(rows: Iterable[Any]) -> Iterator[CallOutcome]:
    """Yield the outcomes of rows; rows of another version are left out."""
    for row in rows:
        with contextlib.suppress(*_FOREIGN_ROW_ERRORS):
            yield _outcome(row)


def _outcome(row: Mapping[str, Any]) -> CallOutcome:
    lease = Lease(
        row["id"],
        row["fence"],
        row["account"],
        MessageClass(row["class"]),
        row["request"],
        row["lo"],
        row["hi"],
        row["size"],
        row["attempts"],
        _NO_CONTENT,
        "",
        row["resend_of"],
        binding_id=row.get("binding"),
        barred=tuple(row.get("barred", ())),
    )
    fates = Fates(
        SubmissionState(row["state"]),
        _result(row),
        {position: _result(fields) for position, fields in row.get("refused", ())},
        [
            RecipientGroup(SubmissionState(state), _result(fields), positions)
            for state, fields, positions in row.get("apart", ())
        ],
    )
    ranges = [MessageRange(*span) for span in row.get("messages", ())]
    return CallOutcome(lease, fates, ranges, row.get("gateway_ids", ()))


def page_row(page: RawPage, begun_id: int | None = None) -> dict[str, Any]:
    """Return the row of a raw page, and of the id under which a part of it is stored already."""
    return {
        "account": page.account,
        "kind": page.kind,
        "status": page.status,
        "headers": dict(page.headers),
        "body": base64.b64encode(page.body).decode("ascii"),
        "begun": begun_id,
    }


class SpooledPage(NamedTuple):
    """A raw page of a spool, and the id under which a part of it is stored; None when none is."""

    page: RawPage
    begun_id: int | None


def read_pages(rows: Iterable[Any]) -> Iterator[SpooledPage]:
    """Yield the raw pages of rows; rows of another version are left out."""
    for row in rows:
        with contextlib.suppress(*_FOREIGN_ROW_ERRORS):
            yield _page(row)


def _page(row: Mapping[str, Any]) -> SpooledPage:
    body = base64.b64decode(row["body"], validate=True)
    headers = dict(row["headers"])
    page = RawPage(row["account"], row["kind"], body, status=row["status"], headers=headers)
    begun_id = row.get("begun")
    return SpooledPage(page, None if begun_id is None else int(begun_id))
