"""Eight worker processes and one number: the gateway's own ledger says how often it was called."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.stage import Stage, eventually, mobiles
from tests.support.worker_processes import OwnRedis, running
from worker.sandbox import Sandbox

Write = Callable[..., Path]
WORKER = ["-m", "worker", "otp", "notice", "marketing", "ticks"]

pytestmark = pytest.mark.slow


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """All five gateways; one of them holds to its document's limits for a number."""
    ledger = tmp_path / "ledger.jsonl"
    with Sandbox(ledger=ledger, fsync="none", report_delay=0, reply_delay=0, limits=True) as made:
        yield made


@pytest.mark.parametrize("kind", ["postgresql"])
def test_eight_processes_never_call_a_number_twice_a_second_nor_a_sixth_time_a_day(
    stage: Stage, configured: Write, redis_server: OwnRedis
) -> None:
    config = configured({"codes": {}}, broker_url=redis_server.url)
    (number,) = mobiles(1)
    others = mobiles(50, 10)
    with ExitStack() as workers:
        started = [workers.enter_context(running(WORKER, config)) for _ in range(8)]
        for one in started:
            eventually(lambda one=one: one.said("worker.started"), within=60)
        racing = [
            stage.enqueue(number, message_class=each)
            for _ in range(4)
            for each in ("otp", "notice", "marketing")
        ]
        crowd = stage.enqueue(others)
        eventually(lambda: stage.states(crowd)["submitted"] == 50, within=60)
        eventually(lambda: stage.taken()[number] == 5, within=60)
        rejected = [one for one in racing[::3] if stage.states(one)["rejected"]]
        eventually(lambda: sum(stage.states(one)["submitting"] for one in racing) == 0)
    lines = [line for line in stage.lines("ihuyi", only_taken=False) if line.size]
    assert {line.code for line in lines} == {"2"}, "no 4080, no 4082: it was never asked too much"
    times = [line.at for line in lines if number in line.taken]
    assert len(times) == 5
    assert all(after - before >= 1.0 for before, after in pairwise(times))
    assert len(rejected) <= 4, "codes that cannot wait for tomorrow say so at once"
