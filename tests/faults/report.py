"""Writes the last runs into `docs/guarantees.md`, between its marks.

XINSHI_TEST_FAULTS_REPORT=faults.json python dev.py faults
python -m tests.faults.nemesis --minutes 30 --keep run.json
python -m tests.faults.report --faults faults.json run.json
"""

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.faults.conftest import COUNTS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guarantees.md"
LAST = ("<!-- last run -->", "<!-- end of last run -->")
FAULTS = ("<!-- last run of the suite -->", "<!-- end of the suite -->")


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
    under_way = ", ".join(f"{count:,} at {name}" for name, count in run["under way"].items())
    broken = (
        "no invariant was broken" if not run["broken"] else f"broken: {', '.join(run['broken'])}"
    )
    return (
        f"**{run['date']}**, {run['what']} on {run['database']},"
        f" seed {run['seed']}: {broken}.\n{versions}.\nFaults: {faults}.\n\n"
        f"| messages | |\n| --- | ---: |\n{rows}\n\n"
        f"At the most: what was in flight, counted in the database: {under_way}.\n"
    )


#: Faults and invariants by their numbers, scenarios by their letters.
_FAULT = re.compile(r"::test_(?:fault_)?(\d\d|i\d+)_|test_scenarios.py::test_([a-e])_")


def of_faults(told: Sequence[dict[str, Any]]) -> str:
    """Put what became of each fault's tests in a table."""
    ended: dict[str, dict[str, str]] = {}
    sums: dict[str, Counter[str]] = {}
    for one in told:
        match = _FAULT.search(one["test"])
        if match is None:
            continue
        fault = (match[1] or match[2]).lstrip("0").upper()
        ended.setdefault(fault, {})[one["test"]] = (
            one["said"] if one["said"] != "passed" else ended.get(fault, {}).get(one["test"], "")
        )
        for counts in one["counts"]:
            sums.setdefault(fault, Counter()).update({name: counts[name] for name in COUNTS})
    rows = [
        f"| {fault} | {len(tests)} | {_said(tests)} | "
        + " | ".join(f"{sums.get(fault, Counter())[name]:,}" for name in COUNTS)
        + " |"
        for fault, tests in sorted(ended.items(), key=lambda item: item[0].zfill(3))
    ]
    head = f"| fault | cases | | {' | '.join(COUNTS)} |\n| --- | ---: | --- |{' ---: |' * 5}\n"
    return head + "\n".join(rows) + "\n"


def _said(tests: Mapping[str, str]) -> str:
    failed = sum(said == "failed" for said in tests.values())
    skipped = sum(said == "skipped" for said in tests.values())
    said = f"{failed} failed" if failed else "held"
    return f"{said}, {skipped} skipped" if skipped else said


def _put(page: str, begin: str, end: str, body: str) -> str:
    """Replace what stands between two marks."""
    head, _, rest = page.partition(begin)
    _, found, tail = rest.partition(end)
    if not found:
        sys.exit(f"{PAGE} needs the marks {begin} and {end}")
    return f"{head}{begin}\n{body}{end}{tail}"


def main(words: Sequence[str] | None = None) -> int:
    """Replace what stands between the marks."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.report", description=__doc__)
    parser.add_argument("--faults", type=Path, help="what a run of the suite kept")
    parser.add_argument("runs", nargs="*", type=Path, help="what the long runs kept")
    options = parser.parse_args(words)
    page = PAGE.read_text("utf-8")
    if options.faults:
        told = json.loads(options.faults.read_text("utf-8"))
        page = _put(page, *FAULTS, of_faults(told))
    if options.runs:
        runs = [json.loads(path.read_text("utf-8")) for path in options.runs]
        page = _put(page, *LAST, "\n".join(map(written, runs)))
    PAGE.write_text(page, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
