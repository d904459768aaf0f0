"""Compares reports that bear an id which no submission has with the submissions without an id.

A report is compared once with all submissions that have no id, and again only with what changed
since: submissions that came to be without an id, or that learned theirs. So reports about messages
of others cost one look each, however long they wait.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from worker.feedback import adoption
from worker.feedback.number_index import NumberIndex
from worker.feedback.report_matching import MatchedReport
from worker.store.feedback import carried_messages, unnamed_reports, unnamed_submissions
from worker.store.feedback.reports import Origin

#: For so long after its call a submission may adopt an id.
ADOPTABLE_SECONDS = 72 * 3600.0
#: How many such submissions of a login are looked through, the newest first, and how many messages
#: they may carry in all.
MAX_CANDIDATES = 1000
MAX_CANDIDATE_MESSAGES = 200_000
#: How many reports are compared at once.
MAX_REPORTS = 2000


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
    if not unnamed_reports.exist(connection, accounts):
        return None
    candidates = _candidates(connection, accounts)
    candidate_ids = frozenset(origin.id for origin in candidates)
    reports = unnamed_reports.uncompared(connection, accounts, MAX_REPORTS)
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
    origins = unnamed_submissions.newest(connection, accounts, ADOPTABLE_SECONDS, MAX_CANDIDATES)
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
    origins = unnamed_submissions.by_ids(connection, submission_ids)
    called = [origin.called_at for origin in origins if origin.called_at is not None]
    if not called:
        return set()
    msisdns = _index(connection, origins, None).msisdns
    return unnamed_reports.gateway_ids_about(
        connection, accounts, msisdns, min(called) - adoption.CLOCK_SLACK
    )


def _match(
    connection: Connection,
    accounts: Collection[str],
    candidates: Sequence[Origin],
    gateway_ids: Collection[str],
) -> dict[int, MatchedReport]:
    """Return the waiting reports under these ids that fit exactly one candidate."""
    if not candidates or not gateway_ids:
        return {}
    reports = unnamed_reports.of_gateway_ids(connection, accounts, gateway_ids)
    if not reports:
        return {}
    index = _index(connection, candidates, {row.msisdn for row in reports})
    return adoption.match(reports, {origin.id: origin for origin in candidates}, index)


def _index(
    connection: Connection, origins: Iterable[Origin], msisdns: Collection[str] | None
) -> NumberIndex:
    ids = [origin.id for origin in origins]
    return NumberIndex(carried_messages.of_submissions(connection, ids, msisdns))
