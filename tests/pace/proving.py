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

from tests.support.faults.house import House, eventually, mobiles
from tests.support.faults.servers import Redis
from worker.sandbox import Sandbox
from worker.sandbox.ledger import LedgerEntry

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


def shown(entries: list[LedgerEntry], first: float, last: float) -> Shown:
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


def arrivals(house: House) -> list[LedgerEntry]:
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


@dataclass(frozen=True)
class Waits:
    """How long codes took from `enqueue` to the gateway, the slowest of a hundred, in seconds."""

    idle: float
    beside: float
    #: What the campaign beside them had a second.
    rate: float

    def __str__(self) -> str:
        """Say it in a line."""
        return (
            f"codes took {self.idle * 1000:.0f} ms alone, {self.beside * 1000:.0f} ms beside a"
            f" campaign of {self.rate:.1f} submissions a second (p99, enqueue to gateway)"
        )


def codes(folder: Path, database: str, *, seconds: float, rate: int = 50) -> Waits:
    """Ten codes a second, alone and beside a campaign that waits on the same account."""
    account = {"submissions_per_second": rate, "concurrency": 8, "max_batch": 10}
    account["classes"] = ["otp", "notice", "marketing"]
    with working(folder, database, account, ("latency", {"seconds": 0.05})) as (house, _redis):
        house.worker("otp")
        house.worker("marketing")
        _send_codes(house, 3.0, 0)
        idle = _slowest(house, _send_codes(house, seconds, 1000))
        before = len(arrivals(house))
        house.producer.enqueue_campaign("sale", mobiles(round(rate * seconds * 20)), "促销 回T退订")
        eventually(lambda: len(arrivals(house)) > before + rate, within=60)
        first = time.time()
        sent = _send_codes(house, seconds, 100_000)
        beside = _slowest(house, sent)
        calls = [one for one in arrivals(house) if one.size > 1 and one.at > first]
    return Waits(idle, beside, len(calls) / (calls[-1].at - first))


def _send_codes(house: House, seconds: float, first: int) -> dict[str, float]:
    """Enqueue ten codes a second; return when each was."""
    sent = {}
    begun = time.monotonic()
    for nth, number in enumerate(mobiles(round(10 * seconds), 50_000_000 + first)):
        time.sleep(max(0.0, begun + nth / 10 - time.monotonic()))
        sent[number] = time.time()
        house.producer.enqueue([number], f"【信使】验证码{number[-4:]}", message_class="otp")
    return sent


def _slowest(house: House, sent: dict[str, float]) -> float:
    """Wait for all codes, and return how long the slowest of a hundred took."""

    def arrived() -> dict[str, float]:
        found = {number: one.at for one in arrivals(house) for number in one.taken}
        return {number: found[number] - at for number, at in sent.items() if number in found}

    eventually(lambda: len(arrived()) == len(sent), within=60, every=0.2)
    waits = sorted(arrived().values())
    return waits[min(len(waits) - 1, round(len(waits) * 0.99))]
