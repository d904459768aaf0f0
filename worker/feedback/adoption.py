"""Finds the submissions of reports that bear an id which no submission has.

A submission may have lost its id with the gateway's answer, or never been given one. It adopts an
id if its numbers and its time fit all reports that bear the id, and if those of no other such
submission do.

A report is compared once with all submissions that have no id, and again only with what changed
since: submissions that came to be without an id, or that learned theirs. So reports about messages
of others cost one look each, however long they wait.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row

from worker.feedback.number_index import NumberIndex
from worker.feedback.report_matching import MatchedReport
from worker.store.feedback import carried_messages, unnamed
from worker.store.feedback.reports import Origin

#: For so long after its call a submission may adopt an id.
ADOPTABLE_SECONDS = 72 * 3600.0
#: How many such submissions of a login are looked through, the newest first, and how many messages
#: they may carry in all.
MAX_CANDIDATES = 1000
MAX_CANDIDATE_MESSAGES = 200_000
#: How many reports are compared at once.
MAX_REPORTS = 2000
#: How far a gateway's clock may be behind ours.
CLOCK_SLACK = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one comparison looked at, and what it found."""

    #: The submissions without an id, as it saw them.
    candidate_ids: frozenset[int]
    #: The reports that it was the first to look at.
    report_ids: Sequence[int] = ()
    #: The reports that bear an id which fits one submission, by their ids.
    matched: Mapping[int, MatchedReport] = field(default_factory=dict)
    #: Whether there are more reports that were compared with nothing.
    has_more: bool = False


def compare(
    connection: Connection, accounts: Collection[str], compared_ids: Collection[int]
) -> Comparison | None:
    """Compare the waiting reports of a login's accounts with its submissions without an id.

    `compared_ids` are the submissions of the last comparison. None when there is nothing to
    compare. It only reads.
    """
    if not unnamed.has_reports(connection, accounts):
        return None
    candidates = _candidates(connection, accounts)
    candidate_ids = frozenset(origin.id for origin in candidates)
    reports = unnamed.uncompared(connection, accounts, MAX_REPORTS)
    changed_ids = candidate_ids.symmetric_difference(compared_ids)
    if not reports and not changed_ids:
        return None
    gateway_ids = {row.gateway_id for row in reports}
    if changed_ids:
        gateway_ids |= _ids_touched(connection, accounts, changed_ids)
    return Comparison(
        candidate_ids,
        [row.id for row in reports],
        _match(connection, accounts, candidates, gateway_ids),
        len(reports) == MAX_REPORTS,
    )


def _candidates(connection: Connection, accounts: Collection[str]) -> list[Origin]:
    """Return the newest submissions without an id, as many as may be looked through."""
    origins = unnamed.submissions(connection, accounts, ADOPTABLE_SECONDS, MAX_CANDIDATES)
    kept: list[Origin] = []
    messages = 0
    for origin in origins:
        messages += origin.size
        if kept and messages > MAX_CANDIDATE_MESSAGES:
            break
        kept.append(origin)
    return kept


def _ids_touched(
    connection: Connection, accounts: Collection[str], submission_ids: Collection[int]
) -> set[str]:
    """Return the gateway's ids in waiting reports about the numbers of some submissions."""
    origins = unnamed.submissions_by_id(connection, submission_ids)
    called = [origin.called_at for origin in origins if origin.called_at is not None]
    if not called:
        return set()
    msisdns = _index(connection, origins, None).msisdns
    return unnamed.gateway_ids_about(connection, accounts, msisdns, min(called) - CLOCK_SLACK)


def _match(
    connection: Connection,
    accounts: Collection[str],
    candidates: Sequence[Origin],
    gateway_ids: Collection[str],
) -> dict[int, MatchedReport]:
    """Return the waiting reports under these ids that fit exactly one candidate."""
    if not candidates or not gateway_ids:
        return {}
    reports = unnamed.of_gateway_ids(connection, accounts, gateway_ids)
    if not reports:
        return {}
    index = _index(connection, candidates, {row.msisdn for row in reports})
    return match(reports, {origin.id: origin for origin in candidates}, index)


def _index(
    connection: Connection, origins: Iterable[Origin], msisdns: Collection[str] | None
) -> NumberIndex:
    ids = [origin.id for origin in origins]
    return NumberIndex(carried_messages.of_submissions(connection, ids, msisdns))


def match(
    reports: Iterable[Row[Any]], candidates: Mapping[int, Origin], index: NumberIndex
) -> dict[int, MatchedReport]:
    """Return the reports, by their ids, whose gateway's id fits exactly one candidate.

    A candidate adopts one id, but for one that stands for calls which a backup forgot: these may
    bear several.
    """
    reports_by_gateway_id: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in reports:
        reports_by_gateway_id[row.gateway_id].append(row)
    left = dict(candidates)
    matched: dict[int, MatchedReport] = {}
    for rows in reports_by_gateway_id.values():
        fitting = [origin_id for origin_id in _fitting(rows, index) if origin_id in left]
        fitting = [origin_id for origin_id in fitting if _may_be_about(left[origin_id], rows)]
        if len(fitting) == 1:
            origin = left[fitting[0]]
            for row in rows:
                target = index.targets(row.msisdn)[origin.id]
                matched[row.id] = MatchedReport(row, origin, target)
            if not origin.restored:
                del left[origin.id]
    return matched


def _fitting(reports: Sequence[Row[Any]], index: NumberIndex) -> set[int]:
    """Return the submissions that carry the number of each report."""
    msisdns = {row.msisdn for row in reports}
    return set.intersection(*(set(index.targets(msisdn)) for msisdn in msisdns))


def _may_be_about(origin: Origin, reports: Iterable[Row[Any]]) -> bool:
    """Tell whether no report is from before the call of a submission."""
    if origin.called_at is None:
        return False
    earliest = origin.called_at - CLOCK_SLACK
    return all(row.reported_at is None or row.reported_at >= earliest for row in reports)
