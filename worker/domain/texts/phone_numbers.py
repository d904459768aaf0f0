"""Finds phone numbers in a text: mobiles, landlines with their area codes, 400 and 800 numbers.

Carriers' filters stop texts with a contact that was not registered with the template.
"""

import re
from collections.abc import Iterator

from worker.domain.errors import Problem

#: A number stands alone: digits beside it make it an order's or a parcel's. What is no digit may
#: stand between its groups, as people write it.
_PHONE_NUMBER = re.compile(
    r"(?<![\dA-Za-z])(?:"
    r"(?:(?:\+|00)?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}"
    r"|[48]00[ -]?\d{3}[ -]?\d{4}|[48]00[ -]?\d{4}[ -]?\d{3}"
    r"|\(0\d{2,3}\) ?\d{7,8}|0\d{2,3}-?\d{7,8}"
    r")(?![\dA-Za-z])"
)

#: Full-width digits and marks, each to what it is in ASCII.
_NARROW = str.maketrans("０１２３４５６７８９＋－（）", "0123456789+-()")


def problems(text: str) -> Iterator[Problem]:
    """Yield the place of the first phone number of a text, which itself is not repeated."""
    match = _PHONE_NUMBER.search(text.translate(_NARROW))
    if match is not None:
        what = f"has a phone number at character {match.start() + 1}"
        yield Problem("text", f"{what}; leave it out, or use a text that is registered with it")
