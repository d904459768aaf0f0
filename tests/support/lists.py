"""Files of recipients, read as every door reads them."""

import io
import zipfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

import pytest

from worker.domain.errors import Refused
from worker.intake.lists import reader
from worker.intake.lists.facts import ListFacts
from worker.intake.lists.options import ListOptions
from worker.intake.recipient_rows import PlainRows, Row
from worker.intake.value_rules import OddValue


def read(
    raw: bytes, text: str = "", allowed: Collection[OddValue] = (), **options: Any
) -> tuple[list[Row], ListFacts]:
    """Return all rows of a file, and how it was read."""
    with reader.open_list(io.BytesIO(raw), text, ListOptions(**options), allowed) as found:
        return [row for some in found.rows for row in one_by_one(some)], found.facts


def rows(
    text: str | bytes,
    wanted: str = "",
    codec: str = "utf-8",
    allowed: Collection[OddValue] = (),
    **options: Any,
) -> list[Row]:
    """Return all rows of a file."""
    raw = text if isinstance(text, bytes) else text.encode(codec)
    return read(raw, wanted, allowed, **options)[0]


def one_by_one(some: Row | PlainRows) -> Iterable[Row]:
    """Return rows, one at a time."""
    return some.rows() if isinstance(some, PlainRows) else [some]


def refusal(text: str | bytes, wanted: str = "", **options: Any) -> str:
    """Return why a file is refused."""
    with pytest.raises(Refused) as refused:
        rows(text, wanted, **options)
    return str(refused.value)


_NS = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def cell(reference: str, value: object, style: int = 0) -> str:
    """Return a cell as a workbook has it: a text, a number, a truth, or XML as it is."""
    match value:
        case bool():
            return f'<c r="{reference}" t="b"><v>{int(value)}</v></c>'
        case int() | float():
            return f'<c r="{reference}" s="{style}"><v>{value!r}</v></c>'
        case str() if value.startswith("<"):
            return f'<c r="{reference}">{value}</c>'
        case _:
            inline = f"<is><t>{escape(str(value))}</t></is>"
            return f'<c r="{reference}" t="inlineStr">{inline}</c>'


def sheet(table: Sequence[Sequence[object]], styles: Mapping[int, int] | None = None) -> str:
    """Return a sheet of rows, with a style for each column that has one."""
    lines = []
    for number, values in enumerate(table, 1):
        cells = [
            cell(f"{chr(65 + column)}{number}", value, (styles or {}).get(column, 0))
            for column, value in enumerate(values)
            if value is not None
        ]
        lines.append(f'<row r="{number}">{"".join(cells)}</row>')
    return f"<worksheet {_NS}><sheetData>{''.join(lines)}</sheetData></worksheet>"


def workbook(
    *sheets: str, formats: Sequence[str] = (), strings: Sequence[str] = (), **more: bytes | str
) -> bytes:
    """Return a workbook of sheets; `more` replaces or adds parts, by names with `_` for `/`."""
    names = [f"xl/worksheets/sheet{n}.xml" for n, _ in enumerate(sheets, 1)]
    listed = "".join(
        f'<sheet name="Sheet{n}" sheetId="{n}" r:id="rId{n}"/>' for n, _ in enumerate(sheets, 1)
    )
    relations = "".join(
        f'<Relationship Id="rId{n}" Type="{_REL}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n, _ in enumerate(sheets, 1)
    )
    codes = "".join(
        f'<numFmt numFmtId="{164 + n}" formatCode="{escape(code, {chr(34): "&quot;"})}"/>'
        for n, code in enumerate(formats)
    )
    xfs = "".join(f'<xf numFmtId="{164 + n}"/>' for n, _ in enumerate(formats))
    parts: dict[str, bytes | str] = {
        "_rels/.rels": f'<Relationships><Relationship Id="r" Type="{_REL}/officeDocument"'
        ' Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook {_NS} xmlns:r="{_REL}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f"<Relationships>{relations}"
        f'<Relationship Id="s" Type="{_REL}/styles" Target="styles.xml"/>'
        f'<Relationship Id="t" Type="{_REL}/sharedStrings" Target="/xl/sharedStrings.xml"/>'
        "</Relationships>",
        "xl/styles.xml": f"<styleSheet {_NS}><numFmts>{codes}</numFmts>"
        f'<cellXfs><xf numFmtId="0"/>{xfs}</cellXfs></styleSheet>',
        "xl/sharedStrings.xml": f"<sst {_NS}>{''.join(strings)}</sst>",
        **dict(zip(names, sheets, strict=True)),
        **more,
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file.getvalue()
