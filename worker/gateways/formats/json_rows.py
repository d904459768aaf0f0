"""Reads pages of rows out of JSON in bounded memory, also where the page is damaged or cut short.

A row is an object without objects or lists in it that has a certain field. Rows are cut out of the
text and read one at a time; what is left around them, the envelope, is small and is read as a
whole.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from worker.gateways.formats import json_reader
from worker.gateways.formats.json_reader import STRING

Item = TypeVar("Item")
#: Turns a row's fields into a value; None when it cannot.
ReadRow = Callable[[Mapping[str, Any]], Item | None]

#: The most rows of a page that are read, damaged ones too. An honest row has 80 bytes or more, so
#: no honest page within the bound of pages has as many; a damaged row costs more than a whole one.
MAX_ROWS = 100_000
#: The most pieces that a text is cut into: an envelope has one for each character at the most.
MAX_PIECES = 2 * MAX_ROWS
#: The longest row that is read, in characters: a reply's text is a small part of that.
MAX_ROW_LENGTH = 64 * 1024
#: The longest envelope, in characters. What is no row shares it, up to the half of it.
MAX_ENVELOPE_LENGTH = 64 * 1024

_BETWEEN = rf"(?:[^{{}}\[\]\"/]++|{STRING}|//[^\n]*+|/)"
_PIECE = re.compile(
    rf"(?P<flat>\{{{_BETWEEN}*+\}}[\s,]*+)|(?P<between>{_BETWEEN}++)|[{{}}\[\]]", re.DOTALL
)
#: What parts a row from the next one.
_SEPARATORS = " \t\r\n,"


@dataclass
class JsonPage(Generic[Item]):
    """A page: its items, how many rows cannot be read, and what stands around the rows.

    `envelope` is None when it is no JSON; then at least one row counts as damaged.
    """

    items: list[Item] = field(default_factory=list)
    damaged: int = 0
    envelope: Any = None

    @property
    def is_full(self) -> bool:
        """Tell whether no further row is read."""
        return len(self.items) + self.damaged >= MAX_ROWS

    def add(self, item: Item | None) -> None:
        """Add an item, or note a row that cannot be read."""
        if item is None:
            self.damaged += 1
        else:
            self.items.append(item)


def read(text: str, key: str, read_row: ReadRow[Item]) -> JsonPage[Item]:
    """Return what `read_row` makes of each row that has the field `key`, and the envelope.

    Rows with objects or lists in them are left in the envelope. Where that grows too long it is
    None, and the rows behind are read all the same. After `MAX_ROWS` rows or `MAX_PIECES` pieces of
    the text the rest is not read. Never raises.
    """
    page: JsonPage[Item] = JsonPage()
    envelope = _Envelope()
    position = min((at for at in (text.find("{"), text.find("[")) if at >= 0), default=len(text))
    for _ in range(MAX_PIECES):
        piece = None if page.is_full else _PIECE.match(text, position)
        if piece is None:
            break
        position = piece.end()
        row = _read_flat(piece, key)
        if row is not None:
            envelope.cut_out()
            page.add(read_row(row))
        elif piece.lastgroup != "flat":
            envelope.add(piece[0])
        elif not envelope.add_flat(piece[0]):
            page.add(None)
    try:
        page.envelope = json_reader.parse(envelope.text())
    except ValueError:
        page.damaged = max(page.damaged, 1)
    return page


def _read_flat(piece: re.Match[str], key: str) -> Mapping[str, Any] | None:
    """Read an object that has a field `key`; None for any other piece of the text."""
    if piece.lastgroup != "flat" or piece.end() - piece.start() > MAX_ROW_LENGTH:
        return None
    flat = piece[0].rstrip(_SEPARATORS)
    if f'"{key}"' not in flat:
        return None
    try:
        row = json_reader.parse(flat)
    except ValueError:
        return {}
    return row if key in row else None


class _Envelope:
    """Gathers what stands around the rows, up to `MAX_ENVELOPE_LENGTH`."""

    def __init__(self) -> None:
        self.is_whole = True
        self._pieces: list[str] = []
        self._length = 0

    def add(self, piece: str) -> None:
        """Add a piece of the text; without room for it, the envelope is whole no longer."""
        if self._length + len(piece) > MAX_ENVELOPE_LENGTH:
            self.is_whole = False
            return
        self._pieces.append(piece)
        self._length += len(piece)

    def add_flat(self, flat: str) -> bool:
        """Add an object that is no row, or a row without the field; False without room for it."""
        if self._length + len(flat) > MAX_ENVELOPE_LENGTH // 2:
            return False
        self.add(flat)
        return True

    def cut_out(self) -> None:
        """Leave out a row; where it is the value of a field, an empty list takes its place."""
        if self._pieces and self._pieces[-1].rstrip().endswith(":"):
            self.add("[]")

    def text(self) -> str:
        """Return the envelope; "" when it is not whole."""
        return "".join(self._pieces) if self.is_whole else ""
