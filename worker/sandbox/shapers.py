"""Shapers: what can go wrong with delivery reports between the handset and the reader.

Each takes one batch of reports that are alike, and returns the batches that come instead.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from typing import Any, NamedTuple

from worker.sandbox.config import Config
from worker.sandbox.exchange import Submission
from worker.sandbox.world import Batch


class Case(NamedTuple):
    """What a shaper may look at."""

    batch: Batch
    taken: Submission
    args: Mapping[str, Any]
    config: Config
    random: Random


def _status(case: Case) -> list[Batch]:
    """`status`: delivered, failed, unknown, blacklisted, or the gateway's literal word."""
    return [replace(case.batch, status=str(case.args.get("status", "failed")))]


def _lose(_case: Case) -> list[Batch]:
    return []


def _double(case: Case) -> list[Batch]:
    """`times` in all, each `spread` seconds after the one before."""
    spread = float(case.args.get("spread", 0.0))
    return [
        replace(case.batch, msisdns=list(case.batch.msisdns), due=case.batch.due + turn * spread)
        for turn in range(int(case.args.get("times", 2)))
    ]


def _parts(case: Case) -> list[Batch]:
    """One for each segment; those whose number is in `failed` failed."""
    failed = case.args.get("failed", [])
    return [
        replace(
            case.batch,
            msisdns=list(case.batch.msisdns),
            status="failed" if part in failed else "delivered",
        )
        for part in range(1, case.taken.segments + 1)
    ]


def _delay(case: Case) -> list[Batch]:
    """`seconds` later; with `shown`, they look that much older (or younger) than that."""
    late = float(case.args.get("seconds", case.config.late_delay))
    shown = case.args.get("shown")
    due = case.batch.due + late
    return [replace(case.batch, due=due, shown=None if shown is None else due + float(shown))]


def _reorder(case: Case) -> list[Batch]:
    """Each at its own random time within `spread`, showing the time at which it was due."""
    spread = float(case.args.get("spread", case.config.report_delay))
    shown = case.batch.due if case.batch.shown is None else case.batch.shown
    return [
        replace(
            case.batch,
            msisdns=[msisdn],
            due=case.batch.due + case.random.random() * spread,
            shown=shown,
        )
        for msisdn in case.batch.msisdns
    ]


def _unknown_id(case: Case) -> list[Batch]:
    """An identifier that no answer named: `id`, or one made up."""
    made_up = str(900_000_000 + case.random.randrange(99_999_999))
    return [replace(case.batch, id=str(case.args.get("id", made_up)))]


def _masked(case: Case) -> list[Batch]:
    """Numbers as the samples of document 003 show them: 135****9831."""
    return [
        replace(
            case.batch, msisdns=[f"{number[:3]}****{number[-4:]}" for number in case.batch.msisdns]
        )
    ]


Shaper = Callable[[Case], list[Batch]]

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
