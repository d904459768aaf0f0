"""Four real processes keep to a limit, and to one that they were not told; a short part of it.

`python -m tests.pace` runs the same for as long as the figures want.
"""

from pathlib import Path

import pytest

from tests.pace import proving

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("kind", ["sqlite"])]
RATE, BURST = 50, 10


@pytest.mark.parametrize("disturb", ["", "workers", "redis"])
def test_no_second_has_more_than_the_limit_and_its_burst(
    database: str, tmp_path: Path, disturb: str
) -> None:
    """Also while workers are killed and started, and Redis goes and comes back empty."""
    seconds = 5 if not disturb else 14
    found = proving.limit(tmp_path, database, seconds=seconds, rate=RATE, disturb=disturb)
    assert found.fullest <= RATE + BURST, found
    assert not found.doubled
    if not disturb:
        # The machine may be busy with other tests; the command asks for 95 %.
        assert found.rate >= 0.8 * RATE, found


def test_a_gateway_that_is_too_slow_for_us_is_met_within_seconds(
    database: str, tmp_path: Path
) -> None:
    """Nothing is lost or doubled; hardly anything is refused once the rate has settled."""
    found = proving.too_fast(tmp_path, database, seconds=12, rate=20)
    assert found.refusals < 0.06, found
    assert found.rate >= 0.6 * 20, found
    assert not found.doubled
