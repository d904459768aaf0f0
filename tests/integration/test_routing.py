"""Traffic moves away from an account that fails, in steps, and comes back; nobody gets it twice."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.delivery.failing_account import (
    ACCOUNTS,
    LOST,
    REFUSED,
    run,
)
from tests.support.stage import Stage
from worker.policy.account_health import LADDER

Write = Callable[..., Path]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def worker(configured: Write, short_path: Path) -> Path:
    """The configuration of a worker process that looks at the accounts often."""
    nowhere = f"redis+socket://{short_path}/none.sock"
    return configured(ACCOUNTS, broker_url=nowhere, health_every="0.3s")


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize("failure", [REFUSED, LOST], ids=["refused", "lost"])
def test_traffic_moves_away_in_steps_and_comes_back(
    stage: Stage, worker: Path, failure: dict[str, Any]
) -> None:
    found = run(stage, [worker], failure, rate=80, seconds=3, patience=120)
    assert max(found.taken.values()) == 1, "no notice is sent by both, or twice by one"
    assert set(found.taken) == set(found.enqueued), "and none is lost"
    steps = [LADDER.index(share) for share in found.steps]
    assert all(abs(two - one) == 1 for one, two in pairwise(steps)), "one step at a time"
    assert steps[0] == steps[-1] == 0
    assert max(steps) == len(LADDER) - 1
    well, least, back = found.spans[0], max(found.spans, key=_lowest), found.spans[-1]
    assert 0.3 < well.part < 0.7
    assert least.part < 0.15
    assert 0.3 < back.part < 0.7


def _lowest(span: Any) -> tuple[bool, float]:
    """Of the spans of the lowest share the longest."""
    return span.share == LADDER[-1], span.seconds
