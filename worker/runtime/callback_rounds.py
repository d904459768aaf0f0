"""Keeps the order in which callbacks have their turns. Pure.

A round goes over all callbacks that have events, some of them with each look. Among those of one
look whoever was served last comes last.
"""

from collections.abc import Sequence
from itertools import count

from worker.store.feedback.callback_turns import CallbackTurn

#: Callbacks with events that one look reads at the most.
MAX_TURNS_PER_LOOK = 200


class CallbackRounds:
    """The rounds of one process."""

    def __init__(self) -> None:
        #: The last callback of the look before; a look goes on after it.
        self.position = 0
        self._ticket = count(1)
        #: When each callback was served last, as a number that grows.
        self._served: dict[int, int] = {}
        #: How often the end was reached since anybody was served.
        self._fruitless_ends = 0

    def in_order(self, turns: Sequence[CallbackTurn]) -> list[CallbackTurn]:
        """Return the turns of a look, whoever waits longest first."""
        return sorted(turns, key=lambda turn: self._served.get(turn.callback_id, 0))

    def note_served(self, callback_id: int) -> None:
        """Note that a callback has had its turn."""
        self._served[callback_id] = next(self._ticket)

    def move_on(self, turns: Sequence[CallbackTurn], *, fruitful: bool) -> bool:
        """Move on after a look; False when a whole round served nobody, and it is time to wait."""
        at_beginning, at_end = self.position == 0, len(turns) < MAX_TURNS_PER_LOOK
        self.position = 0 if at_end else turns[-1].callback_id
        if fruitful:
            self._fruitless_ends = 0
        elif at_end:
            # A round that began elsewhere is whole when it has come to the end twice.
            self._fruitless_ends += 2 if at_beginning else 1
        if self._fruitless_ends < 2:
            return True
        self._fruitless_ends = 0
        return False
