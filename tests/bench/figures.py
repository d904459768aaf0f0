"""What a benchmark found, as a table for people and as JSON for machines."""

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

#: Libraries whose release moves a figure.
LIBRARIES = ("sqlalchemy", "psycopg", "httpx", "httpcore", "celery")


@dataclass(frozen=True, slots=True)
class Pair:
    """One measurement: ours and the baseline's, one right after the other, in `unit`."""

    ours: float
    baseline: float
    #: Ours divided by the baseline's.
    ratio: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table."""

    #: As in `docs/performance.md`: B1, B1', …
    name: str
    what: str
    unit: str
    pairs: Sequence[Pair]
    #: The bar that the median ratio (or, without a baseline, the value) has to reach, in words;
    #: empty where there is none.
    bar: str
    reached: bool
    #: The sandbox's own ceiling in `unit`, where it was part of the work.
    ceiling: float | None = None
    #: The counts that prove the result right, and whatever else belongs to it.
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """The median of the pairs' ratios."""
        return statistics.median(pair.ratio for pair in self.pairs)

    @property
    def spread(self) -> tuple[float, float]:
        """The lowest and the highest ratio."""
        ratios = [pair.ratio for pair in self.pairs]
        return min(ratios), max(ratios)


def pair(ours: float, baseline: float) -> Pair:
    """Compare two rates, where a ratio over 1 is better, or two durations, where it is worse."""
    return Pair(ours, baseline, ours / baseline if baseline else float("nan"))


def figure(
    name: str,
    what: str,
    unit: str,
    pairs: Sequence[Pair],
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    **more: Any,
) -> Figure:
    """Make a line; the bar holds for the median ratio."""
    ratio = statistics.median(one.ratio for one in pairs)
    reached = (at_least is None or ratio >= at_least) and (at_most is None or ratio <= at_most)
    bar = f"≥ {at_least:g} ×" if at_least is not None else f"≤ {at_most:g} ×"
    return Figure(name, what, unit, pairs, bar, reached, **more)


def machine() -> dict[str, Any]:
    """Say what it was measured on."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
        "load": os.getloadavg()[0],
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


def table(figures: Sequence[Figure]) -> str:
    """Write figures as a table of Markdown, with the counts below it."""
    lines = [
        "| # | what | ours | baseline | ratio (lowest–highest, pairs) | bar | sandbox's ceiling |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in figures:
        ours = statistics.median(pair.ours for pair in one.pairs)
        base = statistics.median(pair.baseline for pair in one.pairs)
        low, high = one.spread
        ceiling = "" if one.ceiling is None else _number(one.ceiling)
        lines.append(
            f"| {one.name} | {one.what} | {_number(ours)} {one.unit} | {_number(base)} |"
            f" {one.ratio:.2f} × ({low:.2f}–{high:.2f}, {len(one.pairs)}) |"
            f" {_verdict(one)} | {ceiling} |"
        )
    for one in figures:
        said = ", ".join(f"{name} {value}" for name, value in one.facts.items())
        lines.append(f"\n{one.name}: {said}" if said else "")
    return "\n".join(lines)


def _verdict(one: Figure) -> str:
    if not one.bar:
        return "none"
    return f"{one.bar} {'reached' if one.reached else 'MISSED'}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def write(path: Path, figures: Sequence[Figure], options: Mapping[str, Any]) -> None:
    """Write figures as JSON, with the machine and the options that they were made with."""
    lines = [
        asdict(one) | {"ratio": one.ratio, "spread": one.spread, "facts": dict(one.facts)}
        for one in figures
    ]
    found = {"machine": machine(), "options": dict(options), "figures": lines}
    path.write_text(json.dumps(found, ensure_ascii=False, indent=2, default=str) + "\n", "utf-8")
