"""Telling numbers that were seen before: exactly, in two bytes for each.

A table of 2^24 places stands for the seven thousand million mobile numbers: a number belongs to the
place that its last bits say, and the mark that is left there says the rest of it. Where a place is
taken by another number, up to 31 others are tried, each as far away as the mark says; the mark says
which try it was, so that what stands in a table is always one number and no other.
"""

from collections.abc import Sequence

#: The first mobile number, and how many there may be (document 001 and its like: 1, then 3 to 9).
_FIRST = 13_000_000_000
_COUNT = 7_000_000_000
#: Places of a table: 32 MiB. Neighbouring numbers have neighbouring places, and never collide.
_BITS = 24
_LAST = (1 << _BITS) - 1
#: Marks below this say what is left of a number; the bits above, which try it was.
_TRY = 9
#: Places that are tried: with 9 of 10 taken, 3 of 100 numbers find none and go to another table.
PLACES = 32
#: How far apart tries are, times the mark: so that numbers that meet once do not meet again.
_STEP = 0x9E3779


class NumberSet:
    """Numbers that were seen: 32 MiB for the first 15 million mobile numbers, and as much for more.

    Others, which few gateways take, are kept as they are.
    """

    def __init__(self) -> None:
        self._table = _empty()
        self._more: list[memoryview] = []
        self._others: set[int] = set()

    def repeated(self, msisdns: Sequence[str]) -> list[int]:
        """Take numbers in; says by their places which were seen before, in this list or another."""
        table, found = self._table, []
        for nth, number in enumerate(map(int, msisdns)):
            place = number - _FIRST
            mark = (place >> _BITS) + 1
            before = table[place & _LAST]
            # Most find their own place empty.
            if not before and 0 <= place < _COUNT:
                table[place & _LAST] = mark
            elif not self._new(number):
                found.append(nth)
        return found

    def _new(self, number: int) -> bool:
        place = number - _FIRST
        if not 0 <= place < _COUNT:
            before = len(self._others)
            self._others.add(number)
            return len(self._others) > before
        at, mark = place & _LAST, (place >> _BITS) + 1
        for table in (self._table, *self._more):
            new = _put(table, at, mark)
            if new is not None:
                return new
        self._more.append(_empty())
        return bool(_put(self._more[-1], at, mark))


def _empty() -> memoryview:
    # Its pages are taken from the system when something is written to them, and not before.
    return memoryview(bytearray(2 << _BITS)).cast("H")


def _put(table: memoryview, at: int, mark: int) -> bool | None:
    """Put a number where it belongs; False when it is there, None when all its places are taken."""
    for nth in range(PLACES):
        place = (at + nth * mark * _STEP) & _LAST
        own = mark | nth << _TRY
        if not table[place]:
            table[place] = own
            return True
        if table[place] == own:
            return False
    return None
