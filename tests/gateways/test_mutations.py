"""A few hundred mutated answers for each gateway; `tests.gateways.mutations` runs more."""

import httpx
import pytest

from tests.gateways import mutations
from tests.gateways.mutations import BrokenLaw, LawCheck, Mutation
from tests.support import recorded_cases
from worker.domain.enums import Outcome
from worker.gateways.base import OutgoingSubmission
from worker.gateways.results import Result, Results


@pytest.mark.parametrize("name", recorded_cases.NAMES)
def test_mutated_answers_break_no_law(name: str) -> None:
    counts = mutations.run(name, answers=400, seed=22)
    assert sum(counts.values()) == 400
    assert counts["unknown"] > 100, "most of what is damaged proves nothing"
    assert counts["accepted"] < 200


def test_a_seed_makes_the_same_mutations() -> None:
    first, second = (list(mutations.mutations("apiv1", 50, seed=3)) for _ in range(2))
    assert first == second
    assert first != list(mutations.mutations("apiv1", 50, seed=4))


@pytest.mark.parametrize(
    ("result", "status", "broken"),
    [
        (Result(Outcome.ACCEPTED), 200, "success without success"),
        (Result(Outcome.ACCEPTED), 502, "success with such a status"),
        (Result(Outcome.UNKNOWN, words="to 13800138000"), 200, "a whole number"),
        (Result(Outcome.UNKNOWN, words="interface-password"), 200, "a secret"),
        (Result(Outcome.UNKNOWN, words="a\0b"), 200, "cannot be stored"),
        (None, 200, "a reader raised"),
    ],
)
def test_a_reader_that_breaks_a_law_is_caught(
    monkeypatch: pytest.MonkeyPatch, result: Result | None, status: int, broken: str
) -> None:
    of = recorded_cases.gateway("apiv1")

    def read(_response: httpx.Response, _submission: OutgoingSubmission) -> Results:
        if result is None:
            raise ValueError
        return Results(result)

    monkeypatch.setattr(of, "read_results", read)
    with pytest.raises(BrokenLaw, match=broken):
        LawCheck(of, success='"code":"00"').check(Mutation(status, b"{}", 1))
