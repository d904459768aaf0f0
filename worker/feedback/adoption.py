"""Decides which submissions without an id adopt the ids of which reports.

A submission may have lost its id with the gateway's answer, or never been given one. It adopts an
id if its numbers and its time fit all reports that bear the id, and if those of no other such
submission do.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Row

from worker.feedback.number_index import NumberIndex
from worker.feedback.report_matching import MatchedReport
from worker.store.feedback.reports import Origin

#: How far a gateway's clock may be behind ours.
CLOCK_SLACK = timedelta(minutes=2)


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
