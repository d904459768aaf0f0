"""Finds the message that each report of a gateway belongs to; it changes nothing.

A report names its submission by our reference or by the gateway's id, and its message by the
number.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from worker.domain.transitions import MAYBE_TAKEN_SUBMISSION_STATES
from worker.feedback import number_index
from worker.feedback.number_index import NumberIndex
from worker.gateways.results import Report
from worker.store.db import capabilities
from worker.store.feedback import carried_messages
from worker.store.feedback import reports as report_store
from worker.store.feedback.reports import NamedMessage, Origin, ReportTarget

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
    candidates = [
        origins_by_name.get(report.reference or "")
        or origins_by_name.get(report.gateway_id or "")
        or []
        for report in reports
    ]
    pairs = list(zip(reports, candidates, strict=True))
    numbers_of_origins = (
        (origin, report.msisdn) for report, origins in pairs for origin in origins
    )
    targets = _find_targets(connection, numbers_of_origins)
    lookups = [_lookup(report, origins, targets) for report, origins in pairs]
    return _with_named_messages(connection, accounts, lookups)


def _lookup(
    report: AnyReport,
    origins: Sequence[Origin],
    targets: Mapping[tuple[int, str], ReportTarget],
) -> ReportLookup:
    """Return the submission among those of one name that carries the report's number."""
    for origin in origins:
        target = targets.get((origin.id, report.msisdn))
        if target is not None:
            return ReportLookup(report, origin, target)
    return ReportLookup(report, origins[0] if origins else None, None)


def _with_named_messages(
    connection: Connection, accounts: Sequence[str], lookups: list[ReportLookup]
) -> list[ReportLookup]:
    """Return look-ups, with those that name no submission looked up by the id of a message."""
    unnamed = {
        lookup.report.gateway_id
        for lookup in lookups
        if lookup.origin is None and lookup.report.gateway_id
    }
    if not unnamed:
        return lookups
    named = report_store.named_messages(connection, accounts, unnamed)
    return [
        lookup if lookup.origin is not None else _lookup_message(lookup.report, named)
        for lookup in lookups
    ]


def _lookup_message(report: AnyReport, named: Mapping[str, Sequence[NamedMessage]]) -> ReportLookup:
    """Return the one message that bears the report's id and fits its number."""
    fitting = [
        message
        for message in named.get(report.gateway_id or "", ())
        if number_index.fits(report.msisdn, message.msisdn)
    ]
    if len(fitting) != 1:
        return ReportLookup(report, None, None)
    return ReportLookup(report, fitting[0].origin, fitting[0].target)


def _origins_by_name(
    connection: Connection, accounts: Sequence[str], reports: Sequence[AnyReport]
) -> dict[str, list[Origin]]:
    """Return the submissions that reports name, by our reference and by the gateway's id.

    Of one name there are several where recipients of one call were parted.
    """
    origins_by_name: dict[str, list[Origin]] = defaultdict(list)
    for origin in report_store.origins(
        connection,
        accounts,
        {report.reference for report in reports if report.reference},
        {report.gateway_id for report in reports if report.gateway_id},
    ):
        if origin.state in MAYBE_TAKEN_SUBMISSION_STATES:
            for name in {origin.reference, origin.gateway_id}:
                origins_by_name[name or ""].append(origin)
    origins_by_name.pop("", None)
    return origins_by_name


def _find_targets(
    connection: Connection, numbers_of_origins: Iterable[tuple[Origin, str]]
) -> dict[tuple[int, str], ReportTarget]:
    """Return the messages that numbers mean in submissions, by submission id and number.

    A masked number belongs to a message only if exactly one number of the submission fits it.
    """
    pairs = set(numbers_of_origins)
    targets: dict[tuple[int, str], ReportTarget] = {}
    if capabilities.takes_columns(connection):
        msisdns_by_origin: dict[Origin, set[str]] = defaultdict(set)
        whole = [(origin, msisdn) for origin, msisdn in pairs if "*" not in msisdn]
        for origin, msisdn in whole:
            msisdns_by_origin[origin].add(msisdn)
        targets = report_store.find_targets(connection, msisdns_by_origin) if whole else {}
        pairs.difference_update(whole)
    if pairs:
        index = read_index(connection, pairs)
        for origin, msisdn in pairs:
            target = index.targets(msisdn).get(origin.id)
            if target is not None:
                targets[origin.id, msisdn] = target
    return targets


def read_index(connection: Connection, pairs: Iterable[tuple[Origin, str]]) -> NumberIndex:
    """Return the messages of submissions, to look up the numbers beside them."""
    origin_ids = sorted({origin.id for origin, _ in pairs})
    msisdns = {msisdn for _, msisdn in pairs}
    return NumberIndex(carried_messages.of_submissions(connection, origin_ids, msisdns))
