"""A block of a list's rows after the check: the good ones, and what was left out of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import compress

from worker.domain import msisdn
from worker.domain.enums import LeftOutReason, NumberKind
from worker.store.intake.campaign_rows import MessageColumns
from worker.store.intake.left_out_rows import LeftOutRow

#: How many characters of a number, and of what is wrong with a row, are kept.
MAX_NUMBER_LENGTH, MAX_PROBLEM_LENGTH = 100, 200


@dataclass(frozen=True, slots=True)
class CheckedBlock:
    """The good rows of a block with the lines that they stand on, and the rows left out of it."""

    #: How many rows the blocks before it have, and how many it has.
    first_row: int
    row_count: int
    good: MessageColumns
    lines: Sequence[int]
    left_out: Sequence[LeftOutRow] = ()
    #: Whether it is known already that all good rows have mobile numbers.
    all_mobile: bool = False

    def kinds(self) -> set[NumberKind]:
        """Return the kinds of the numbers of its good rows."""
        msisdns = self.good.msisdns
        if self.all_mobile or msisdn.are_mobile(msisdns):
            return {NumberKind.MOBILE} if msisdns else set()
        return {kind for kind in map(msisdn.kind, msisdns) if kind}

    def leave_out(self, positions: Collection[int], reason: LeftOutReason) -> "CheckedBlock":
        """Return the block without the good rows at `positions`, which are left out for `reason`.

        Of these the number is kept as it is stored, since it was understood.
        """
        if not positions:
            return self
        is_left_out = set(positions)
        flags = [position not in is_left_out for position in range(len(self.lines))]
        msisdns = self.good.msisdns
        rows = [
            LeftOutRow(self.lines[position], msisdns[position], reason)
            for position in sorted(is_left_out)
        ]
        return replace(
            self,
            good=self.good.select(flags),
            lines=list(compress(self.lines, flags)),
            left_out=[*self.left_out, *rows],
        )

    def left_out_in_order(self) -> list[LeftOutRow]:
        """Return the rows that were left out, in the order of their lines."""
        return sorted(self.left_out, key=lambda row: row.line)


def bad_row(line: int, number: str, problem: str) -> LeftOutRow:
    """Return a bad row as it is kept: its number as it stood, without what no database takes."""
    return LeftOutRow(
        line,
        _printable(number[:MAX_NUMBER_LENGTH]),
        LeftOutReason.INVALID,
        _printable(problem[:MAX_PROBLEM_LENGTH]),
    )


def _printable(text: str) -> str:
    """Return a text with U+FFFD for controls and halves of surrogate pairs."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "\ufffd" for char in text)
