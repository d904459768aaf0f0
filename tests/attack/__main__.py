"""An attacker who does everything at once, beside customers; 1 when a bound is broken.

    python -m tests.attack --minutes 10 --seed 7 --database postgresql

A third of the time honest calls stand in the attack's place, as many as it makes; then it comes.
What follows from the seed is what is done; when it hits is the machine's.
"""

import argparse
import asyncio
import json
import secrets
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.attack.kinds import catalogue
from tests.attack.run import run
from tests.bench.ground import Ground


def parser() -> argparse.ArgumentParser:
    """Return what a run can be told."""
    kinds = catalogue.kinds([], 1000)
    made = argparse.ArgumentParser(
        prog="python -m tests.attack",
        description=__doc__,
        epilog="\n".join(f"{kind.name:13} {kind.what}" for kind in kinds),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--minutes", type=float, default=10.0)
    made.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    made.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    made.add_argument(
        "--only", nargs="+", default=[], choices=[kind.name for kind in kinds], metavar="KIND"
    )
    made.add_argument("--codes", type=float, default=5.0, help="honest codes a second")
    made.add_argument("--recipients", type=int, default=2000, help="of each honest campaign")
    made.add_argument("--sockets", type=int, default=1000, help="silent connections at a time")
    made.add_argument("--scale", type=float, default=1.0, help="of hostile bodies and lists")
    made.add_argument("--times", type=float, default=3.0, help="how much slower a p99 may be")
    made.add_argument("--json", type=Path, metavar="FILE", help="write the bounds there too")
    return made


def main(words: Sequence[str] | None = None) -> int:
    """Run once, and print what held."""
    options = parser().parse_args(words)
    # Told to end, it ends what it has started, too.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="xinshi-attack-") as folder:
        ground = Ground(Path(folder), rows=0, pairs=0, old=0)
        try:
            with ground.database(options.database) as url:
                report = asyncio.run(run(options, ground, url))
        finally:
            ground.end()
    sys.stdout.write(f"seed {options.seed}, {options.database}\n{report.text}\n")
    if options.json:
        broken = {bound.name: [bound.value, bound.limit] for bound in report.broken}
        options.json.write_text(json.dumps({"broken": broken, "met": report.met}))
    return 1 if report.broken else 0


if __name__ == "__main__":
    sys.exit(main())
