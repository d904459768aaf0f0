"""What a page of reports changes: each report is kept once, matched, and moves its message once.

A report that matches nothing yet stays and is tried again: it may come before our own answer.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from worker import msisdn as numbers
from worker.answers import Report
from worker.store import doubts, events, messages, outcomes, pages
from worker.store.pages import Origin
from worker.terms import MessageState, ReportStatus, SubmissionState

#: Only submissions younger than this are looked through for a lost id, and so many, in seconds.
ADOPTABLE = 72 * 3600.0
MOST_CANDIDATES = 200
#: How far a gateway's clock may be behind ours.
SLACK = timedelta(minutes=2)
#: Reports that are stored and applied together.
AT_ONCE = 5000
#: With more reports than this for a submission its whole range is read instead of single numbers.
FEW = 200
#: What a report can belong to: whatever the gateway may have taken.
CALLED = frozenset({SubmissionState.IN_FLIGHT, SubmissionState.ACCEPTED, SubmissionState.UNKNOWN})


def take(
    connection: Connection, accounts: Sequence[str], inbox_id: int, reports: Iterable[Report]
) -> int:
    """Store a page's reports and apply those that are new; returns how many were new.

    `accounts` names the one that was asked, and then those that share its login at the gateway.
    """
    return take_many(connection, accounts, ((inbox_id, one) for one in reports))


def take_many(
    connection: Connection, accounts: Sequence[str], reports: Iterable[tuple[int, Report]]
) -> int:
    """Do as `take` does for reports of several pages, each with its page's id."""
    each = (row(accounts[0], inbox_id, one) for inbox_id, one in reports)
    count = 0
    while rows := list(islice(each, AT_ONCE)):
        new = pages.add_reports(connection, rows)
        apply(connection, accounts, new)
        count += len(new)
    return count


def apply(connection: Connection, accounts: Sequence[str], reports: Sequence[Row[Any]]) -> int:
    """Match reports with messages and move these; returns how many were matched."""
    found = pages.origins(
        connection,
        accounts,
        {one.reference for one in reports if one.reference},
        {one.gateway_id for one in reports if one.gateway_id},
    )
    origins = [one for one in found if one.state in CALLED]
    by_name: dict[str, list[Origin]] = defaultdict(list)
    for origin in origins:
        for name in {origin.reference, origin.gateway_id} - {None}:
            by_name[str(name)].append(origin)
    belonging: dict[Origin, list[Row[Any]]] = defaultdict(list)
    orphans: dict[str, list[Row[Any]]] = defaultdict(list)
    for one in reports:
        found = by_name.get(one.reference or "", []) or by_name.get(one.gateway_id or "", [])
        if found:
            belonging[found[0]].append(one)
        elif one.gateway_id:
            orphans[one.gateway_id].append(one)
    matched = _apply(connection, belonging)
    adopted = _adopted(connection, accounts, orphans) if orphans else {}
    return matched + _apply(connection, adopted, adopting=True)


def _adopted(
    connection: Connection, accounts: Sequence[str], orphans: Mapping[str, list[Row[Any]]]
) -> dict[Origin, list[Row[Any]]]:
    """Find the submissions of reports under ids that nobody knows.

    One whose id was lost with its answer, or never given, is meant if its numbers and its time fit
    all reports of an id, and if no other one fits.
    """
    adopted: dict[Origin, list[Row[Any]]] = {}
    candidates = pages.adoptable(connection, accounts, ADOPTABLE, MOST_CANDIDATES)
    for gateway_id, reports in orphans.items():
        fitting = [one for one in candidates if _fits(connection, one, reports)]
        if len(fitting) == 1:
            adopted.setdefault(fitting[0], []).extend(reports)
            if not fitting[0].restored:
                pages.adopt(connection, fitting[0].id, gateway_id)
                candidates.remove(fitting[0])
    return adopted


def _fits(connection: Connection, origin: Origin, reports: Sequence[Row[Any]]) -> bool:
    called = origin.called_at
    if called is None or any(
        one.reported_at is not None and one.reported_at < called - SLACK for one in reports
    ):
        return False
    named = {one.msisdn for one in reports}
    whole = len(named) > FEW or any("*" in msisdn for msisdn in named)
    carried = pages.numbers_of(connection, origin, None if whole else named)
    here = {row.msisdn for row in carried}
    return all(msisdn in here or _unmasked(msisdn, carried) for msisdn in named)


