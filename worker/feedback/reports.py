"""Stores what a page of reports says, and moves the messages that it is about, each once.

A report that matches no message yet stays and is tried again: it may come before our own answer.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row

from worker.domain.enums import MessageState, ReportStatus, SubmissionState
from worker.feedback import report_matching
from worker.feedback.report_matching import AnyReport, MatchedReport, ReportLookup
from worker.gateways.results import Report
from worker.store import events
from worker.store.delivery import outcomes
from worker.store.feedback import applied_reports
from worker.store.feedback import reports as report_store
from worker.store.feedback.reports import Origin, ReportTarget
from worker.store.settlement import unknown

#: For so long after its call a submission is a candidate for reports under an unknown id.
ADOPTABLE_SECONDS = 72 * 3600.0
#: How many such submissions are looked through, the newest first.
MAX_CANDIDATES = 200
#: How many reports are stored and applied together.
MAX_REPORTS_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class SortedReports:
    """Stored reports by their ids, sorted by what has to be done about them.

    A report whose submission is known, but not its message, is in neither: it waits.
    """

    #: Those whose message is known.
    matched: dict[int, MatchedReport] = field(default_factory=dict)
    #: Those with a reference or id that no submission has.
    unnamed: dict[int, AnyReport] = field(default_factory=dict)

    def add(self, report_id: int, lookup: ReportLookup) -> None:
        """Sort one report in."""
        matched = lookup.matched
        if matched is not None:
            self.matched[report_id] = matched
        elif lookup.origin is None:
            self.unnamed[report_id] = lookup.report


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
    new_reports = SortedReports()
    for digest, report_id in new_ids.items():
        new_reports.add(report_id, lookups_by_digest[digest])
    _apply(connection, new_reports.matched)
    _adopt(connection, accounts, new_reports.unnamed)
    return len(new_ids)


def match_stored(
    connection: Connection, accounts: Sequence[str], reports: Sequence[Row[Any]]
) -> int:
    """Match stored reports with messages and move these; return how many were matched."""
    stored = SortedReports()
    lookups = report_matching.look_up(connection, accounts, reports)
    for report, lookup in zip(reports, lookups, strict=True):
        stored.add(report.id, lookup)
    _store_matches(connection, stored.matched)
    _apply(connection, stored.matched)
    return len(stored.matched) + _adopt(connection, accounts, stored.unnamed)


def _store_matches(connection: Connection, reports: Mapping[int, MatchedReport]) -> None:
    """Write down which messages stored reports, given by their ids, belong to."""
    report_store.match(
        connection,
        {report_id: matched.target for report_id, matched in reports.items()},
    )


def _apply(
    connection: Connection, reports: Mapping[int, MatchedReport], *, adopting: bool = False
) -> None:
    """Do what follows from matched reports: settle submissions, move messages.

    A report proves that its submission was taken; one that was adopted does not where the
    submission stands for calls that a restored backup forgot.
    """
    settled: set[int] = set()
    for report_id, matched in reports.items():
        origin = matched.origin
        proves = not (adopting and origin.restored)
        if origin.state is SubmissionState.UNKNOWN and proves and origin.id not in settled:
            settled.add(origin.id)
            _settle(connection, origin, report_id, matched.report.gateway_id)
    for one_part in (True, False):
        alike = {
            report_id: matched
            for report_id, matched in reports.items()
            if (matched.origin.segments == 1) is one_part
        }
        _move_messages(connection, alike, one_part=one_part)


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


def _adopt(
    connection: Connection, accounts: Sequence[str], unnamed: Mapping[int, AnyReport]
) -> int:
    """Match stored reports under ids that no submission has; return how many were matched.

    A submission may have lost its id with the gateway's answer, or never been given one.
    """
    reports_by_gateway_id: dict[str, dict[int, AnyReport]] = defaultdict(dict)
    for report_id, report in unnamed.items():
        if report.gateway_id:
            reports_by_gateway_id[report.gateway_id][report_id] = report
    if not reports_by_gateway_id:
        return 0
    origins = _find_origins(connection, accounts, reports_by_gateway_id)
    pairs = [(unnamed[report_id], origin) for report_id, origin in origins.items()]
    lookups = report_matching.look_up_in(connection, pairs)
    adopted = SortedReports()
    for report_id, lookup in zip(origins, lookups, strict=True):
        adopted.add(report_id, lookup)
    _store_matches(connection, adopted.matched)
    _apply(connection, adopted.matched, adopting=True)
    return len(adopted.matched)


def _find_origins(
    connection: Connection,
    accounts: Sequence[str],
    reports_by_gateway_id: Mapping[str, Mapping[int, AnyReport]],
) -> dict[int, Origin]:
    """Return the submissions of reports, by the reports' ids, and write down the ids they bear.

    A submission is meant by an id if its numbers and its time fit all reports of the id, and if no
    other submission fits them.
    """
    origins: dict[int, Origin] = {}
    candidates = report_store.adoptable(connection, accounts, ADOPTABLE_SECONDS, MAX_CANDIDATES)
    for gateway_id, reports in reports_by_gateway_id.items():
        fitting = [
            candidate
            for candidate in candidates
            if report_matching.fits(connection, candidate, list(reports.values()))
        ]
        if len(fitting) == 1:
            (origin,) = fitting
            origins.update(dict.fromkeys(reports, origin))
            if not origin.restored:
                report_store.adopt(connection, origin.id, gateway_id)
                candidates.remove(origin)
    return origins


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
        "msisdn": report.msisdn[:16],
        "reference": report.reference,
        "gateway_id": report.gateway_id,
        "status": report.status.value,
        "code": report.code[:64],
        "words": report.words[:200] or None,
        "reported_at": report.reported_at,
        "digest": digest(facts),
        "inbox_id": inbox_id,
        "request_id": target.request_id if target else None,
        "n": target.n if target else None,
    }


def digest(facts: Iterable[str]) -> str:
    """Return a hash of what a gateway said, by which the same said twice is stored once."""
    return hashlib.sha256("\x1f".join(facts).encode()).hexdigest()[:32]
