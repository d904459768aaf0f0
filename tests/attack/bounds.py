"""What has to hold under an attack, and the table that says whether it did."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.attack.customer import Customer, Sent
from tests.attack.processes import Memory

MIB = 1024 * 1024
#: A process may hold twice what it held before, and so much more; the log may grow by so much in a
#: minute.
MEMORY_MORE, LOG_MINUTE = 100 * MIB, MIB


@dataclass(frozen=True, slots=True)
class Bound:
    """One thing that has to hold: what it came to, and what it may be at the most."""

    name: str
    value: float
    limit: float
    unit: str = ""

    @property
    def is_kept(self) -> bool:
        """Whether the value is within its limit."""
        return self.value <= self.limit

    def __str__(self) -> str:
        """Say it in a line."""
        verdict = "ok    " if self.is_kept else "BROKEN"
        return (
            f"{verdict} {self.name}: {self.value:,.0f}{self.unit} (≤ {self.limit:,.0f}{self.unit})"
        )


@dataclass(frozen=True, slots=True)
class Waits:
    """How long the calls of one part took, in seconds: until accepted, at the gateway, told."""

    accepted: list[float]
    arrived: list[float]
    told: list[float]

    def figures(self) -> dict[str, list[float]]:
        """Return them by their names."""
        return {
            "a code is accepted": self.accepted,
            "a code is at the gateway": self.arrived,
            "its outcome is told": self.told,
        }


def waits(sent: Iterable[Sent], customer: Customer, arrivals: Mapping[str, float]) -> Waits:
    """Measure the codes of one part; what never came about took for ever."""
    codes = [one for one in sent if len(one.numbers) == 1]
    return Waits(
        [math.inf if one.accepted is None else one.accepted for one in codes],
        [arrivals.get(one.numbers[0], math.inf) - one.at for one in codes],
        [customer.told.get(one.numbers[0], math.inf) for one in codes],
    )


def quantile(values: Sequence[float], part: float) -> float:
    """Return the value that so large a part is not above; 0 for no values."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part))] if values else 0.0


def table(honest: Waits, attacked: Waits) -> str:
    """Write the waits of both parts as a table, in milliseconds."""
    lines = ["| ms | honest p50 | p99 | attacked p50 | p99 | times |", "|---|--:|--:|--:|--:|--:|"]
    beside = attacked.figures()
    for name, values in honest.figures().items():
        numbers = [quantile(each, part) for each in (values, beside[name]) for part in (0.5, 0.99)]
        shown = " | ".join(f"{number * 1000:,.0f}" for number in numbers)
        lines.append(f"| {name} | {shown} | {_times(numbers[3], numbers[1]):.1f} |")
    return "\n".join(lines)


def of_waits(honest: Waits, attacked: Waits, times: float) -> list[Bound]:
    """Hold the slowest of a hundred to so many times that beside honest calls."""
    beside = attacked.figures()
    return [
        Bound(
            f"p99 until {name}",
            quantile(beside[name], 0.99) * 1000,
            times * quantile(values, 0.99) * 1000,
            " ms",
        )
        for name, values in honest.figures().items()
    ]


def of_memory(memory: Memory) -> list[Bound]:
    """Hold each process to what it may hold."""
    return [
        Bound(
            f"memory of {memory.names[pid]}",
            peak / MIB,
            (2 * memory.before[pid] + MEMORY_MORE) / MIB,
            " MiB",
        )
        for pid, peak in memory.peaks.items()
    ]


def of_customers(customer: Customer, states: Mapping[str, str]) -> list[Bound]:
    """Hold the house to what it promises a customer: nothing refused, lost, or told wrongly."""
    numbers = [number for one in customer.sent for number in one.numbers]
    refused = sum(one.accepted is None for one in customer.sent)
    undelivered = _count(numbers, lambda number: states.get(number) != "delivered")
    untold = _count(numbers, lambda number: customer.states.get(number, ("", ""))[1] != "delivered")
    return [
        Bound("honest calls that were never accepted", refused, 0),
        Bound("honest messages without their true outcome", undelivered, 0),
        Bound("honest messages whose outcome was not told", untold, 0),
    ]


def _count(numbers: Iterable[str], test: Callable[[str], bool]) -> int:
    return sum(map(test, numbers))


def _times(value: float, base: float) -> float:
    return value / base if base else 0.0
