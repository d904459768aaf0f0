"""Counts the posts under way in one process, and says who may begin another one.

Every post has a place before it begins. A sender takes a place only while it holds less than its
share of those that are free: the more others hold, the less each may, and whoever comes next finds
a place while a dozen senders take all they can. Receivers that were slow share places of their own,
and take none from those that answer at once.
"""

from collections import Counter
from dataclasses import dataclass, field

#: Places of receivers that answer at once, and as many again for slow ones.
MAX_POSTS_PER_KIND = 128
#: Places in all.
MAX_POSTS = 2 * MAX_POSTS_PER_KIND
#: A sender holds at most one place for so many that are free.
FREE_FOR_EACH_HELD = 4
#: Posts under way to one callback at the most.
MAX_POSTS_PER_CALLBACK = 8
#: A receiver that took longer, or did not answer, is slow until it answers within this time.
SLOW_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Place:
    """The place of one post: whose it is, and whether it is one of those for slow receivers."""

    callback_id: int
    sender: str
    slow: bool


@dataclass(slots=True)
class CallbackPlaces:
    """The places of one process."""

    _by_callback: Counter[int] = field(default_factory=Counter)
    _by_sender: Counter[tuple[str, bool]] = field(default_factory=Counter)
    _by_kind: Counter[bool] = field(default_factory=Counter)
    _slow_callbacks: set[int] = field(default_factory=set)

    def is_full(self) -> bool:
        """Tell whether no callback at all has room."""
        return min(self._by_kind[False], self._by_kind[True]) >= MAX_POSTS_PER_KIND

    def room(self, callback_id: int, sender: str) -> int:
        """Return how many more posts a callback may begin, if nobody else begins any."""
        slow = callback_id in self._slow_callbacks
        held, free = self._by_sender[sender, slow], MAX_POSTS_PER_KIND - self._by_kind[slow]
        # Each post that begins is one more held and one less free.
        share = -(-(free - FREE_FOR_EACH_HELD * held) // (FREE_FOR_EACH_HELD + 1))
        return max(0, min(MAX_POSTS_PER_CALLBACK - self._by_callback[callback_id], share))

    def take(self, callback_id: int, sender: str) -> Place:
        """Count a post that begins; `release` its place when it has ended."""
        place = Place(callback_id, sender, callback_id in self._slow_callbacks)
        self._count(place, 1)
        return place

    def release(self, place: Place) -> None:
        """Give a place back."""
        self._count(place, -1)

    def note_pace(self, place: Place, seconds: float) -> None:
        """Note how long a post took, or was waited for."""
        if seconds > SLOW_SECONDS:
            self._slow_callbacks.add(place.callback_id)
        else:
            self._slow_callbacks.discard(place.callback_id)

    def _count(self, place: Place, change: int) -> None:
        self._by_callback[place.callback_id] += change
        self._by_sender[place.sender, place.slow] += change
        self._by_kind[place.slow] += change
