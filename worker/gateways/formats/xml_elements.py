"""Reads XML element by element in bounded memory: no tree is built, and no name is resolved.

Elements are known by their local names, because ihuyi's namespace varies by host (public captures),
and rows are cut out of answers whose first element declared their prefix.
"""

from collections.abc import Callable, Sequence
from xml.parsers import expat

#: How deep elements may stand in each other. The deepest that is known, a row's field in a page in
#: a SOAP answer, is the seventh; each level costs memory, whatever closes it.
MAX_DEPTH = 32
#: How many names of elements and attributes an answer may use: the parser keeps each to the end.
MAX_NAMES = 1000
#: The longest tag, in bytes: the parser holds it, and its attributes, as a whole.
MAX_TAG_BYTES = 256 * 1024
_PIECE_BYTES = 64 * 1024

#: Takes the local names from the first element down to the one that ended, and the text in it.
OnEnd = Callable[[Sequence[str], str], None]


def read(text: str, on_end: OnEnd) -> None:
    """Call `on_end` with each element that ends, in their order; its text ends at its first child.

    Raises `ValueError` at the first fault, or where a limit of this module is passed: what ended
    before has been handed over.
    """
    data = text.encode("utf-8")
    parser = _Elements(on_end).parser
    try:
        for start in range(0, len(data), _PIECE_BYTES):
            parser.Parse(data[start : start + _PIECE_BYTES], False)  # noqa: FBT003 - no keyword
            if start - parser.CurrentByteIndex > MAX_TAG_BYTES:
                msg = "a tag is too long"
                raise ValueError(msg)
        parser.Parse(b"", True)  # noqa: FBT003 - no keyword
    except expat.ExpatError as error:
        raise ValueError(str(error)) from None


class _Elements:
    """Follows the parser through the elements that are open."""

    def __init__(self, on_end: OnEnd) -> None:
        self._on_end = on_end
        self._names: list[str] = []
        #: Of each open element its text, once it is known where that ends.
        self._texts: list[str | None] = []
        self._pieces: list[str] = []
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = True
        self.parser.buffer_size = _PIECE_BYTES
        self.parser.StartElementHandler = self._start
        self.parser.CharacterDataHandler = self._pieces.append
        self.parser.EndElementHandler = self._end

    def _start(self, name: str, _attributes: object) -> None:
        if len(self._names) >= MAX_DEPTH:
            msg = "elements are nested too deep"
            raise ValueError(msg)
        if len(self.parser.intern) > MAX_NAMES:
            msg = "there are too many names"
            raise ValueError(msg)
        if self._texts and self._texts[-1] is None:
            self._texts[-1] = "".join(self._pieces)
        self._pieces.clear()
        self._names.append(name.rpartition(":")[2])
        self._texts.append(None)

    def _end(self, _name: str) -> None:
        text = self._texts.pop()
        self._on_end(self._names, "".join(self._pieces) if text is None else text)
        self._pieces.clear()
        self._names.pop()
