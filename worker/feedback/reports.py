"""Stores what a page of reports says, and moves the messages that it is about, each once.

A report that matches no message yet stays and is tried again: it may come before our own answer.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row

from worker.domain.enums import Fault, MessageState, ReportStatus, SubmissionState
from worker.feedback import blacklist_reports, report_events, report_matching
from worker.feedback.report_matching import MatchedReport, ReportLookup
from worker.gateways.results import Report
from worker.store import events
from worker.store.delivery import outcomes, submission_details
from worker.store.feedback import applied_reports
from worker.store.feedback import reports as report_store
from worker.store.feedback.reports import Origin, ReportTarget
from worker.store.settlement import unknown
from worker.store.templates import bindings

#: How many reports are stored and applied together.
MAX_REPORTS_AT_ONCE = 5000


def take_page(
    connection: Connection, accounts: Sequence[str], inbox_id: int, reports: Iterable[Report]
) -> int:
    """Store a page's reports and apply those that are new; return how many were new.

    `accounts` names the one that was asked, and then those that share its login at the gateway.
    """
    return take_pages(connection, accounts, ((inbox_id, report) for report in reports))


def take_pages(
    connection: Connection, accounts: Sequence[str], reports: Iterable[tuple[int, Report]]
) -> int:
    """Do as `take_page` does for reports of several pages, each with its page's id."""
    remaining, new_count = iter(reports), 0
    while chunk := list(islice(remaining, MAX_REPORTS_AT_ONCE)):
        new_count += _take_chunk(connection, accounts, chunk)
    return new_count


def _take_chunk(
    connection: Connection, accounts: Sequence[str], chunk: Sequence[tuple[int, Report]]
) -> int:
    """Store and apply some reports; return how many were new.

    Each is matched before it is stored, so that it is written once.
    """
    lookups = report_matching.look_up(connection, accounts, [report for _, report in chunk])
    rows = [
        report_row(accounts[0], inbox_id, report, lookup.target)
        for (inbox_id, report), lookup in zip(chunk, lookups, strict=True)
    ]
    lookups_by_digest = {row["digest"]: lookup for row, lookup in zip(rows, lookups, strict=True)}
    new_ids = report_store.add(connection, rows)
    new_lookups = {report_id: lookups_by_digest[digest] for digest, report_id in new_ids.items()}
    matched_reports = _matched(new_lookups)
    apply(connection, matched_reports)
    _note_unregistered(connection, matched_reports.values())
    blacklist_reports.note(connection, [row for row in rows if row["digest"] in new_ids])
    report_events.tell_new(accounts[0], new_lookups.values())
    return len(new_ids)


def _note_unregistered(connection: Connection, reports: Iterable[MatchedReport]) -> None:
    """Count messages whose reports call their signature or template unregistered, by binding."""
    messages = {
        (matched.origin.binding_id, matched.target)
        for matched in reports
        if matched.origin.binding_id is not None and matched.report.fault is Fault.BINDING
    }
    now = datetime.now(UTC)
    for binding_id in sorted(binding_id for binding_id, _ in messages if binding_id is not None):
        bindings.note_unregistered(connection, binding_id, now)


def match_stored(
    connection: Connection, accounts: Sequence[str], reports: Sequence[Row[Any]]
) -> int:
    """Match stored reports with messages and move these; return how many were matched."""
    lookups = report_matching.look_up(connection, accounts, reports)
    ids = [report.id for report in reports]
    matched_reports = _matched(dict(zip(ids, lookups, strict=True)))
    apply_stored(connection, matched_reports)
    return len(matched_reports)


def apply_stored(
    connection: Connection, reports: Mapping[int, MatchedReport], *, adopting: bool = False
) -> None:
    """Write down which messages stored reports, given by their ids, belong to, and apply them."""
    targets = {report_id: matched.target for report_id, matched in reports.items()}
    report_store.match(connection, targets)
    apply(connection, reports, adopting=adopting)


