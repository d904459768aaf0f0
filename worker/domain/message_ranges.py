"""Name messages by ranges: the messages of a submission in few words, and in their order. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

#: A message: its request and its number there.
MessageKey = tuple[int, int]


@dataclass(frozen=True, slots=True)
class MessageRange:
    """The messages `lo <= n < hi` of a request."""

    request_id: int
    lo: int
    hi: int

    def __len__(self) -> int:
        """Return how many messages it names."""
        return self.hi - self.lo


def joined(keys: Iterable[MessageKey]) -> tuple[MessageRange, ...]:
    """Return the ranges that name messages in the order of `keys`, as few as may be."""
    ranges: list[MessageRange] = []
    request_id = lo = hi = None
    for key_request_id, n in keys:
        if key_request_id == request_id and n == hi:
            hi = n + 1
            continue
        if request_id is not None and lo is not None and hi is not None:
            ranges.append(MessageRange(request_id, lo, hi))
        request_id, lo, hi = key_request_id, n, n + 1
    if request_id is not None and lo is not None and hi is not None:
        ranges.append(MessageRange(request_id, lo, hi))
    return tuple(ranges)


def keys_in(ranges: Iterable[MessageRange]) -> Iterator[MessageKey]:
    """Yield the messages of ranges, in their order."""
    for message_range in ranges:
        for n in range(message_range.lo, message_range.hi):
            yield message_range.request_id, n
