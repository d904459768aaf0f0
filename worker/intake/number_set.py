"""Tells exactly which numbers came before, in some two bytes for each.

The set is a hash table with open addressing, made for the seven thousand million mobile numbers. A
table has 2^24 buckets of two bytes. The low 24 bits of a number say in which bucket it belongs; its
tag, the bits above them, says which of the numbers of that bucket it is. Where another number has
the bucket, up to 31 more buckets are probed, at distances that the tag decides. What is stored is
the tag and the number of the probe: from these and the bucket a number follows, so that no two
numbers are ever taken for one.
"""

from collections.abc import Sequence

#: The first mobile number, and how many there may be (document 001 and its like: 1, then 3 to 9).
_FIRST_MOBILE = 13_000_000_000
_MOBILE_COUNT = 7_000_000_000
#: A table has 2^24 buckets: 32 MiB. Numbers that follow each other have buckets that do, and never
#: collide.
_BUCKET_BITS = 24
_BUCKET_MASK = (1 << _BUCKET_BITS) - 1
#: The bits of an entry that hold the tag; the bits above hold the number of the probe.
_TAG_BITS = 9
#: How many buckets are probed. With 9 of 10 taken, 3 of 100 numbers find none that is free, and go
#: to another table.
MAX_PROBES = 32
#: The distance of two probes is this times the tag, so that numbers that collide once do not
#: collide again at the next probe.
_PROBE_STEP = 0x9E3779


class NumberSet:
    """A set of numbers: 32 MiB for the first 15 million mobile numbers, and as much for the next.

    Numbers of other kinds, which few gateways take, are in a set of integers.
    """

    def __init__(self) -> None:
        self._table = _new_table()
        self._further_tables: list[memoryview] = []
        self._other_numbers: set[int] = set()

    def add(self, msisdns: Sequence[str]) -> list[int]:
        """Add numbers; return the positions of those that were there, or come twice in the list."""
        table, repeated = self._table, []
        for position, number in enumerate(map(int, msisdns)):
            offset = number - _FIRST_MOBILE
            entry = table[offset & _BUCKET_MASK]
            # Most find their first bucket empty: its entry is the tag alone.
            if not entry and 0 <= offset < _MOBILE_COUNT:
                table[offset & _BUCKET_MASK] = (offset >> _BUCKET_BITS) + 1
            elif not self._add_number(number):
                repeated.append(position)
        return repeated

    def _add_number(self, number: int) -> bool:
        """Add a number; False when it is there."""
        offset = number - _FIRST_MOBILE
        if not 0 <= offset < _MOBILE_COUNT:
            size = len(self._other_numbers)
            self._other_numbers.add(number)
            return len(self._other_numbers) > size
        # An entry of 0 is an empty bucket, so tags begin at 1.
        bucket, tag = offset & _BUCKET_MASK, (offset >> _BUCKET_BITS) + 1
        for table in (self._table, *self._further_tables):
            inserted = _insert(table, bucket, tag)
            if inserted is not None:
                return inserted
        self._further_tables.append(_new_table())
        return bool(_insert(self._further_tables[-1], bucket, tag))


def _new_table() -> memoryview:
    # Its pages are taken from the system when something is written to them, and not before.
    return memoryview(bytearray(2 << _BUCKET_BITS)).cast("H")


def _insert(table: memoryview, first_bucket: int, tag: int) -> bool | None:
    """Insert a number; False when the table has it, None when all buckets it may have are taken."""
    for probe in range(MAX_PROBES):
        bucket = (first_bucket + probe * tag * _PROBE_STEP) & _BUCKET_MASK
        entry = tag | probe << _TAG_BITS
        if not table[bucket]:
            table[bucket] = entry
            return True
        if table[bucket] == entry:
            return False
    return None
