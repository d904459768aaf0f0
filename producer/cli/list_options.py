"""Options that say how a file of recipients is read, and the line that says how it was."""

from typing import TYPE_CHECKING, Annotated

import typer

from producer.cli import output
from worker.intake.lists.options import ListEncoding
from worker.intake.value_rules import OddValue

if TYPE_CHECKING:
    from worker.intake.campaign_loader import Loaded
    from worker.intake.lists.facts import ListFacts

#: How many parts that were skipped are printed; JSON has more.
MAX_PRINTED_PARTS = 10
#: How many bad rows are printed; JSON has more.
MAX_PRINTED_ROWS = 20
Column = Annotated[
    str | None,
    typer.Option(
        "--column", metavar="NAME", help="The column of the numbers: its header, or its position."
    ),
]
Delimiter = Annotated[
    str | None,
    typer.Option(
        "--delimiter",
        metavar="MARK",
        help="What separates cells: one mark, or comma, tab, semicolon, pipe.",
    ),
]
HeaderRow = Annotated[
    int | None,
    typer.Option("--header-row", metavar="LINE", help="The line of the header; 0: none."),
]
Encoding = Annotated[
    ListEncoding | None, typer.Option("--encoding", help="The file's encoding; else found out.")
]
Allow = Annotated[
    list[OddValue] | None,
    typer.Option("--allow", help="Values that make no row bad though they look wrong."),
]


def print_facts(facts: "ListFacts | None") -> None:
    """Print how a file was read, and what of it was skipped."""
    if facts is None:
        return
    output.print_hint(str(facts))
    for lines in facts.skipped[:MAX_PRINTED_PARTS]:
        output.print_hint(f"skipped {lines}")
    if facts.skipped_lines:
        output.print_hint(f"{facts.skipped_lines} line(s) skipped in all")


def print_bad_rows(loaded: "Loaded") -> None:
    """Print the first bad rows as errors, and how many there are in all."""
    for bad_row in loaded.bad_rows[:MAX_PRINTED_ROWS]:
        output.print_error(str(bad_row))
    if loaded.invalid > MAX_PRINTED_ROWS:
        output.print_hint(
            f"{loaded.invalid} bad rows in all; --json lists up to {loaded.MAX_BAD_ROWS}"
        )
