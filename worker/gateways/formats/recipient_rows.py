"""Lay the rows of an answer beside the recipients that they tell of.

A row that tells of nobody in the submission is left out; a recipient of whom no row tells, or two
do, is unknown: nothing was proven of it.
"""

from collections.abc import Iterable

from worker.domain import msisdn as numbers
from worker.domain.enums import Outcome
from worker.gateways.base import OutgoingSubmission
from worker.gateways.results import Result, Results

#: What is known of a recipient of whom an answer does not tell.
UNTOLD = Result(Outcome.UNKNOWN, "untold", "the answer does not tell of this number", mapped=False)


def by_number(submission: OutgoingSubmission, rows: Iterable[tuple[str, Result]]) -> Results:
    """Return results from rows that name their numbers, in any order and form."""
    positions = {msisdn: position for position, msisdn in enumerate(submission.msisdns)}
    results: list[Result | None] = [None] * len(positions)
    told_twice = set()
    for written_number, result in rows:
        position = positions.get(_number(written_number))
        if position is None:
            continue
        if results[position] not in (None, result):
            told_twice.add(position)
        results[position] = result
    return Results.of_recipients(
        [
            UNTOLD if result is None or position in told_twice else result
            for position, result in enumerate(results)
        ]
    )


def _number(written_number: str) -> str:
    """Return a number as we keep it; as it is written where it is none."""
    try:
        return numbers.normalise(written_number)
    except ValueError:
        return written_number
