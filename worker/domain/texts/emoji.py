"""Tells emoji from other characters, by Unicode's properties and not by the plane.

Most rare Han stand beyond the basic plane and are no emoji; many emoji stand in it. A character
that is drawn as a sign unless told otherwise (☎ ©) is an emoji only with U+FE0F behind it.
"""

import re
from collections.abc import Iterator

from worker.domain.errors import Problem

#: Emoji_Presentation in the basic plane (Unicode 17, emoji-data.txt), as code points in hex.
_DRAWN_AS_EMOJI = """
231A-231B 23E9-23EC 23F0 23F3 25FD-25FE 2614-2615 2648-2653 267F 2693 26A1 26AA-26AB 26BD-26BE
26C4-26C5 26CE 26D4 26EA 26F2-26F3 26F5 26FA 26FD 2705 270A-270B 2728 274C 274E 2753-2755 2757
2795-2797 27B0 27BF 2B1B-2B1C 2B50 2B55
"""
#: The other characters there that have the property Emoji, but for digits, # and *.
_DRAWN_AS_SIGNS = """
A9 AE 203C 2049 2122 2139 2194-2199 21A9-21AA 2328 23CF 23ED-23EF 23F1-23F2 23F8-23FA 24C2
25AA-25AB 25B6 25C0 25FB-25FC 2600-2604 260E 2611 2618 261D 2620 2622-2623 2626 262A 262E-262F
2638-263A 2640 2642 265F-2660 2663 2665-2666 2668 267B 267E 2692 2694-2697 2699 269B-269C 26A0
26A7 26B0-26B1 26C8 26CF 26D1 26D3 26E9 26F0-26F1 26F4 26F7-26F9 2702 2708-2709 270C-270D 270F
2712 2714 2716 271D 2721 2733-2734 2744 2747 2763-2764 27A1 2934-2935 2B05-2B07 3030 303D 3297
3299
"""
#: The characters beyond it that have the property Emoji.
_BEYOND_BASIC_PLANE = """
1F004 1F0CF 1F170-1F171 1F17E-1F17F 1F18E 1F191-1F19A 1F1E6-1F1FF 1F201-1F202 1F21A 1F22F
1F232-1F23A 1F250-1F251 1F300-1F321 1F324-1F393 1F396-1F397 1F399-1F39B 1F39E-1F3F0 1F3F3-1F3F5
1F3F7-1F4FD 1F4FF-1F53D 1F549-1F54E 1F550-1F567 1F56F-1F570 1F573-1F57A 1F587 1F58A-1F58D 1F590
1F595-1F596 1F5A4-1F5A5 1F5A8 1F5B1-1F5B2 1F5BC 1F5C2-1F5C4 1F5D1-1F5D3 1F5DC-1F5DE 1F5E1 1F5E3
1F5E8 1F5EF 1F5F3 1F5FA-1F64F 1F680-1F6C5 1F6CB-1F6D2 1F6D5-1F6D8 1F6DC-1F6E5 1F6E9 1F6EB-1F6EC
1F6F0 1F6F3-1F6FC 1F7E0-1F7EB 1F7F0 1F90C-1F93A 1F93C-1F945 1F947-1F9FF 1FA70-1FA7C 1FA80-1FA8A
1FA8E-1FAC6 1FAC8 1FACD-1FADC 1FADF-1FAEA 1FAEF-1FAF8
"""


def _class_of(code_points: str) -> str:
    """Return the inside of a character class for code points and ranges in hex."""
    ends = (part.partition("-") for part in code_points.split())
    return "".join(
        f"{chr(int(first, 16))}-{chr(int(last or first, 16))}" for first, _, last in ends
    )


#: The inside of a character class: what is an emoji alone, and what is one with U+FE0F.
ALONE = _class_of(_DRAWN_AS_EMOJI + _BEYOND_BASIC_PLANE)
WITH_SELECTOR = _class_of(_DRAWN_AS_SIGNS)

# A class with one range beyond the basic plane is searched for fast; most texts have none of these.
_CANDIDATE = re.compile(f"[{_class_of(_DRAWN_AS_EMOJI)}\ufe0f\u20e3\U0001f000-\U0001ffff]")
_EMOJI = re.compile(f"[{ALONE}]|[{WITH_SELECTOR}]\ufe0f|[0-9#*]\ufe0f?\u20e3")


def first(text: str) -> str | None:
    """Return the first emoji of a text, up to its selector or keycap; None where it has none."""
    if _CANDIDATE.search(text) is None:
        return None
    match = _EMOJI.search(text)
    return match[0] if match else None


def problems(text: str) -> Iterator[Problem]:
    """Yield the place of the first emoji of a text."""
    emoji = first(text)
    if emoji is not None:
        what = f"has an emoji at character {text.index(emoji) + 1}"
        yield Problem("text", f"{what}; say it in words")
