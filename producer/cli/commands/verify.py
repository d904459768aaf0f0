"""`xinshi verify`: check the database against the invariants and a sandbox's ledger."""

from pathlib import Path
from typing import Annotated, Any

import typer

from producer.cli import failures, options, output
from producer.cli.session import open_session


def register(app: typer.Typer) -> None:
    """Add the command."""
    options.command(app, "xinshi verify", "xinshi verify --ledger ledger.jsonl")(verify)


def verify(
    *,
    ledger_file: Annotated[
        Path | None,
        typer.Option(
            "--ledger",
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="A sandbox's ledger to compare with.",
        ),
    ] = None,
    as_json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Check the database against the invariants, and with a ledger against what was really taken.

    Without a ledger it can run beside working processes. With one everything has to be quiet: what
    is under way cannot be told from what is lost. Exit code 1 if an invariant is broken.
    """
    with open_session(config) as session:
        from worker.settlement import invariants, ledger
        from worker.store.db import database

        with database.reading(session.engine) as connection:
            findings = invariants.check_database(connection, session.settings)
            counts = None
            if ledger_file is not None:
                counts, ledger_findings = ledger.compare(connection, session.settings, ledger_file)
                findings += ledger_findings
    _print_findings(findings, counts, as_json=as_json)
    if any(finding.broken for finding in findings):
        raise typer.Exit(failures.FAILED)


def _print_findings(findings: list[Any], counts: Any, *, as_json: bool) -> None:
    """Print each invariant, and an error for each row that breaks one."""
    if as_json:
        output.print_json(_findings_json(findings, counts))
    else:
        if counts is not None:
            output.print_facts(_count_facts(counts))
        rows = [
            (finding.name, finding.law, "ok" if not finding.broken else f"{finding.broken} broken")
            for finding in findings
        ]
        output.print_table(("", "invariant", ""), rows)
    for finding in findings:
        for row in finding.rows:
            output.print_error(f"{finding.name}: {row}")


def _count_facts(counts: Any) -> dict[str, Any]:
    return {
        "enqueued": counts.enqueued,
        "taken": counts.taken,
        "rejected": counts.rejected,
        "unknown": counts.unknown,
        "doubled": counts.doubled,
        "lost": counts.lost,
    }


def _findings_json(findings: list[Any], counts: Any) -> dict[str, Any]:
    return {
        "counts": None
        if counts is None
        else {**_count_facts(counts), "states": dict(counts.states)},
        "invariants": [
            {
                "name": finding.name,
                "law": finding.law,
                "broken": finding.broken,
                "rows": list(finding.rows),
            }
            for finding in findings
        ],
    }
