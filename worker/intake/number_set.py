"""Tells exactly which numbers came before, in some two bytes for each.

The set is a hash table with open addressing, made for the seven thousand million mobile numbers. A
table has 2^24 buckets of two bytes. The low 24 bits of a number say in which bucket it belongs; its
tag, the bits above them counted from those of the first mobile number, says which of the numbers of
that bucket it is. Where another number has the bucket, up to 31 more buckets are probed, at
distances that the tag decides. What is stored is the tag and the number of the probe: from these
and the bucket a number follows, so that no two numbers are ever taken for one.
"""

from collections.abc import Sequence

#: The first mobile number (document 001 and its like: 1, then 3 to 9).
_FIRST_MOBILE = 13_000_000_000
#: A table has 2^24 buckets: 32 MiB. Numbers that follow each other have buckets that do, and never
#: collide.
_BUCKET_BITS = 24
_BUCKET_MASK = (1 << _BUCKET_BITS) - 1
#: The bits of an entry that hold the tag; the bits above hold the number of the probe.
_TAG_BITS = 9
#: Tags begin at 1, since an entry of 0 is an empty bucket, and end before this. All mobile numbers
#: have one, and some numbers beside them.
_TAG_END = 1 << _TAG_BITS
_BEFORE_TAGS = (_FIRST_MOBILE >> _BUCKET_BITS) - 1
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
            bucket, tag = number & _BUCKET_MASK, (number >> _BUCKET_BITS) - _BEFORE_TAGS
            # Most find their first bucket empty: its entry is the tag alone.
            if not table[bucket] and 0 < tag < _TAG_END:
                table[bucket] = tag
            elif not self._add_number(number, bucket, tag):
                repeated.append(position)
        return repeated

    def _add_number(self, number: int, bucket: int, tag: int) -> bool:
        """Add a number; False when it is there."""
        if not 0 < tag < _TAG_END:
            size = len(self._other_numbers)
            self._other_numbers.add(number)
            return len(self._other_numbers) > size
        for table in (self._table, *self._further_tables):
            inserted = _insert(table, bucket, tag)
            if inserted is not None:
                return inserted
        self._further_tables.append(_new_table())
        return bool(_insert(self._further_tables[-1], bucket, tag))


def _new_table() -> memoryview:
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
