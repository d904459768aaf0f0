"""Writes the last runs into `docs/guarantees.md`, between its marks.

python -m tests.faults.nemesis --minutes 30 --keep run.json
python -m tests.faults.report run.json
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guarantees.md"
BEGIN, END = "<!-- last run -->", "<!-- end of last run -->"


def written(run: dict[str, Any]) -> str:
    """Put one run in words."""
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    faults = ", ".join(
        f"{count} × {name.replace('_', ' ')}" for name, count in run["faults"].items()
    )
    rows = "\n".join(
        f"| {name} | {run[name]:,} |"
        for name in (
            *("enqueued", "taken", "rejected", "unknown", "unknown at the most"),
            *("doubled", "lost"),
        )
    )
    broken = (
        "no invariant was broken" if not run["broken"] else f"broken: {', '.join(run['broken'])}"
    )
    return (
        f"**{run['date']}**, the nemesis for {run['minutes']:g} minutes on {run['database']},"
        f" seed {run['seed']}: {broken}.\n{versions}.\nFaults: {faults}.\n\n"
        f"| messages | |\n| --- | ---: |\n{rows}\n"
    )


def main(words: Sequence[str]) -> int:
    """Replace what stands between the marks."""
    runs = [json.loads(Path(word).read_text("utf-8")) for word in words]
    page = PAGE.read_text("utf-8")
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    if not tail or not runs:
        sys.stderr.write(f"name the reports of runs; {PAGE} needs both marks\n")
        return 2
    body = "\n".join(map(written, runs))
    PAGE.write_text(f"{head}{BEGIN}\n{body}{END}{tail}", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
