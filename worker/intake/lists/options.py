"""Say how a file of recipients is to be read, where it does not say so itself."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from worker.domain.errors import Problem, Refused
from worker.intake.value_rules import OddValue

#: What separates cells, by its name: a tab is hard to type.
DELIMITERS = {"comma": ",", "tab": "\t", "\\t": "\t", "semicolon": ";", "pipe": "|"}
#: A header stands in one of the first so many rows.
MAX_HEAD_ROWS = 50


class ListEncoding(StrEnum):
    """The encodings that a file can be said to have."""

    UTF_8 = "utf-8"
    UTF_16 = "utf-16"
    GB18030 = "gb18030"
    GBK = "gbk"
    BIG5 = "big5"


@dataclass(frozen=True, slots=True)
class ListOptions:
    """What a caller says of a file; None where the file is to tell it."""

    #: The column of the numbers: its header, or its position from 1 on.
    column: str | None = None
    #: One character, or a name of `DELIMITERS`.
    delimiter: str | None = None
    #: The line of the header, from 1 on; 0 for a file without.
    header_row: int | None = None
    encoding: ListEncoding | None = None

    def __post_init__(self) -> None:
        """Refuse what no file can be read with."""
        problems = []
        if self.delimiter is not None and not _separates(self.separator or ""):
            names = ", ".join(name for name in DELIMITERS if name.isalpha())
            problems.append(Problem("delimiter", f"is a single mark, or one of {names}"))
        if self.header_row is not None and not 0 <= self.header_row <= MAX_HEAD_ROWS:
            reason = f"is a line from 1 to {MAX_HEAD_ROWS}, or 0 for a file without a header"
            problems.append(Problem("header_row", reason))
        if self.encoding is not None and self.encoding not in set(ListEncoding):
            problems.append(Problem("encoding", f"is one of {', '.join(ListEncoding)}"))
        if self.column is not None and not self.column.strip():
            problems.append(Problem("column", "is a header, or a position from 1 on"))
        if problems:
            raise Refused(problems)

    @property
    def separator(self) -> str | None:
        """The character that separates cells, where it is given."""
        return DELIMITERS.get(self.delimiter, self.delimiter) if self.delimiter else self.delimiter

    @property
    def position(self) -> int | None:
        """The index of the column of the numbers, where it is given by its position."""
        if self.column is None or not (self.column.isascii() and self.column.isdigit()):
            return None
        return int(self.column) - 1 if 0 < int(self.column) <= 100_000 else None


def parse_allowed(names: Collection[str]) -> frozenset[OddValue]:
    """Return the values that are allowed; raises `Refused` for a name that is none."""
    unknown = [name for name in names if name not in set(OddValue)]
    if unknown:
        raise Refused([Problem("allow", f"is one of {', '.join(OddValue)}")])
    return frozenset(map(OddValue, names))


def _separates(character: str) -> bool:
    return len(character) == 1 and not character.isalnum() and character not in '"\r\n'
