"""Describe what was read of a file of recipients, and how: for whoever has to confirm it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

DELIMITER_NAMES: Mapping[str, str] = {
    ",": "commas",
    "\t": "tabs",
    ";": "semicolons",
    "|": "vertical bars",
    "，": "full-width commas",
    "；": "full-width semicolons",
}


@dataclass(slots=True)
class SkippedLines:
    """Lines that are no recipients, from the first to the last, with the reason."""

    first: int
    last: int
    reason: str

    def __str__(self) -> str:
        """Return `line 1: …` or `lines 1 to 4: …`."""
        return f"{lines_name('line', self.first, self.last)}: {self.reason}"


@dataclass(slots=True)
class ListFacts:
    """What a file is, and what of it was left out; `skipped` grows while its rows are read."""

    #: `csv` or `xlsx`.
    kind: str
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    #: None where the file has no header.
    header_line: int | None = None
    #: The columns by their headers; empty where the file has no header.
    columns: Sequence[str] = ()
    #: The index of the column of the numbers.
    number_column: int = 0
    #: The index of the column of each variable that the text names.
    variable_columns: Mapping[str, int] = field(default_factory=dict)
    #: The first 100 of them.
    skipped: list[SkippedLines] = field(default_factory=list)
    #: How many lines were skipped in all.
    skipped_lines: int = 0
    #: Sheets of a workbook that hold something and were not read.
    other_sheets: Sequence[str] = ()

    MAX_SKIPPED: ClassVar[int] = 100

    def skip(self, first: int, last: int, reason: str) -> None:
        """Note lines that are no recipients; lines that follow each other are noted together."""
        self.skipped_lines += last - first + 1
        previous = self.skipped[-1] if self.skipped else None
        if previous and previous.last == first - 1 and previous.reason == reason:
            previous.last = last
        elif len(self.skipped) < self.MAX_SKIPPED:
            self.skipped.append(SkippedLines(first, last, reason))

    def __str__(self) -> str:
        """Return how the file was read, in one line."""
        if self.kind == "csv":
            separated = DELIMITER_NAMES.get(self.delimiter or "", repr(self.delimiter))
            parts = [f"read as {self.encoding}, separated by {separated}"]
        else:
            parts = [f"read as an Excel workbook, sheet {self.sheet}"]
        position = self.number_column + 1
        if self.header_line is None:
            parts.append(f"no header, numbers in column {position}")
        else:
            name = shown_name(self.columns[self.number_column])
            parts += [f"header in line {self.header_line}", f"numbers in {name}, column {position}"]
        if self.variable_columns:
            columns = [
                f"{{{shown_name(name)}}} in column {index + 1}"
                for name, index in self.variable_columns.items()
            ]
            parts.append(", ".join(columns))
        if self.other_sheets:
            parts.append(f"not read: sheet {shown(self.other_sheets)}")
        return "; ".join(parts)

    def as_json(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        return {
            "format": self.kind,
            "encoding": self.encoding,
            "delimiter": self.delimiter,
            "sheet": self.sheet,
            "other_sheets": list(self.other_sheets),
            "header_row": self.header_line,
            "columns": list(self.columns),
            "column": self.columns[self.number_column] if self.columns else None,
            "column_position": self.number_column + 1,
            "variables": {name: index + 1 for name, index in self.variable_columns.items()},
            "skipped_lines": self.skipped_lines,
            "skipped": [
                {"first": lines.first, "last": lines.last, "reason": lines.reason}
                for lines in self.skipped
            ],
        }


def lines_name(noun: str, first: int, last: int) -> str:
    """Return `line 3`, or `lines 3 to 6`."""
    return f"{noun} {first}" if first == last else f"{noun}s {first} to {last}"


def shown_name(name: str) -> str:
    """Return a header as it is shown: in one line, and not longer than 30 characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in name[:100]).split())
    return line if len(line) <= 30 else f"{line[:29]}…"


def shown(names: Sequence[str]) -> str:
    """Return the first headers of many."""
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(map(shown_name, names[:10])) + more
