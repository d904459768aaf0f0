"""Finds blanks and marks that GBK lacks, and says what looks the same in every charset.

They are worth a warning for any account: which of them carries a text is decided later.
"""

import re
from collections.abc import Iterator

from worker.domain.errors import Problem
from worker.domain.texts.characters import MAX_NAMED, name

_DOUBTFUL = re.compile("[\r\t\xa0\u1680\u2000-\u200a\u202f\u205f¥•‑−・‧⋯〜〝〞﹣⁃]")

#: What looks the same in GBK as a character that it lacks.
SUBSTITUTES = {
    **dict.fromkeys("\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009", " "),
    **dict.fromkeys("\u200a\u202f\u205f", " "),
    **dict.fromkeys("•・‧⁃", "·"),
    **dict.fromkeys("‑−﹣", "-"),
    "¥": "￥",
    "⋯": "…",
    "〜": "～",
    "〝": "“",
    "〞": "”",
}


def problems(text: str) -> Iterator[Problem]:
    """Yield the place of each different blank or look-alike that not every account can carry."""
    if _DOUBTFUL.search(text) is None:
        return
    positions: dict[str, int] = {}
    for match in _DOUBTFUL.finditer(text):
        positions.setdefault(match[0], match.start())
    for character, at in list(positions.items())[:MAX_NAMED]:
        advice = substitution(character) or "; a line feed or a blank says the same everywhere"
        yield Problem("text", f"holds {name(character)} at character {at + 1}{advice}")


def substitution(character: str) -> str:
    """Return the advice to write what looks the same in GBK; "" where nothing does."""
    substitute = SUBSTITUTES.get(character)
    if substitute is None:
        return ""
    shown = "a plain blank" if substitute == " " else f"“{substitute}” (U+{ord(substitute):04X})"
    return f"; {shown} looks the same and every account carries it"
