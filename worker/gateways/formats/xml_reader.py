"""Reads XML as gateways write it: damaged prologs, junk around it, rows that are damaged.

Text is cut to begin at its first element, so that a document type with its entities never reaches
the parser: nothing can expand.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from worker.gateways.formats import xml_elements

Item = TypeVar("Item")
#: Turns the texts of a row's children, by their names, into a value; None when it cannot.
ReadRow = Callable[[Mapping[str, str]], Item | None]

#: The most rows of a damaged page that are read, each by itself. An honest row has 80 bytes or
#: more, so no honest page within the bound of pages has as many.
MAX_ROWS = 100_000
_NAME = "[A-Za-z_][A-Za-z0-9_.-]*"
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def element(text: str, root: str = _NAME) -> str:
    """Return the first element whose local name fits the pattern `root`, without what is around it.

    Raises `ValueError` when none begins.
    """
    opening = _find_opening(text, root)
    if opening is None:
        msg = "no such element"
        raise ValueError(msg)
    closing = f"</{opening[1]}>"
    end = text.rfind(closing, opening.end())
    end = end + len(closing) if end >= 0 else text.rfind(">") + 1
    return _CONTROLS.sub("", text[opening.start() : end])


def child_texts(text: str, root: str) -> dict[str, str]:
    """Return the texts of the children of `element`, by name; the first of a name wins.

    Raises `ValueError` when the element cannot be read.
    """
    texts: dict[str, str] = {}

    def keep(path: Sequence[str], child_text: str) -> None:
        if len(path) == 2:
            texts.setdefault(path[1], child_text)

    xml_elements.read(element(text, root), keep)
    return texts


def rows(text: str, page: str, row: str, read_row: ReadRow[Item]) -> tuple[list[Item], int] | None:
    """Return what `read_row` makes of each `row` in `page`, and how many rows cannot be read.

    None when the text holds no such page. Where the whole is damaged (one bad row, or a body cut
    short) each row is read by itself, and at least one counts as damaged.
    """
    if _find_opening(text, page) is None:
        return None
    collector = _RowCollector(row, read_row)
    try:
        xml_elements.read(element(text, page), collector.keep)
    except ValueError:
        return _salvage_rows(text, row, read_row)
    return collector.items, collector.damaged


class _RowCollector(Generic[Item]):
    """Reads each row as it ends, and keeps nothing else of it."""

    def __init__(self, row: str, read_row: ReadRow[Item]) -> None:
        self._row = row
        self._read_row = read_row
        self._texts: dict[str, str] = {}
        self.items: list[Item] = []
        self.damaged = 0

    def keep(self, path: Sequence[str], text: str) -> None:
        """Take an element that ended: a row, a row's child, or another."""
        if path[-1] == self._row:
            item = self._read_row(self._texts)
            if item is None:
                self.damaged += 1
            else:
                self.items.append(item)
            self._texts.clear()
        elif len(path) > 1 and path[-2] == self._row:
            self._texts.setdefault(path[-1], text)


def _find_opening(text: str, root: str) -> re.Match[str] | None:
    """Find the opening tag whose local name fits `root`; group 1 is its name with the prefix."""
    return re.search(rf"<((?:{_NAME}:)?(?:{root}))(?=[\s/>])", text)


def _salvage_rows(text: str, row: str, read_row: ReadRow[Item]) -> tuple[list[Item], int]:
    """Read each row by itself; return the readable ones and how many are not, at least 1.

    Of a row that is not closed before the next one begins, nothing is read; nor is what follows
    `MAX_ROWS` rows.
    """
    opening, closing = f"<{row}>", f"</{row}>"
    items: list[Item] = []
    damaged = 0
    start = text.find(opening)
    while start >= 0 and len(items) + damaged < MAX_ROWS:
        following = text.find(opening, start + 1)
        end = text.find(closing, start, following if following >= 0 else len(text))
        item = _read_alone(text[start : end + len(closing)], row, read_row) if end >= 0 else None
        if item is None:
            damaged += 1
        else:
            items.append(item)
        start = following
    return items, damaged or 1


def _read_alone(text: str, row: str, read_row: ReadRow[Item]) -> Item | None:
    """Read a row that was cut out; None when it cannot be read."""
    try:
        return read_row(child_texts(text, row))
    except ValueError:
        return None
