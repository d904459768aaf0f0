"""Reads XML as gateways write it: damaged prologs, junk around it, namespaces that vary.

Text is cut to begin at its first element, so that a document type with its entities never reaches
the parser: nothing can expand. Elements are known by their local names, because ihuyi's namespace
varies by host (public captures).
"""

import re
from xml.etree import ElementTree as ET

_NAME = "[A-Za-z_][A-Za-z0-9_.-]*"
_CONTROLS = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF))


def parse(text: str, root: str = _NAME) -> ET.Element:
    """Parse the first element whose local name fits the pattern `root`, without what is around it.

    Raises `ValueError` when there is none that can be read.
    """
    opening = _find_opening(text, root)
    if opening is None:
        msg = "no such element"
        raise ValueError(msg)
    closing = f"</{opening[1]}>"
    end = text.rfind(closing, opening.end())
    end = end + len(closing) if end >= 0 else text.rfind(">") + 1
    body = text[opening.start() : end].translate(_CONTROLS)
    try:
        return ET.fromstring(body)  # noqa: S314 - begins in its root: no document type, no entities
    except ET.ParseError as error:
        raise ValueError(str(error)) from None


def local_name(element: ET.Element) -> str:
    """Return an element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def child_texts(element: ET.Element) -> dict[str, str]:
    """Return the texts of an element's children by local name; the first of a name wins."""
    texts: dict[str, str] = {}
    for child in element:
        texts.setdefault(local_name(child), child.text or "")
    return texts


def rows(text: str, page: str, row: str) -> tuple[list[dict[str, str]], int] | None:
    """Return the child texts of each `row` in `page`, and how many rows cannot be read.

    None when the text holds no such page. Where the whole is damaged (one bad row, or a body cut
    short) each row is read by itself, and at least one counts as damaged.
    """
    if _find_opening(text, page) is None:
        return None
    try:
        root = parse(text, page)
    except ValueError:
        return _salvage_rows(text, row)
    return [child_texts(element) for element in root.iter() if local_name(element) == row], 0


def _find_opening(text: str, root: str) -> re.Match[str] | None:
    """Find the opening tag whose local name fits `root`; group 1 is its name with the prefix."""
    return re.search(rf"<((?:{_NAME}:)?(?:{root}))(?=[\s/>])", text)


def _salvage_rows(text: str, row: str) -> tuple[list[dict[str, str]], int]:
    """Read each row by itself; return the readable ones and how many are not, at least 1."""
    rows_read, damaged = [], 0
    for part in text.split(f"<{row}>")[1:]:
        body, closed, _ = part.partition(f"</{row}>")
        try:
            rows_read.append(child_texts(parse(f"<{row}>{body}{closed}")))
        except ValueError:
            damaged += 1
    return rows_read, damaged or 1
