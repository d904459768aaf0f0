"""What a page of reports changes: each report is kept once, matched, and moves its message once.

A report that matches nothing yet stays and is tried again: it may come before our own answer.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from worker.domain import msisdn as numbers
from worker.domain.enums import MessageState, ReportStatus, SubmissionState
from worker.gateways.results import Report
from worker.store import (
    events,
    messages,
    outcomes,
    unknown,
)
from worker.store import reports as stored
from worker.store.reports import Origin, Place

#: Only submissions younger than this are looked through for a lost id, and so many, in seconds.
ADOPTABLE = 72 * 3600.0
MOST_CANDIDATES = 200
#: How far a gateway's clock may be behind ours.
SLACK = timedelta(minutes=2)
#: Reports that are stored and applied together.
AT_ONCE = 5000
#: What a report can belong to: whatever the gateway may have taken.
CALLED = frozenset({SubmissionState.IN_FLIGHT, SubmissionState.ACCEPTED, SubmissionState.UNKNOWN})

#: A report as it was read, or as it is stored: they have the same names.
Told = Report | Row[Any]


class MatchedReport(NamedTuple):
    """A report, the submission that it names, and the message that its number means there."""

    report: Told
    origin: Origin
    place: Place


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
    """Do as `take` does for reports of several pages, each with its page's id.

    Each is matched before it is stored, so that it is written once.
    """
    each, count = iter(reports), 0
    while some := list(islice(each, AT_ONCE)):
        places = _places(connection, accounts, [one for _, one in some])
        read: dict[str, tuple[Report, MatchedReport | None, bool]] = {}
        rows = []
        for (inbox_id, one), (matched, named) in zip(some, places, strict=True):
            rows.append(row(accounts[0], inbox_id, one, matched.place if matched else None))
            read[rows[-1]["digest"]] = one, matched, named
        new = stored.add(connection, rows)
        apart: dict[int, Report] = {}
        those: dict[int, MatchedReport] = {}
        for digest, its in new.items():
            one, matched, named = read[digest]
            if matched is not None:
                those[its] = matched
            elif not named:
                apart[its] = one
        _follow(connection, those)
        _adopt(connection, accounts, apart)
        count += len(new)
    return count


def apply(connection: Connection, accounts: Sequence[str], reports: Sequence[Row[Any]]) -> int:
    """Match stored reports with messages and move these; returns how many were matched."""
    those: dict[int, MatchedReport] = {}
    apart: dict[int, Told] = {}
    for one, (matched, named) in zip(reports, _places(connection, accounts, reports), strict=True):
        if matched is not None:
            those[one.id] = matched
        elif not named:
            apart[one.id] = one
    _match(connection, those)
    return len(those) + _adopt(connection, accounts, apart)


def _places(
    connection: Connection, accounts: Sequence[str], reports: Sequence[Told]
) -> Iterator[tuple[MatchedReport | None, bool]]:
    """Say of each report which message it belongs to, and whether a submission has its name."""
    by_name = _named(connection, accounts, reports)
    origins = [
        by_name.get(one.reference or "") or by_name.get(one.gateway_id or "") for one in reports
    ]
    pairs = [(one, origin) for one, origin in zip(reports, origins, strict=True) if origin]
    found = _found(connection, pairs)
    for one, origin in zip(reports, origins, strict=True):
        place = found.get((origin.id, one.msisdn)) if origin else None
        matched = MatchedReport(one, origin, place) if origin and place else None
        yield matched, origin is not None


def _named(
    connection: Connection, accounts: Sequence[str], reports: Sequence[Told]
) -> dict[str, Origin]:
    """Return the submissions that reports name, by our reference or the gateway's id."""
    by_name: dict[str, Origin] = {}
    for origin in stored.origins(
        connection,
        accounts,
        {one.reference for one in reports if one.reference},
        {one.gateway_id for one in reports if one.gateway_id},
    ):
        if origin.state in CALLED:
            for name in (origin.reference, origin.gateway_id):
                by_name.setdefault(name or "", origin)
    by_name.pop("", None)
    return by_name


def _found(
    connection: Connection, pairs: Iterable[tuple[Told, Origin]]
) -> dict[tuple[int, str], Place]:
    """Return the messages that the numbers of reports mean in submissions, masked ones too."""
    wanted: dict[int, set[str]] = defaultdict(set)
    origins: dict[int, Origin] = {}
    for report, origin in pairs:
        origins[origin.id] = origin
        wanted[origin.id].add(report.msisdn)
    found = stored.places(connection, {origins[one]: some for one, some in wanted.items()})
    for one, some in wanted.items():
        masked = [msisdn for msisdn in some if "*" in msisdn]
        if masked:
            carried = stored.numbers_of(connection, origins[one], None)
            for msisdn in masked:
                row = _unmasked(msisdn, carried)
                if row is not None:
                    found[one, msisdn] = Place(row.request_id, row.n)
    return found


