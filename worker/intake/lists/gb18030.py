"""GB18030 beyond what Python's codec knows, and the evidence that a file is in it.

The codec knows the standard of 2000, in which some characters that were not in Unicode then are of
private use; the standard of 2022 says which they are now.
"""

import codecs
import re
from collections import Counter

#: Private-use characters of the standard of 2000, and what they are since 2022.
_MODERN = {
    **dict(zip(range(0xE78D, 0xE797), "︐︒︑︓︔︕︖︗︘︙", strict=True)),
    **dict(zip((0xE7C7, 0xE816, 0xE817, 0xE818, 0xE81E), "ḿ𠂇𠂉𠃌龴", strict=True)),
    **dict(zip((0xE826, 0xE82B, 0xE82C, 0xE831, 0xE832), "龵龶龷𡗗龸", strict=True)),
    **dict(zip((0xE83B, 0xE843, 0xE854, 0xE855, 0xE864), "𢦏龹龺𤇾龻", strict=True)),
}
_PRIVATE = re.compile("[\ue000-\uf8ff]")
_ASCII = "".join(map(chr, range(128)))


def modern(text: str) -> str:
    """Return a text as the standard of 2022 reads it."""
    return text.translate(_MODERN) if _PRIVATE.search(text) else text


def private_use(text: str) -> int | None:
    """Return where a text, which is `modern`, holds a private-use character; None if nowhere."""
    match = _PRIVATE.search(text)
    return match.start() if match else None


def doubt(data: bytes) -> str | None:
    """Return why a beginning of a file that can be read as GB18030 is hardly in it.

    Who writes Chinese uses characters of GB2312 for the most part; what other encodings' bytes are
    in GB18030 is mostly rare. What is in Big5 is common there.
    """
    counts = Counter(_decoded(data, "gb18030"))
    for character in _ASCII:
        del counts[character]
    total = sum(counts.values())
    if not total:
        return None
    supported = sum(count for char, count in counts.items() if _supports(char))
    if supported * 2 < total:
        return "most of its characters are rare in Chinese when it is read as GB18030"
    big5_share = _share_of_common(data, "big5", b"\xa4\x40", b"\xc6\x7e")
    if big5_share > _share_of_common(data, "gb2312", b"\xb0\xa1", b"\xd7\xf9"):
        return "it looks like Big5"
    return None


def _supports(character: str) -> bool:
    """Tell whether a character speaks for GB18030: it is in GB2312, or takes four bytes."""
    try:
        return len(character.encode("gb18030")) == 4 or bool(character.encode("gb2312"))
    except UnicodeEncodeError:
        return False


def _share_of_common(data: bytes, encoding: str, first: bytes, last: bytes) -> float:
    """Return which share of characters is among the common ones of an encoding; 0 if it is none."""
    try:
        counts = Counter(_decoded(data, encoding, "strict" if encoding == "big5" else "replace"))
    except UnicodeDecodeError:
        return 0.0
    for character in _ASCII:
        del counts[character]
    common = sum(
        count
        for char, count in counts.items()
        if char != "\ufffd" and first <= char.encode(encoding) <= last
    )
    return common / max(1, sum(counts.values()))


def _decoded(data: bytes, encoding: str, errors: str = "ignore") -> str:
    """Return a text without a character that is cut off at its end."""
    return codecs.getincrementaldecoder(encoding)(errors).decode(data)
