"""Lays out a chart of rates over time as the shapes of an SVG. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: The size of the drawing, in its own units; a style sheet scales it.
WIDTH, HEIGHT = 720, 190
BOTTOM, TOP = 34, 30


@dataclass(frozen=True, slots=True)
class ChartLine:
    """One series: its name, and its points as SVG writes them."""

    name: str
    points: str


@dataclass(frozen=True, slots=True)
class AxisMark:
    """A value on the axis and where it stands."""

    y: float
    value: int


@dataclass(frozen=True, slots=True)
class Chart:
    """The shapes of a chart, for a template to draw."""

    lines: Sequence[ChartLine]
    marks: Sequence[AxisMark]
    width: int = WIDTH
    height: int = HEIGHT


def draw(series: Mapping[str, Sequence[int]]) -> Chart:
    """Lay out series of equal length; the axis begins at 0 and ends at a round number."""
    top = _round(max((max(values, default=0) for values in series.values()), default=0))
    floor = HEIGHT - BOTTOM
    lines = []
    for name, values in series.items():
        step = WIDTH / max(1, len(values) - 1)
        points = (
            f"{nth * step:.1f},{floor - value / top * (floor - TOP):.1f}"
            for nth, value in enumerate(values)
        )
        lines.append(ChartLine(name, " ".join(points)))
    marks = [AxisMark(floor - part * (floor - TOP), round(top * part)) for part in (0.0, 0.5, 1.0)]
    return Chart(lines, marks)


def _round(value: int) -> int:
    """Return the next of 2, 5, 10, 20, 50 … that is not below a value."""
    scale = 1
    while True:
        for step in (2, 5, 10):
            if step * scale >= value:
                return step * scale
        scale *= 10
