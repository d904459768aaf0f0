"""Finds the message that each report of a gateway belongs to; it changes nothing.

A report names its submission by our reference or by the gateway's id, and its message by the
number.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from worker.domain import msisdn as numbers
from worker.domain.transitions import MAYBE_TAKEN_SUBMISSION_STATES
from worker.gateways.results import Report
from worker.store.feedback import reports as report_store
from worker.store.feedback.reports import Origin, ReportTarget

#: How far a gateway's clock may be behind ours.
CLOCK_SLACK = timedelta(minutes=2)

#: A report as it was read, or as it is stored: both have the same names for the same facts.
AnyReport = Report | Row[Any]


class MatchedReport(NamedTuple):
    """A report, the submission that it names, and the message that its number means there."""

    report: AnyReport
    origin: Origin
    target: ReportTarget


class ReportLookup(NamedTuple):
    """What was found for one report: the submission that it names, and its message there."""

    report: AnyReport
    #: None when no submission has the report's reference or id.
    origin: Origin | None
    #: None when the submission carries no message, or no single one, with the report's number.
    target: ReportTarget | None

    @property
    def matched(self) -> MatchedReport | None:
        """The report with its submission and message; None when the message was not found."""
        if self.origin is None or self.target is None:
            return None
        return MatchedReport(self.report, self.origin, self.target)


def look_up(
    connection: Connection, accounts: Sequence[str], reports: Sequence[AnyReport]
) -> list[ReportLookup]:
    """Return what is found for each report among the submissions of `accounts`, in their order."""
    origins_by_name = _origins_by_name(connection, accounts, reports)
    origins = [
        origins_by_name.get(report.reference or "") or origins_by_name.get(report.gateway_id or "")
        for report in reports
    ]
    return look_up_in(connection, list(zip(reports, origins, strict=True)))


def look_up_in(
    connection: Connection, pairs: Sequence[tuple[AnyReport, Origin | None]]
) -> list[ReportLookup]:
    """Return what is found for each report in the submission beside it, in their order."""
    numbers_of_origins = ((origin, report.msisdn) for report, origin in pairs if origin)
    targets = _find_targets(connection, numbers_of_origins)
    return [
        ReportLookup(report, origin, targets.get((origin.id, report.msisdn)) if origin else None)
        for report, origin in pairs
    ]


def _origins_by_name(
    connection: Connection, accounts: Sequence[str], reports: Sequence[AnyReport]
) -> dict[str, Origin]:
    """Return the submissions that reports name, by our reference and by the gateway's id."""
    origins_by_name: dict[str, Origin] = {}
    for origin in report_store.origins(
        connection,
        accounts,
        {report.reference for report in reports if report.reference},
        {report.gateway_id for report in reports if report.gateway_id},
    ):
        if origin.state in MAYBE_TAKEN_SUBMISSION_STATES:
            for name in (origin.reference, origin.gateway_id):
                origins_by_name.setdefault(name or "", origin)
    origins_by_name.pop("", None)
    return origins_by_name


def _find_targets(
    connection: Connection, numbers_of_origins: Iterable[tuple[Origin, str]]
) -> dict[tuple[int, str], ReportTarget]:
    """Return the messages that numbers mean in submissions, by submission id and number.

    A masked number belongs to a message only if exactly one number of the submission fits it.
    """
    origins: dict[int, Origin] = {}
    msisdns_by_origin: dict[int, set[str]] = defaultdict(set)
    for origin, msisdn in numbers_of_origins:
        origins[origin.id] = origin
        msisdns_by_origin[origin.id].add(msisdn)
    targets = report_store.find_targets(
        connection,
        {origins[origin_id]: msisdns for origin_id, msisdns in msisdns_by_origin.items()},
    )
    for origin_id, msisdns in msisdns_by_origin.items():
        masked = [msisdn for msisdn in msisdns if "*" in msisdn]
        if masked:
            targets.update(_unmask(connection, origins[origin_id], masked))
    return targets


def _unmask(
    connection: Connection, origin: Origin, masked: Iterable[str]
) -> dict[tuple[int, str], ReportTarget]:
    """Return the messages of a submission that exactly one masked number each fits."""
    carried = report_store.messages_of(connection, origin, None)
    targets = {}
    for msisdn in masked:
        fitting = [row for row in carried if numbers.matches(msisdn, row.msisdn)]
        if len(fitting) == 1:
            targets[origin.id, msisdn] = ReportTarget(fitting[0].request_id, fitting[0].n)
    return targets


def fits(connection: Connection, origin: Origin, reports: Sequence[AnyReport]) -> bool:
    """Tell whether all of these reports, which bear one id, can be about one submission.

    None may be from before its call, and it has to carry the number of each.
    """
    called_at = origin.called_at
    if called_at is None or any(
        report.reported_at is not None and report.reported_at < called_at - CLOCK_SLACK
        for report in reports
    ):
        return False
    msisdns = {report.msisdn for report in reports}
    targets = _find_targets(connection, ((origin, msisdn) for msisdn in msisdns))
    return all((origin.id, msisdn) in targets for msisdn in msisdns)
