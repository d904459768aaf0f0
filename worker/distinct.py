"""Telling numbers that were seen before, in memory that does not grow with their count.

A filter of a fixed size: whatever it calls new is new; what it calls known was seen before, or only
looks like it (2 of 1,000 in the first million, a tenth in 60 million), and has to be looked up.
"""

from collections.abc import Sequence

#: Bits of the filter; 32 MiB. Neighbouring numbers have neighbouring bits, so lists of them never
#: collide.
_PLACES = 1 << 28
_BITS = tuple(1 << nth for nth in range(8))


class Seen:
    """Numbers that were seen, as a set that forgets none and takes some for others."""

    def __init__(self) -> None:
        self._marks = bytearray(_PLACES >> 3)

    def doubtful(self, msisdns: Sequence[str]) -> list[int]:
        """Take numbers in; says which, by their places, may have been seen before.

        The others certainly were not, themselves included.
        """
        marks, found, last = self._marks, [], (_PLACES >> 3) - 1
        for nth, number in enumerate(map(int, msisdns)):
            at, bit = number >> 3 & last, _BITS[number & 7]
            before = marks[at]
            if before & bit:
                found.append(nth)
            marks[at] = before | bit
        return found
