"""`xinshi verify`: whether what was promised is true."""

from pathlib import Path
from typing import Annotated, Any

import typer

from producer.cli import failures, options, output
from producer.cli.session import opened


def register(app: typer.Typer) -> None:
    """Add the command."""
    options.command(app, "xinshi verify", "xinshi verify --ledger ledger.jsonl")(verify)


def verify(
    *,
    ledger: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", exists=True, dir_okay=False, help="A sandbox's ledger to compare with."
        ),
    ] = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Check the database against the invariants, and with a ledger against what was really taken.

    Without a ledger it can run beside working processes. With one everything has to be quiet: what
    is under way cannot be told from what is lost. Exit code 1 if an invariant is broken.
    """
    with opened(config) as here:
        from worker.settlement import invariants
        from worker.settlement import ledger as ledger_module
        from worker.store.db import database

        with database.reading(here.engine) as connection:
            findings = invariants.database(connection, here.settings)
            counts = None
            if ledger is not None:
                counts, more = ledger_module.ledger(connection, here.settings, ledger)
                findings += more
    broken = [one for one in findings if one.broken]
    if as_json:
        output.as_json(_as_json(findings, counts))
    else:
        if counts is not None:
            output.facts(_facts(counts))
        rows = [
            (one.name, one.law, "ok" if not one.broken else f"{one.broken} broken")
            for one in findings
        ]
        output.table(("", "invariant", ""), rows)
    for one in broken:
        for row in one.rows:
            output.error(f"{one.name}: {row}")
    if broken:
        raise typer.Exit(failures.FAILED)


def _facts(counts: Any) -> dict[str, Any]:
    return {
        "enqueued": counts.enqueued,
        "taken": counts.taken,
        "rejected": counts.rejected,
        "unknown": counts.unknown,
        "doubled": counts.doubled,
        "lost": counts.lost,
    }


def _as_json(findings: list[Any], counts: Any) -> dict[str, Any]:
    return {
        "counts": None if counts is None else {**_facts(counts), "states": dict(counts.states)},
        "invariants": [
            {"name": one.name, "law": one.law, "broken": one.broken, "rows": list(one.rows)}
            for one in findings
        ],
    }
