"""Reads the rows of a push, whatever form it came in, and sorts what they were read as.

No document states the method or form of its pushes (002, 003), so all are read: GET and POST, form
and JSON (one object, a list, an object around a list), UTF-8 and GBK.
"""

from collections.abc import Sequence
from typing import Any

import httpx

from worker.gateways.formats import json_reader
from worker.gateways.formats.forms import parse_form
from worker.gateways.formats.values import decode, strip_blanks
from worker.gateways.results import InboundMessage, PushContents, Report


def read_rows(push: httpx.Request, key: str) -> tuple[list[dict[str, Any]], int]:
    """Return the rows of a push, and how many parts of it are not rows.

    `key` is a field that each row has. A body is read rather than the query, which may hold
    nothing but a token.
    """
    text = strip_blanks(decode(push.content, "utf-8", "gbk"))
    if text[:1] in {"{", "["}:
        try:
            return json_reader.rows(json_reader.parse(text), key)
        except ValueError:
            return [], 1
    row = parse_form(push.content.strip() or push.url.query)
    return ([row], 0) if row else ([], 0)


def push_contents(readings: Sequence[Report | InboundMessage | None], damaged: int) -> PushContents:
    """Sort what rows were read as; None is a damaged row, and `damaged` others are known."""
    return PushContents(
        tuple(reading for reading in readings if isinstance(reading, Report)),
        tuple(reading for reading in readings if isinstance(reading, InboundMessage)),
        damaged + readings.count(None),
    )
