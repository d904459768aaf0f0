"""`python -m tests.pace [NAME …] [--seconds N] [--database URL]`: what pacing must show, measured.

Without a database's URL each run has an SQLite file of its own; a URL names one that is migrated
and empty, and serves one run.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tests.pace import proving
from worker.store import migrations
from worker.store.db import database

RATE, OWN = 50, 20
#: The limit and its stated burst, a fifth of a second's worth.
MOST = RATE + RATE // 5

Run = Callable[..., Any]

#: Each run by its name, how many seconds it takes, and what it must show.
RUNS: Mapping[str, tuple[Run, float, Callable[[Any], bool]]] = {
    "limit": (
        partial(proving.limit, rate=RATE),
        60.0,
        lambda it: it.fullest <= MOST and it.rate >= 0.95 * RATE,
    ),
    "limit-workers": (
        partial(proving.limit, rate=RATE, disturb="workers"),
        60.0,
        lambda it: it.fullest <= MOST,
    ),
    "limit-redis": (
        partial(proving.limit, rate=RATE, disturb="redis"),
        60.0,
        lambda it: it.fullest <= MOST,
    ),
    "too-fast": (
        partial(proving.too_fast, rate=OWN),
        300.0,
        lambda it: it.refusals < 0.02 and it.rate >= 0.85 * OWN and not it.doubled,
    ),
    "codes": (
        partial(proving.codes, rate=RATE),
        30.0,
        lambda it: it.beside <= 2 * it.idle,
    ),
}


def main(words: Sequence[str] | None = None) -> int:
    """Run, print what was shown; 1 when something was not."""
    parser = argparse.ArgumentParser(prog="python -m tests.pace", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(RUNS))
    parser.add_argument("--seconds", type=float, help="how long each run is watched")
    parser.add_argument("--database", metavar="URL", help="a migrated, empty one")
    options = parser.parse_args(words)
    good = True
    for name in options.names or RUNS:
        run, seconds, holds = RUNS[name]
        with tempfile.TemporaryDirectory(prefix="xinshi-pace-") as folder:
            url = options.database or _made(Path(folder))
            found = run(Path(folder), url, seconds=options.seconds or seconds)
        good = good and holds(found)
        sys.stdout.write(f"{name}: {'shown' if holds(found) else 'NOT SHOWN'}: {found}\n")
        sys.stdout.flush()
    return 0 if good else 1


def _made(folder: Path) -> str:
    url = f"sqlite:///{folder}/xinshi.db"
    engine = database.connect(url)
    migrations.migrate(engine)
    engine.dispose()
    return url


if __name__ == "__main__":
    sys.exit(main())
