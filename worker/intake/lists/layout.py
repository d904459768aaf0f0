"""Find the columns of the numbers and of a text's variables by the cells of a header."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from worker.config import problems
from worker.domain import number_names
from worker.domain.errors import Problem, Refused
from worker.intake.lists.cells import names_number
from worker.intake.lists.facts import shown, shown_name
from worker.intake.lists.options import ListOptions


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns hold the numbers and the variables."""

    width: int
    number_column: int
    #: The column of each variable that the text names.
    variable_columns: Mapping[str, int]

    def unpacked(self) -> tuple[int, int, tuple[tuple[str, int], ...]]:
        """Return its parts, for a loop over rows."""
        return self.width, self.number_column, tuple(self.variable_columns.items())

    @property
    def numbers_only(self) -> bool:
        """Whether a line holds a number and nothing else."""
        return self.width == 1 and not self.variable_columns


def find_layout(columns: Sequence[str], names: Collection[str], options: ListOptions) -> Layout:
    """Return the layout that a header says, for the variables of a text.

    Raises `Refused` when a column is missing, or more than one may be meant.
    """
    number_column = _number_column(columns, options)
    variable_columns = {name: _variable_column(columns, name) for name in sorted(names)}
    return Layout(len(columns), number_column, variable_columns)


def refuse(reason: str) -> NoReturn:
    """Raise `Refused` for a file of recipients."""
    raise Refused([Problem("recipients", reason)]) from None


def _number_column(columns: Sequence[str], options: ListOptions) -> int:
    if options.column is not None:
        return _given_column(columns, options.column.strip(), options.position)
    indices = [index for index, column in enumerate(columns) if names_number(column)] or [
        index for index, column in enumerate(columns) if number_names.may_name_number(column)
    ]
    if len(indices) > 1:
        candidates = " and ".join(shown_name(columns[index]) for index in indices[:5])
        refuse(f"{candidates} could both be the numbers; say which column it is")
    if not indices and len(columns) > 1:
        refuse(
            "no column holds the numbers; say which column it is, or call it msisdn"
            f" (the headers are: {shown(columns)})"
        )
    return indices[0] if indices else 0


def _given_column(columns: Sequence[str], name: str, position: int | None) -> int:
    indices = _indices(columns, name)
    if len(indices) > 1:
        refuse(f"more than one column is called {shown_name(name)}; give its position")
    if indices:
        return indices[0]
    if position is None:
        refuse(f"no column is called {shown_name(name)} (the headers are: {shown(columns)})")
    if position >= len(columns):
        refuse(f"there is no column {position + 1}; the file has {len(columns)}")
    return position


def _variable_column(columns: Sequence[str], name: str) -> int:
    indices = _indices(columns, name)
    if len(indices) == 1:
        return indices[0]
    if indices:
        refuse(f"the text names {{{name}}} and more than one column is called that")
    known = [shown_name(column) for column in columns[:200]]
    suggestion = problems.suggestion(shown_name(name), known)
    if len(suggestion) > 400:
        suggestion = f"; the headers are: {shown(columns)}"
    refuse(f"the text names {{{shown_name(name)}}} and no column is called that{suggestion}")


def _indices(columns: Sequence[str], name: str) -> list[int]:
    """Return the columns of a name: as it stands, or without marks, notes, case and width."""
    exact = [index for index, column in enumerate(columns) if column == name]
    plain = number_names.plain_name(name)
    return exact or [
        index
        for index, column in enumerate(columns)
        if plain and len(column) <= 200 and number_names.plain_name(column) == plain
    ]
