"""What lies in a spool: outcomes without numbers and texts, and raw pages with all of theirs."""

import base64
import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection

from worker.domain.enums import (
    Advice,
    Fault,
    MessageClass,
    Outcome,
    SubmissionState,
)
from worker.gateways.base import Content
from worker.gateways.results import Result
from worker.store import inbox
from worker.store.claims import Lease
from worker.store.outcomes import CallOutcome

#: What a lease is without the text that it carried: outcomes need none.
_NOTHING = Content("")
#: How a row shows that it is none of this version's.
_STRANGE = (ValueError, KeyError, TypeError)


def outcome(call: CallOutcome) -> dict[str, Any]:
    """Return an outcome as it is kept."""
    lease, result, state = call.lease, call.result, call.state
    if call.each:
        # Numbers are not kept: what fared differently by number is unknown if its process dies.
        result, state = Result(Outcome.UNKNOWN, "each"), SubmissionState.UNKNOWN
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
        "state": state.value,
        "outcome": result.outcome.value,
        "code": result.code,
        "words": result.words,
        "gateway_id": result.gateway_id,
        "fault": result.fault and result.fault.value,
        "advice": result.advice and result.advice.value,
        "hold": result.hold,
        "mapped": result.mapped,
    }


def outcomes(rows: Iterable[Any]) -> Iterator[CallOutcome]:
    """Yield the outcomes that rows are."""
    for row in rows:
        with contextlib.suppress(*_STRANGE):
            yield _outcome(row)


def _outcome(kept: Mapping[str, Any]) -> CallOutcome:
    lease = Lease(
        kept["id"],
        kept["fence"],
        kept["account"],
        MessageClass(kept["class"]),
        kept["request"],
        kept["lo"],
        kept["hi"],
        kept["size"],
        kept["attempts"],
        _NOTHING,
        "",
        kept["resend_of"],
    )
    result = Result(
        Outcome(kept["outcome"]),
        kept["code"],
        kept["words"],
        kept["gateway_id"],
        Fault(kept["fault"]) if kept["fault"] else None,
        Advice(kept["advice"]) if kept["advice"] else None,
        kept["hold"],
        kept["mapped"],
    )
    return CallOutcome(lease, SubmissionState(kept["state"]), result)


def page(
    account: str, kind: str, body: bytes, status: int, headers: Mapping[str, str]
) -> dict[str, Any]:
    """Return a raw page as it is kept; its fields are those of `worker.store.inbox.keep`."""
    return {
        "account": account,
        "kind": kind,
        "status": status,
        "headers": dict(headers),
        "body": base64.b64encode(body).decode("ascii"),
    }


def keep_page(connection: Connection, row: Mapping[str, Any]) -> bool:
    """Commit a raw page to the inbox, to be read with the next sweep; False when it is none."""
    with contextlib.suppress(*_STRANGE):
        fields = {name: row[name] for name in ("account", "kind", "status", "headers")}
        inbox.keep(connection, **fields, body=base64.b64decode(row["body"], validate=True))
        return True
    return False
