"""Shapers: the faults of delivery reports on their way from the handset to the reader.

Each takes a group of reports that are alike, and returns the groups that come in its place.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from typing import Any, NamedTuple

from worker.sandbox.config import Config
from worker.sandbox.exchange import TakenSubmission
from worker.sandbox.world import ReportGroup


class ReportCase(NamedTuple):
    """A group of reports with all that a shaper may look at."""

    group: ReportGroup
    submission: TakenSubmission
    args: Mapping[str, Any]
    config: Config
    random: Random


def _status(case: ReportCase) -> list[ReportGroup]:
    """Report `status`: delivered, failed, unknown, blacklisted, or the gateway's literal word."""
    return [replace(case.group, status=str(case.args.get("status", "failed")))]


def _lose(_case: ReportCase) -> list[ReportGroup]:
    """Lose the reports."""
    return []


def _double(case: ReportCase) -> list[ReportGroup]:
    """Report `times` times in all, each `spread` seconds after the one before."""
    spread = float(case.args.get("spread", 0.0))
    return [
        replace(case.group, msisdns=list(case.group.msisdns), due=case.group.due + index * spread)
        for index in range(int(case.args.get("times", 2)))
    ]


def _parts(case: ReportCase) -> list[ReportGroup]:
    """Report each segment; those whose number is in `failed` failed."""
    failed = case.args.get("failed", [])
    return [
        replace(
            case.group,
            msisdns=list(case.group.msisdns),
            status="failed" if segment in failed else "delivered",
        )
        for segment in range(1, case.submission.segments + 1)
    ]


def _delay(case: ReportCase) -> list[ReportGroup]:
    """Report `seconds` later; `shown` is added to the time that the reports show."""
    delay = float(case.args.get("seconds", case.config.late_delay))
    shown_time = case.args.get("shown")
    due = case.group.due + delay
    return [
        replace(
            case.group, due=due, shown_time=None if shown_time is None else due + float(shown_time)
        )
    ]


def _reorder(case: ReportCase) -> list[ReportGroup]:
    """Report each number at a random time within `spread`, showing the time at which it was due."""
    spread = float(case.args.get("spread", case.config.report_delay))
    shown_time = case.group.due if case.group.shown_time is None else case.group.shown_time
    return [
        replace(
            case.group,
            msisdns=[msisdn],
            due=case.group.due + case.random.random() * spread,
            shown_time=shown_time,
        )
        for msisdn in case.group.msisdns
    ]


def _unknown_id(case: ReportCase) -> list[ReportGroup]:
    """Report under an identifier that no answer named: `id`, or an invented one."""
    invented_id = str(900_000_000 + case.random.randrange(99_999_999))
    return [replace(case.group, id=str(case.args.get("id", invented_id)))]


def _masked(case: ReportCase) -> list[ReportGroup]:
    """Mask the numbers as the samples of document 003 do: 135****9831."""
    return [
        replace(
            case.group, msisdns=[f"{msisdn[:3]}****{msisdn[-4:]}" for msisdn in case.group.msisdns]
        )
    ]


Shaper = Callable[[ReportCase], list[ReportGroup]]

#: The shapers by a rule's `what`.
SHAPERS: Mapping[str, Shaper] = {
    "report_status": _status,
    "lose_reports": _lose,
    "double_reports": _double,
    "part_reports": _parts,
    "delay_reports": _delay,
    "reorder_reports": _reorder,
    "unknown_id_reports": _unknown_id,
    "masked_numbers": _masked,
}
