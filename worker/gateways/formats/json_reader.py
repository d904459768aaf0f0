"""JSON as gateways write it, which is not always JSON.

The sample bodies of document 003 wrap an array in bare braces (`"data": { [ … ] }`), leave out the
comma before `"message"`, put one after the last field, and carry `//` comments. Such text is mended
token by token; what strings hold is never touched.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

_TOKEN = re.compile(
    r"""(?P<blank>\s+|//[^\n]*)|(?P<mark>[{}\[\]:,])"""
    r"""|(?P<value>"[^"\\]*(?:\\.[^"\\]*)*"|[-+.\w]+)""",
    re.DOTALL,
)


def read(text: str) -> Any:
    """Return what `text` says, mended and freed of junk around it where it must be.

    Raises `ValueError` when it says nothing that can be read, however deep or long it is.
    """
    try:
        return json.loads(text, strict=False)
    except RecursionError:
        raise ValueError(_DEEP) from None
    except ValueError:
        return _mended(text)


def rows(data: object, key: str) -> tuple[list[dict[str, Any]], int]:
    """Return the rows in `data` and how many of its parts are none.

    `data` is a list, one row (it has `key`), an object that holds lists or rows, or nothing at all
    (null, an empty text, missing).
    """
    if data in (None, "", {}, []):
        return [], 0
    if isinstance(data, dict):
        parts = [data] if key in data else _held(data)
    else:
        parts = data if isinstance(data, list) else [data]
    found = [part for part in parts if isinstance(part, dict)]
    return found, len(parts) - len(found)


_DEEP = "nested too deep"


def _held(data: dict[str, Any]) -> list[Any]:
    lists = [part for value in data.values() if isinstance(value, list) for part in value]
    objects = [value for value in data.values() if isinstance(value, dict)]
    empty = any(isinstance(value, list) for value in data.values())
    return lists + objects if lists or objects or empty else [None]


def _mended(text: str) -> Any:
    begin = min((at for at in (text.find("{"), text.find("[")) if at >= 0), default=-1)
    end = max(text.rfind("}"), text.rfind("]"))
    if not 0 <= begin < end:
        msg = "no object and no list"
        raise ValueError(msg)
    try:
        return json.loads("".join(_repaired(list(_tokens(text[begin : end + 1])))), strict=False)
    except RecursionError:
        raise ValueError(_DEEP) from None


def _tokens(text: str) -> Iterator[str]:
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            msg = f"no JSON at {at}"
            raise ValueError(msg)
        if token.lastgroup != "blank":
            yield token[0]
        at = token.end()


def _repaired(pieces: list[str]) -> Iterator[str]:
    """Leave out bare braces and last commas, put in the commas that are missing."""
    wrapped: list[bool] = []
    before = ""
    for piece, after in zip(pieces, [*pieces[1:], ""], strict=True):
        if piece == "{":
            wrapped.append(after == "[")
        if (piece in "{}" and _bare(piece, wrapped)) or (piece == "," and after in {"}", "]", ""}):
            continue
        if before and before not in "{[:," and piece not in "}]:,":
            yield ","
        yield piece
        before = piece


def _bare(piece: str, wrapped: list[bool]) -> bool:
    if piece == "{":
        return wrapped[-1]
    return bool(wrapped) and wrapped.pop()