def _matched(lookups: Mapping[int, ReportLookup]) -> dict[int, MatchedReport]:
    """Return the reports whose message was found, by their ids; the others wait."""
    return {
        report_id: matched
        for report_id, lookup in lookups.items()
        if (matched := lookup.matched) is not None
    }


def apply(
    connection: Connection, reports: Mapping[int, MatchedReport], *, adopting: bool = False
) -> None:
    """Do what follows from matched reports: settle submissions, move messages.

    A report proves that its submission was taken; one that was adopted does not where the
    submission stands for calls that a restored backup forgot.
    """
    report_events.tell_deliveries(reports.values())
    settled: set[int] = set()
    for report_id, matched in reports.items():
        origin = matched.origin
        proves = not (adopting and origin.restored)
        if origin.state is SubmissionState.UNKNOWN and proves and origin.id not in settled:
            settled.add(origin.id)
            _settle(connection, origin, report_id, _adoptable_id(matched))
    others = submission_details.other_segments(
        connection,
        {matched.origin.id for matched in reports.values() if matched.origin.segments_differ},
    )
    for one_part in (True, False):
        alike = {
            report_id: matched
            for report_id, matched in reports.items()
            if (others.get(matched.target, matched.origin.segments) == 1) is one_part
        }
        _move_messages(connection, alike, one_part=one_part)


def _adoptable_id(matched: MatchedReport) -> str | None:
    """Return the gateway's id in a report where it is the submission's, and not one message's."""
    report, origin = matched.report, matched.origin
    is_submissions = report.reference in {None, report.gateway_id} or origin.size == 1
    return report.gateway_id if is_submissions else None


def _settle(connection: Connection, origin: Origin, report_id: int, gateway_id: str | None) -> None:
    """Settle an unknown submission that a report proves to have been taken: it is accepted."""
    if outcomes.accept(connection, origin.id, origin.fence, gateway_id):
        unknown.withdraw_resend(connection, origin.id)
        events.add(
            connection,
            "submission.settled",
            "report",
            account=origin.account,
            submission_id=origin.id,
            detail={"report": report_id},
        )


def _move_messages(
    connection: Connection, reports: Mapping[int, MatchedReport], *, one_part: bool
) -> None:
    """Move messages by their reports; a text of several parts failed if one of them did."""
    by_state: dict[MessageState, list[applied_reports.ReportedMessage]] = defaultdict(list)
    for report_id, (report, _, target) in reports.items():
        status = ReportStatus(report.status)
        if status is not ReportStatus.UNKNOWN:
            by_state[MessageState(status.value)].append(
                applied_reports.ReportedMessage(
                    report_id, *target, report.code[:64], report.reported_at
                )
            )
    for state in (MessageState.UNDELIVERED, MessageState.DELIVERED):
        if by_state[state]:
            applied_reports.apply_reports(
                connection, by_state[state], state, parts=1 if one_part else 2
            )


def report_row(
    account: str, inbox_id: int, report: Report, target: ReportTarget | None = None
) -> dict[str, Any]:
    """Return a report as it is stored, with the message that it belongs to, if that is known."""
    facts = (
        report.reference or report.gateway_id or "",
        report.msisdn,
        report.code,
        report.reported_at.isoformat() if report.reported_at else "",
    )
    return {
        "account": account,
        "msisdn": report.msisdn,
        "reference": report.reference,
        "gateway_id": report.gateway_id,
        "status": report.status.value,
        "code": report.code,
        "words": report.words or None,
        "reported_at": report.reported_at,
        "digest": digest(facts),
        "inbox_id": inbox_id,
        "request_id": target.request_id if target else None,
        "n": target.n if target else None,
    }


def digest(facts: Iterable[str]) -> str:
    """Return a hash of what a gateway said, by which the same said twice is stored once."""
    return hashlib.sha256("\x1f".join(facts).encode()).hexdigest()[:32]
