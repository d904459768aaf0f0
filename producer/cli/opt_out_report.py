"""Print and write opt-outs: changes, a number's history, what an import did, an export's CSV."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row

from producer.cli import campaign_export, failures, output
from worker.domain.spreadsheet_cells import quoted_cell

if TYPE_CHECKING:
    from worker.feedback.opt_out_import import ImportedOptOuts
    from worker.feedback.opt_out_list import Changes, OptOutHistory

#: The columns of an export; the first is what an import looks for.
EXPORT_COLUMNS = ("to", "scope", "since", "source", "why", "evidence", "account")
#: How many bad rows are printed; JSON has more.
MAX_PRINTED_ROWS = 20


def changes_line(changes: "Changes") -> str:
    """Say in a line how many numbers opted out."""
    changed = f", {changes.changed} stop more than before" if changes.changed else ""
    return f"{changes.added} opted out{changed}, {changes.kept} had before"


def history_json(shown: "OptOutHistory") -> dict[str, Any]:
    """Return a number's opt-out and its history as JSON shows them."""
    opt_out = shown.opt_out
    return {
        "opted_out": opt_out is not None,
        "scope": opt_out and opt_out.scope,
        "since": opt_out and opt_out.since.isoformat(),
        "source": opt_out and opt_out.source,
        "why": opt_out and opt_out.why,
        "evidence": opt_out and opt_out.evidence,
        "history": [line_json(row) for row in shown.history],
    }


def line_json(row: Row[Any]) -> dict[str, Any]:
    """Return a line of a history as JSON shows it."""
    return {
        "to": row.msisdn,
        "at": row.at.isoformat(),
        "act": row.act,
        "scope": row.scope,
        "source": row.source,
        "who": row.who,
        "why": row.why,
        "evidence": row.evidence,
        "account": row.account,
        "reply": row.inbound_id,
    }


def print_history(shown: "OptOutHistory") -> None:
    """Print whether a number has opted out, and all that became of it."""
    opt_out = shown.opt_out
    if opt_out is None:
        output.print_line("has not opted out")
    else:
        output.print_facts(
            {
                "opted out of": opt_out.scope,
                "since": opt_out.since,
                "source": opt_out.source,
                "why": opt_out.why,
                "evidence": opt_out.evidence,
            }
        )
    if shown.history:
        output.print_line("")
        headers = ("when", "what", "scope", "source", "who", "why", "evidence")
        rows = [
            (row.at, row.act, row.scope, row.source, row.who, row.why, row.evidence)
            for row in shown.history
        ]
        output.print_table(headers, rows)


def import_json(imported: "ImportedOptOuts") -> dict[str, Any]:
    """Return what an import did as JSON shows it."""
    return imported.changes.as_json() | {
        "invalid": imported.invalid,
        "bad_rows": [{"row": line, "what": what} for line, what in imported.bad_rows],
    }


def print_import(imported: "ImportedOptOuts", *, dry_run: bool) -> None:
    """Print what an import did, or would do, and its first bad rows."""
    for line, what in imported.bad_rows[:MAX_PRINTED_ROWS]:
        output.print_error(f"row {line}: {what}")
    if imported.invalid:
        output.print_hint(f"{imported.invalid} bad row(s) left out")
    if dry_run:
        output.print_line(f"{imported.changes.added} number(s) would be opted out, if not yet so")
    else:
        output.print_line(changes_line(imported.changes))


def print_suggestions(rows: Sequence[Row[Any]]) -> None:
    """Print numbers that vendors call blacklisted."""
    headers = ("since", "number", "account", "the vendor's word")
    output.print_table(headers, [(row.at, row.msisdn, row.account, row.why) for row in rows])


def write_csv(parts: Iterable[Sequence[Row[Any]]], target: Path | None) -> int:
    """Write opt-outs to a file that its owner alone may read, or to standard output; count them."""
    count = 0
    with (
        failures.interruptible(lambda: campaign_export.interruption_notice(target)),
        campaign_export.open_target(target) as file,
    ):
        writer = csv.writer(file)
        writer.writerow(EXPORT_COLUMNS)
        for rows in parts:
            writer.writerows(
                (
                    row.msisdn,
                    row.scope,
                    row.since.isoformat(),
                    row.source,
                    quoted_cell(row.why),
                    quoted_cell(row.evidence),
                    row.account,
                )
                for row in rows
            )
            count += len(rows)
    return count
