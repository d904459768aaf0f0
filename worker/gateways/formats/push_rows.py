"""What was pushed to us, as rows, whatever form it came in.

No document states method or form of its pushes (002, 003), so all are taken: GET and POST, form and
JSON (one object, a list, an object around a list), UTF-8 and GBK.
"""

from typing import Any

import httpx

from worker.gateways.formats import json_reader
from worker.gateways.formats.forms import fields
from worker.gateways.formats.values import bare, decoded


def pushed(push: httpx.Request, key: str) -> tuple[list[dict[str, Any]], int]:
    """Return the rows of a push and how many parts of it are none; `key` is a field of each row.

    A body comes before the query, which may hold nothing but a token.
    """
    text = bare(decoded(push.content, "utf-8", "gbk"))
    if text[:1] in {"{", "["}:
        try:
            return json_reader.rows(json_reader.read(text), key)
        except ValueError:
            return [], 1
    row = fields(push.content.strip() or push.url.query)
    return ([row], 0) if row else ([], 0)
