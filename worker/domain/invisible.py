"""Characters that nobody sees: Unicode's Default_Ignorable_Code_Point."""

import re

#: DerivedCoreProperties.txt of Unicode 16, Default_Ignorable_Code_Point, as a regular expression.
CLASS = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
)
_INVISIBLE = re.compile(f"[{CLASS}]+")
#: Blanks, byte order marks, spaces of no width, and the mark by which DOS ends a file: what stands
#: around a text and is no part of it.
#: Variation selectors and joiners are part of the character before them.
AROUND = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\u00ad\u200b\u2060\ufeff\x1a"


def remove(text: str) -> str:
    """Return a text without any of them."""
    return _INVISIBLE.sub("", text)


def strip(text: str) -> str:
    """Return a text without what stands around it."""
    return text.strip(AROUND)
