"""What pacing must show, with real worker processes, measured from the times in the ledger.

`python -m tests.pace` runs all of it for as long as the figures want; the tests a short part.
"""

import os
import signal
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.house import House, eventually, mobiles
from tests.faults.servers import Redis
from worker.sandbox import Sandbox
from worker.sandbox.ledger import Entry

PROCESSES = 4
TEXT = "【信使】您的订单已发货"
#: Enough for the fullest second of a busy machine to be its own.
SETTLED = 3.0


@dataclass(frozen=True)
class Shown:
    """What a run has shown, with submissions as the unit and the ledger's clock."""

    seconds: float
    arrived: int
    refused: int
    taken: int
    #: The most in any one second, whenever it begins.
    fullest: int
    doubled: int

    @property
    def rate(self) -> float:
        """What was taken in a second."""
        return self.taken / self.seconds

    @property
    def refusals(self) -> float:
        """Which part of all was refused."""
        return self.refused / max(1, self.arrived)

    def __str__(self) -> str:
        """Say it in a line."""
        return (
            f"{self.arrived} submissions in {self.seconds:.0f} s, {self.rate:.1f} taken a second,"
            f" {self.fullest} in the fullest second, {self.refused} refused"
            f" ({self.refusals:.2%}), {self.doubled} numbers twice"
        )


def shown(entries: list[Entry], first: float, last: float) -> Shown:
    """Measure what arrived from `first` on and before `last`, in seconds since 1970."""
    calls = [one for one in entries if one.size and first <= one.at < last]
    times = sorted(one.at for one in calls)
    fullest = max((bisect_left(times, at + 1.0) - nth for nth, at in enumerate(times)), default=0)
    numbers = Counter(number for one in entries for number in one.taken)
    return Shown(
        last - first,
        len(calls),
        sum(not one.taken for one in calls),
        sum(bool(one.taken) for one in calls),
        fullest,
        sum(times > 1 for times in numbers.values()),
    )


@contextmanager
def working(
    folder: Path, database: str, account: dict[str, Any], *rules: tuple[str, dict[str, Any]]
) -> Iterator[tuple[House, Redis]]:
    """Run a house of four processes with a Redis of its own, and a campaign of notices."""
    with ExitStack() as stack:
        sandbox = stack.enter_context(
            Sandbox(ledger=folder / "ledger.jsonl", fsync="none", report_delay=600, limits=False)
        )
        redis = Redis(folder)
        redis.start()
        stack.callback(redis.kill)
        bulk = {
            "gateway": "c123",
            "uid": "9999",
            "password": "9999",
            "max_batch": 1,
            "concurrency": 16,
            "timeout": "5s",
            "classes": ["notice", "marketing"],
            **account,
        }
        top = {"redis_url": f"redis://127.0.0.1:{redis.port}/0", "lease": "2s"}
        house = House(folder, database, sandbox, {"bulk": bulk}, top)
        stack.callback(house.end)
        for what, args in rules:
            sandbox.control.rule(what, gateway="c123", call="submit", args=args)
        yield house, redis


def load(house: House, count: int) -> None:
    """Enqueue so many notices as one campaign, and start the processes."""
    house.producer.enqueue_campaign("pace", mobiles(count), TEXT, message_class="notice")
    for _ in range(PROCESSES):
        house.worker("notice")


def arrivals(house: House) -> list[Entry]:
    """Return the calls that submit, taken or refused."""
    return [one for one in house.sandbox.entries() if one.size]


def watched(house: House, seconds: float, disturb: Callable[[float], None] | None = None) -> Shown:
    """Watch for so long, after the first have come; disturb once a second."""
    eventually(lambda: len(arrivals(house)) > 10, within=60)
    first = time.time() + SETTLED
    while (now := time.time()) < first + seconds:
        if disturb is not None:
            disturb(now)
        time.sleep(1.0)
    calls = arrivals(house)
    if disturb is not None:
        # From the very first call on, whatever happened.
        first, seconds = calls[0].at, time.time() - calls[0].at
    return shown(calls, first, first + seconds)


def finished(house: House) -> None:
    """Let all processes finish what is under way, and hold the database against the ledger."""
    for one in house.forks:
        if one.is_alive() and one.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGTERM)
    for one in house.forks:
        one.join(20)
    house.check()


def limit(
    folder: Path, database: str, *, seconds: float, rate: int = 50, disturb: str = ""
) -> Shown:
    """Four processes and a limit; `disturb` names what is killed meanwhile: workers or redis."""
    account = {"submissions_per_second": rate}
    with working(folder, database, account, ("latency", {"seconds": 0.03})) as (house, redis):
        load(house, int(rate * (seconds + 30)))
        turns = {"workers": _killing_workers(house), "redis": _killing_redis(redis)}
        found = watched(house, seconds, turns.get(disturb))
        if disturb != "workers":
            finished(house)
    return found


def _killing_workers(house: House) -> Callable[[float], None]:
    """Every two seconds one process is killed and another is started."""
    turn = iter(range(1_000_000))

    def disturb(_now: float) -> None:
        if next(turn) % 2:
            oldest = next(one for one in house.forks if one.is_alive())
            assert oldest.pid is not None
            os.kill(oldest.pid, signal.SIGKILL)
            house.worker("notice")

    return disturb


def _killing_redis(redis: Redis) -> Callable[[float], None]:
    """Redis is killed, is away for four seconds, and comes back empty for eight."""
    turn = iter(range(1_000_000))

    def disturb(_now: float) -> None:
        match next(turn) % 12:
            case 4:
                redis.kill()
            case 8:
                redis.start()

    return disturb


def too_fast(folder: Path, database: str, *, seconds: float, rate: int = 20) -> Shown:
    """Four processes without a limit, and a gateway that answers 107 above one of its own."""
    rules = ("throttle", {"rate": rate}), ("latency", {"seconds": 0.03})
    with working(folder, database, {}, *rules) as (house, _redis):
        load(house, int(rate * (seconds + 30)))
        found = watched(house, seconds)
        finished(house)
    return found
