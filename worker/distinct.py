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

    def new(self, msisdns: Sequence[str]) -> list[bool]:
        """Take numbers in; says of each whether it was certainly never seen, itself included."""
        marks, found = self._marks, []
        for msisdn in msisdns:
            place = int(msisdn) % _PLACES
            at, bit = place >> 3, _BITS[place & 7]
            before = marks[at]
            found.append(not before & bit)
            marks[at] = before | bit
        return found
