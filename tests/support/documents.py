"""Reading the documents: their headings, tables, links and blocks of code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^( *)(`{3,})(\w*)[^\n]*\n(.*?)^\1\2 *$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:^ {4}\S[^\n]*\n(?:^(?: {4}[^\n]*)?\n(?=^ {4}))*)+", re.MULTILINE)
_HEADING = re.compile(r"^(#{1,6}) +(.+?) *$", re.MULTILINE)
_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Block:
    """A block of code: its language ("" when none is named) and its text."""

    language: str
    text: str


def read(name: str) -> str:
    """Return a page by its path from the root."""
    return (ROOT / name).read_text("utf-8")


def pages() -> list[Path]:
    """Return every page of the repository that is written for readers."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")]
    found += [*(ROOT / "examples").glob("**/*.md"), *(ROOT / "deploy").glob("**/*.md")]
    return sorted(found)


def blocks(text: str) -> list[Block]:
    """Return the fenced and the indented blocks of a page."""
    fenced = [Block(match[3], _unindented(match[4], len(match[1]))) for match in _fences(text)]
    rest = _FENCE.sub("", text)
    return fenced + [Block("", _unindented(match[0], 4)) for match in _INDENTED.finditer(rest)]


def prose(text: str) -> str:
    """Return a page without its fenced blocks."""
    return _FENCE.sub("", text)


def headings(text: str) -> list[tuple[int, str]]:
    """Return level and words of each heading."""
    return [(len(match[1]), match[2]) for match in _HEADING.finditer(prose(text))]


def section(text: str, heading: str) -> str:
    """Return what stands below a heading, down to the next one of its level or above."""
    lines = text.splitlines(keepends=True)
    found: list[str] = []
    level = 0
    for line in lines:
        match = _HEADING.match(line.rstrip("\n"))
        if match and level and len(match[1]) <= level:
            break
        if level:
            found.append(line)
        if match and match[2] == heading and not level:
            level = len(match[1])
    assert level, f"there is no heading {heading!r}"
    return "".join(found)


def rows(text: str) -> list[list[str]]:
    """Return the cells of each row of the tables in a text, their heads left out."""
    found = []
    for line in text.splitlines():
        if not line.startswith("|"):
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        if all(re.fullmatch(r":?-+:?", cell) for cell in cells):
            found.pop()
        else:
            found.append(cells)
    return found


def coded(cell: str) -> str:
    """Return the one thing between backticks in a cell."""
    (word,) = _CODE.findall(cell)
    return str(word)


def anchors(text: str) -> set[str]:
    """Return the fragments that links to a page may name, as the usual renderers make them."""
    return {
        re.sub(r"[^\w\- ]", "", words.replace("`", "").lower()).replace(" ", "-")
        for _, words in headings(text)
    }


def _fences(text: str) -> Iterator[re.Match[str]]:
    return _FENCE.finditer(text)


def _unindented(text: str, by: int) -> str:
    return "".join(line.removeprefix(" " * by) for line in text.splitlines(keepends=True))
