"""Find the sheets, the strings and the formats of a workbook (.xlsx, ECMA-376)."""

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO

from worker.intake.lists import cell_formats, xml_stream
from worker.intake.lists.cell_formats import Writer
from worker.intake.lists.shared_strings import SharedStrings
from worker.intake.lists.sheet_reader import SheetReader
from worker.intake.lists.zip_parts import ZipParts, open_parts

_ROOT = "_rels/.rels"
#: More than any workbook has: what is collected of its small parts stays in memory.
_MAX_ELEMENTS = 100_000


@dataclass(slots=True)
class Workbook:
    """A workbook's visible sheets, by their names, and what their cells mean."""

    parts: ZipParts
    strings: SharedStrings
    #: The part of each visible sheet.
    sheets: Mapping[str, str]
    #: How the numbers of each style are written.
    writers: Sequence[Writer]

    def check(self, sheet: str) -> int:
        """Return how many rows a sheet has at the most; raises `Refused` when it is damaged."""
        name = self.sheets[sheet]
        with self.parts.open(name) as part:
            blocks = xml_stream.unpacked(part, self.parts.packed_bytes(name))
            return sum(block.count(b"row ") + block.count(b"row>") for block in blocks)

    def read(self, sheet: str) -> SheetReader:
        """Return a reader of a sheet, from its first row on."""
        name = self.sheets[sheet]
        packed_bytes = self.parts.packed_bytes(name)
        return SheetReader(self.parts.open(name), packed_bytes, self.strings, self.writers)


@contextmanager
def open_workbook(file: BinaryIO) -> Iterator[Workbook]:
    """Lend a workbook; raises `Refused` when the file is none, or is damaged."""
    with open_parts(file) as parts:
        main = next(iter(_targets(parts, _ROOT, "officeDocument").values()), "xl/workbook.xml")
        if main not in parts:
            xml_stream.refuse("the file is a zip archive and no workbook; unpack it")
        elements = _elements(parts, main)
        targets = _targets(parts, _relations_of(main), "")
        strings = SharedStrings()
        try:
            for name in _targets(parts, _relations_of(main), "sharedStrings").values():
                if name in parts:
                    strings.load(parts.open(name), parts.packed_bytes(name))
            styles = list(_targets(parts, _relations_of(main), "styles").values())
            from_1904 = any(
                element.attributes.get("date1904") in {"1", "true"}
                for element in elements
                if element.name == "workbookPr"
            )
            writers = _writers(parts, styles, from_1904=from_1904)
            yield Workbook(parts, strings, _visible_sheets(parts, elements, targets), writers)
        finally:
            strings.close()


@dataclass(slots=True)
class _Element:
    """An element of a small part."""

    name: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    parent: str = ""


def _elements(parts: ZipParts, name: str) -> list[_Element]:
    """Return all elements of a small part, in their order."""
    elements: list[_Element] = []
    open_names: list[str] = []

    def start(element: str, attributes: Mapping[str, str]) -> None:
        if len(elements) >= _MAX_ELEMENTS:
            xml_stream.refuse("the workbook has more styles or sheets than a spreadsheet writes")
        parent = open_names[-1] if open_names else ""
        elements.append(_Element(element, dict(attributes), parent))
        open_names.append(element)

    def end(_element: str) -> None:
        open_names.pop()

    with parts.open(name) as part:
        for _ in xml_stream.parse(part, parts.packed_bytes(name), start, end, lambda _text: None):
            pass
    return elements


def _relations_of(part: str) -> str:
    folder, name = posixpath.split(part)
    return posixpath.join(folder, "_rels", f"{name}.rels")


def _targets(parts: ZipParts, relations: str, kind: str) -> dict[str, str]:
    """Return the parts that relations of a kind lead to, by the ids of these."""
    if relations not in parts:
        return {}
    folder = posixpath.dirname(posixpath.dirname(relations))
    return {
        element.attributes.get("Id", ""): posixpath.normpath(
            posixpath.join("/" + folder, element.attributes.get("Target", ""))
        ).lstrip("/")
        for element in _elements(parts, relations)
        if element.name == "Relationship" and element.attributes.get("Type", "").endswith(kind)
    }


def _visible_sheets(
    parts: ZipParts, elements: Sequence[_Element], targets: Mapping[str, str]
) -> dict[str, str]:
    sheets = {}
    for element in elements:
        relation = next(
            (value for key, value in element.attributes.items() if key.endswith(":id")), ""
        )
        part = targets.get(relation, "")
        is_visible = element.attributes.get("state", "visible") == "visible"
        if element.name == "sheet" and is_visible and part in parts:
            sheets[element.attributes.get("name", part)] = part
    return sheets


def _writers(parts: ZipParts, styles: Sequence[str], *, from_1904: bool) -> list[Writer]:
    """Return how numbers are written, for each style of a cell."""
    elements = [element for name in styles if name in parts for element in _elements(parts, name)]
    codes = {
        element.attributes.get("numFmtId", ""): element.attributes.get("formatCode")
        for element in elements
        if element.name == "numFmt"
    }
    format_ids = [
        element.attributes.get("numFmtId", "0")
        for element in elements
        if element.name == "xf" and element.parent == "cellXfs"
    ]
    return [
        cell_formats.writer_of(
            int(format_id) if format_id.isdigit() else 0,
            codes.get(format_id),
            from_1904=from_1904,
        )
        for format_id in format_ids
    ]
