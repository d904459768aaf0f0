"""Take recipients as Python has them: a file, or a stream of numbers and mappings."""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, cast

from worker.domain import number_names
from worker.intake.lists import reader
from worker.intake.lists.facts import ListFacts
from worker.intake.lists.options import ListOptions
from worker.intake.recipient_rows import PlainRows, Row
from worker.intake.value_rules import OddValue

Recipients: TypeAlias = (
    str | os.PathLike[str] | BinaryIO | Iterable[str | int | Mapping[str, Any] | Row]
)


@contextmanager
def open_recipients(
    recipients: Recipients, text: str, reading: ListOptions | None, allowed: Collection[OddValue]
) -> Iterator[tuple[Iterator[Row | PlainRows], ListFacts | None]]:
    """Lend the rows of recipients, and how their file was read where they came from one."""
    if isinstance(recipients, str | os.PathLike):
        with (
            Path(recipients).open("rb") as file,
            reader.open_list(file, text, reading, allowed) as recipient_list,
        ):
            yield recipient_list.rows, recipient_list.facts
    elif hasattr(recipients, "read"):
        opened = cast("BinaryIO", recipients)
        with reader.open_list(opened, text, reading, allowed) as recipient_list:
            yield recipient_list.rows, recipient_list.facts
    else:
        yield (_row(number, recipient) for number, recipient in enumerate(recipients, 1)), None


def _row(row_number: int, recipient: str | int | Mapping[str, Any] | Row) -> Row:
    """Return a recipient as a row: a row as it is, a number, or a number with variables."""
    if isinstance(recipient, Row):
        return recipient
    if not isinstance(recipient, Mapping):
        return Row(row_number, _text(recipient))
    column = _number_column(tuple(recipient))
    variables = {name: _text(value) for name, value in recipient.items() if name != column}
    number = _text(recipient[column]) if column is not None else ""
    return Row(row_number, number, variables or None)


@lru_cache(maxsize=64)
def _number_column(names: tuple[str, ...]) -> str | None:
    """Return the key of the number: `to`, or the only one that is called as a number is."""
    if "to" in names:
        return "to"
    columns = [name for name in names if number_names.names_number(str(name))]
    return columns[0] if len(columns) == 1 else None


def _text(value: object) -> str:
    """Return a value as text, as data frames have them: a whole float is its digits."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
