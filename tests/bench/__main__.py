"""`python -m tests.bench B1 [--rows N] [--pairs K] [--json FILE]`, or `all`."""

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.bench import (
    accepting,
    beside,
    campaigns,
    codes,
    fairness,
    memory,
    reports,
    singles,
    tasks,
)
from tests.bench.figures import Figure, machine, table, write
from tests.bench.ground import Ground

Benchmark = Callable[[Ground], list[Figure]]

#: Each benchmark by its name in `docs/performance.md`; its docstring says what it measures.
BENCHMARKS: Mapping[str, Benchmark] = {
    "B1": tasks.b1,
    "B1'": campaigns.b1_sqlite,
    "B2": singles.b2,
    "B2'": singles.b2_bare,
    "B3": codes.b3,
    "B3'": beside.b3_beside,
    "B4": accepting.b4,
    "B5": reports.b5,
    "B6": memory.b6,
    "B7": campaigns.b7,
    "B8": fairness.b8,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=__doc__,
        epilog="\n".join(f"{name:4} {one.__doc__}" for name, one in BENCHMARKS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="+", metavar="NAME", help="B1, B1', … or all")
    parser.add_argument("--rows", type=int, default=1_000_000, help="recipients of a campaign")
    parser.add_argument("--pairs", type=int, default=3, help="how often both sides are measured")
    parser.add_argument("--old", type=int, default=10_000_000, help="old messages, for B7")
    parser.add_argument("--codes", type=int, default=2000, help="codes of B3'; half for B3")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print the table; 1 when a bar was missed, 2 for a wrong name."""
    options = _parser().parse_args(words)
    names = list(BENCHMARKS) if options.names == ["all"] else options.names
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.stderr.write(f"no benchmark is called {', '.join(unknown)}\n")
        return 2
    # Told to end, it ends what it has started, too.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    found: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="xinshi-bench-") as folder:
        ground = Ground(Path(folder), options.rows, options.pairs, options.old, options.codes)
        try:
            for name in names:
                sys.stderr.write(f"{name}: {BENCHMARKS[name].__doc__}\n")
                found += BENCHMARKS[name](ground)
        finally:
            ground.end()
    sys.stdout.write(f"{machine()}\n\n{table(found)}\n")
    if options.json is not None:
        write(options.json, found, {name: str(value) for name, value in vars(options).items()})
    return 0 if all(one.reached for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