def _unmasked(masked: str, carried: Sequence[Row[Any]]) -> Row[Any] | None:
    """A masked number belongs to a message only if exactly one of the submission fits."""
    fitting = [row for row in carried if numbers.matches(masked, row.msisdn)]
    return fitting[0] if len(fitting) == 1 else None


def _match(
    connection: Connection, those: Mapping[int, MatchedReport], *, adopting: bool = False
) -> None:
    """Write down which messages stored reports belong to, by their ids, and move these."""
    stored.match(
        connection,
        [
            {"one": one, "of": each.place.request_id, "nth": each.place.n}
            for one, each in those.items()
        ],
    )
    _follow(connection, those, adopting=adopting)


def _follow(
    connection: Connection, those: Mapping[int, MatchedReport], *, adopting: bool = False
) -> None:
    """Do what follows from reports that are matched: settle submissions, move messages.

    A report proves that its submission was taken, unless that stands for calls of others too.
    """
    settled: set[int] = set()
    for one, each in those.items():
        origin = each.origin
        proves = not (adopting and origin.restored)
        if origin.state is SubmissionState.UNKNOWN and proves and origin.id not in settled:
            settled.add(origin.id)
            _settle(connection, origin, one, each.report.gateway_id)
    for single in (True, False):
        some = {one: each for one, each in those.items() if (each.origin.segments == 1) is single}
        _move(connection, some, single=single)


def _settle(connection: Connection, origin: Origin, evidence: int, gateway_id: str | None) -> None:
    """A report proves that the gateway took the submission: `unknown` → `accepted`."""
    if outcomes.accept(connection, origin.id, origin.fence, gateway_id):
        unknown.withdraw_resend(connection, origin.id)
        events.add(
            connection,
            "submission.settled",
            "report",
            account=origin.account,
            submission_id=origin.id,
            detail={"report": evidence},
        )


def _move(connection: Connection, those: Mapping[int, MatchedReport], *, single: bool) -> None:
    """Move messages by their reports; a text of several parts failed if one of them did."""
    by_state: dict[MessageState, list[messages.Reported]] = defaultdict(list)
    for one, (report, _, place) in those.items():
        status = ReportStatus(report.status)
        if status is not ReportStatus.UNKNOWN:
            by_state[MessageState(status.value)].append(
                messages.Reported(one, *place, report.code[:64], report.reported_at)
            )
    for state in (MessageState.UNDELIVERED, MessageState.DELIVERED):
        if by_state[state]:
            messages.report(connection, by_state[state], state, parts=1 if single else 2)


def _adopt(connection: Connection, accounts: Sequence[str], apart: Mapping[int, Told]) -> int:
    """Find the submissions of stored reports under ids that nobody knows; how many belong to one.

    One whose id was lost with its answer, or never given, is meant if its numbers and its time fit
    all reports of an id, and if no other one fits.
    """
    orphans: dict[str, dict[int, Told]] = defaultdict(dict)
    for one, report in apart.items():
        if report.gateway_id:
            orphans[report.gateway_id][one] = report
    if not orphans:
        return 0
    adopted: list[tuple[int, Told, Origin]] = []
    candidates = stored.adoptable(connection, accounts, ADOPTABLE, MOST_CANDIDATES)
    for gateway_id, reports in orphans.items():
        fitting = [one for one in candidates if _fits(connection, one, list(reports.values()))]
        if len(fitting) == 1:
            adopted += [(one, report, fitting[0]) for one, report in reports.items()]
            if not fitting[0].restored:
                stored.adopt(connection, fitting[0].id, gateway_id)
                candidates.remove(fitting[0])
    found = _found(connection, [(report, origin) for _, report, origin in adopted])
    those = {
        one: MatchedReport(report, origin, found[origin.id, report.msisdn])
        for one, report, origin in adopted
        if (origin.id, report.msisdn) in found
    }
    _match(connection, those, adopting=True)
    return len(those)


def _fits(connection: Connection, origin: Origin, reports: Sequence[Told]) -> bool:
    called = origin.called_at
    if called is None or any(
        one.reported_at is not None and one.reported_at < called - SLACK for one in reports
    ):
        return False
    named = {one.msisdn for one in reports}
    found = _found(connection, [(one, origin) for one in reports])
    return all((origin.id, msisdn) in found for msisdn in named)


def row(account: str, inbox_id: int, report: Report, place: Place | None = None) -> dict[str, Any]:
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
        "request_id": place.request_id if place else None,
        "n": place.n if place else None,
    }


def digest(facts: Iterable[str]) -> str:
    """Hash what a gateway said, so that the same said twice is one row."""
    return hashlib.sha256("\x1f".join(facts).encode()).hexdigest()[:32]
