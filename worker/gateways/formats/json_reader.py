"""Reads JSON as gateways write it, which is not always JSON.

The sample bodies of document 003 wrap an array in bare braces (`"data": { [ … ] }`), leave out the
comma before `"message"`, put one after the last field, and carry `//` comments. Such text is mended
token by token; what strings hold is never touched.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

#: How deep objects and lists may stand in each other. Answers are four deep; the parser of the
#: standard library calls itself for each level, and the stack is not ours alone.
MAX_DEPTH = 32
#: A text in quotes. Possessive, as all that reads answers: nothing is tried twice.
STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_DECODER = json.JSONDecoder(strict=False)
_BRACKET = re.compile(rf"(?:[^\"{{}}\[\]]++|{STRING})*+([{{}}\[\]])", re.DOTALL)
_TOKEN = re.compile(
    r"""(?P<blank>\s+|//[^\n]*)|(?P<mark>[{}\[\]:,])"""
    r"""|(?P<value>"[^"\\]*(?:\\.[^"\\]*)*"|[-+.\w]+)""",
    re.DOTALL,
)


def parse(text: str) -> Any:
    """Parse `text`; where it is not JSON, mend it and leave out the junk around it.

    Raises `ValueError` when nothing can be read of it, however deep or long it is.
    """
    _check_depth(text)
    try:
        return _DECODER.decode(text)
    except ValueError:
        return _parse_mended(text)


def rows(data: object, key: str) -> tuple[list[dict[str, Any]], int]:
    """Return the rows in `data`, and how many parts of it are not rows.

    `data` is a list, one row (it has `key`), an object that holds lists or rows, or nothing at all
    (null, an empty text, missing).
    """
    if data in (None, "", {}, []):
        return [], 0
    if isinstance(data, dict):
        parts = [data] if key in data else _parts_of(data)
    else:
        parts = data if isinstance(data, list) else [data]
    row_objects = [part for part in parts if isinstance(part, dict)]
    return row_objects, len(parts) - len(row_objects)


def _parts_of(data: dict[str, Any]) -> list[Any]:
    """Return what may be rows in an object around them; [None], one damaged part, if nothing is."""
    lists = [part for value in data.values() if isinstance(value, list) for part in value]
    objects = [value for value in data.values() if isinstance(value, dict)]
    empty = any(isinstance(value, list) for value in data.values())
    return lists + objects if lists or objects or empty else [None]


def _parse_mended(text: str) -> Any:
    """Parse from the first brace or bracket to the last, mended token by token."""
    begin = min((index for index in (text.find("{"), text.find("[")) if index >= 0), default=-1)
    end = max(text.rfind("}"), text.rfind("]"))
    if not 0 <= begin < end:
        msg = "no object and no list"
        raise ValueError(msg)
    mended = "".join(_mend(list(_tokens(text[begin : end + 1]))))
    _check_depth(mended)
    return _DECODER.decode(mended)


def _check_depth(text: str) -> None:
    """Raise `ValueError` where `text` is nested deeper than `MAX_DEPTH`, as far as it is JSON."""
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return
    depth, position = 0, 0
    while bracket := _BRACKET.match(text, position):
        depth += 1 if bracket[1] in "{[" else -1
        if depth > MAX_DEPTH:
            msg = "nested too deep"
            raise ValueError(msg)
        position = bracket.end()


def _tokens(text: str) -> Iterator[str]:
    position = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            msg = f"no JSON at {position}"
            raise ValueError(msg)
        if token.lastgroup != "blank":
            yield token[0]
        position = token.end()


def _mend(pieces: list[str]) -> Iterator[str]:
    """Leave out bare braces and commas that part nothing, put in the commas that are missing.

    `wrapped` holds, for each open brace, whether it only wraps an array.
    """
    wrapped: list[bool] = []
    previous = ""
    for piece, following in zip(pieces, [*pieces[1:], ""], strict=True):
        if piece == "{":
            wrapped.append(following == "[")
        if piece in "{}" and _is_wrapper(piece, wrapped):
            continue
        if piece == "," and (following in "}]," or previous in "{["):
            continue
        if previous and previous not in "{[:," and piece not in "}]:,":
            yield ","
        yield piece
        previous = piece


def _is_wrapper(brace: str, wrapped: list[bool]) -> bool:
    """Tell whether a brace, opening or closing, only wraps an array; a closing one ends it."""
    if brace == "{":
        return wrapped[-1]
    return bool(wrapped) and wrapped.pop()