def _apply(
    connection: Connection,
    belonging: Mapping[Origin, Sequence[Row[Any]]],
    *,
    adopting: bool = False,
) -> int:
    """Match reports with the messages of their submissions, and move these, all at once.

    A report proves that its submission was taken, unless that stands for calls of others too.
    """
    pairs: list[_Pair] = []
    for origin, reports in belonging.items():
        its_own = _pairs(connection, origin, reports)
        proves = not (adopting and origin.restored)
        if its_own and proves and origin.state is SubmissionState.UNKNOWN:
            _settle(connection, origin, its_own[0].report)
        pairs += its_own
    pages.match(
        connection,
        [{"one": one.report.id, "of": one.row.request_id, "nth": one.row.n} for one in pairs],
    )
    for single in (True, False):
        _move(connection, [one for one in pairs if (one.parts == 1) is single], single=single)
    return len(pairs)


class _Pair(NamedTuple):
    """A report, the message that it belongs to, and the parts of that one's text."""

    report: Row[Any]
    row: Row[Any]
    parts: int


def _pairs(connection: Connection, origin: Origin, reports: Sequence[Row[Any]]) -> list[_Pair]:
    named = {one.msisdn for one in reports}
    whole = len(named) > FEW or any("*" in msisdn for msisdn in named)
    carried = pages.numbers_of(connection, origin, None if whole else named)
    by_number = {row.msisdn: row for row in carried}
    found = []
    for one in reports:
        row = by_number.get(one.msisdn)
        if row is None and "*" in one.msisdn:
            row = _unmasked(one.msisdn, carried)
        if row is not None:
            found.append(_Pair(one, row, origin.segments))
    return found


def _unmasked(masked: str, carried: Sequence[Row[Any]]) -> Row[Any] | None:
    """A masked number belongs to a message only if exactly one of the submission fits."""
    fitting = [row for row in carried if numbers.matches(masked, row.msisdn)]
    return fitting[0] if len(fitting) == 1 else None


def _settle(connection: Connection, origin: Origin, evidence: Row[Any]) -> None:
    """A report proves that the gateway took the submission: `unknown` → `accepted`."""
    if outcomes.accept(connection, origin.id, origin.fence, evidence.gateway_id):
        doubts.withdraw_resend(connection, origin.id)
        events.add(
            connection,
            "submission.settled",
            "report",
            account=origin.account,
            submission_id=origin.id,
            detail={"report": evidence.id},
        )


def _move(connection: Connection, pairs: Sequence[_Pair], *, single: bool) -> None:
    """Move messages by their reports; a text of several parts failed if one of them did."""
    by_state: dict[MessageState, list[dict[str, Any]]] = defaultdict(list)
    for one, row, _ in pairs:
        status = ReportStatus(one.status)
        if status is not ReportStatus.UNKNOWN:
            by_state[MessageState(status.value)].append(
                {"of": row.request_id, "nth": row.n, "code": one.code, "at": one.reported_at}
            )
    for state in (MessageState.UNDELIVERED, MessageState.DELIVERED):
        if by_state[state]:
            messages.report(connection, by_state[state], state, parts=1 if single else 2)


def row(account: str, inbox_id: int, report: Report) -> dict[str, Any]:
    """Return a report as it is stored."""
    facts = (
        report.reference or report.gateway_id or "",
        report.msisdn,
        report.code,
        report.reported_at.isoformat() if report.reported_at else "",
    )
    return {
        "account": account,
        "msisdn": report.msisdn[:16],
        "reference": report.reference,
        "gateway_id": report.gateway_id,
        "status": report.status.value,
        "code": report.code[:64],
        "words": report.words[:200] or None,
        "reported_at": report.reported_at,
        "digest": digest(facts),
        "inbox_id": inbox_id,
    }


def digest(facts: Iterable[str]) -> str:
    """Hash what a gateway said, so that the same said twice is one row."""
    return hashlib.sha256("\x1f".join(facts).encode()).hexdigest()[:32]
