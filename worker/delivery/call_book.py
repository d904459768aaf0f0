"""Decide which numbers may be called now, and how long the others wait for their turn."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from worker.domain import recipient_windows
from worker.domain.recipient_windows import CountedCall, Window
from worker.store.delivery.recipient_calls import RecipientKey

#: The windows that limit the calls to some numbers.
WindowsByKey = Mapping[RecipientKey, Collection[Window]]

#: By how much waits are rounded up, in milliseconds: the longest wait, and its step.
_ROUNDING_STEPS = ((10_000, 100), (600_000, 1_000), (86_400_000 * 366, 10_000))


@dataclass
class CallBook:
    """The calls to some numbers, while it is decided which messages may be sent now.

    Times are milliseconds, moments since 1970.
    """

    at: int
    #: For how long a call may be under way at the most.
    max_duration: int
    calls: dict[RecipientKey, list[CountedCall]]
    #: The turns of messages that wait: each of them has to wait for the one before.
    turns: dict[RecipientKey, list[CountedCall]] = field(default_factory=lambda: defaultdict(list))
    #: The numbers to which calls were entered.
    changed_keys: set[RecipientKey] = field(default_factory=set)

    def enter(self, submission_id: int, windows: WindowsByKey, valid_for: int | None) -> int | None:
        """Enter a call and return 0, or return how long its message has to wait.

        None if that is as long as the message is valid: `valid_for`, or None for ever. The calls
        that were made decide about that alone, never the turns of messages that wait before it.
        """
        wait = self._wait(windows, self.calls)
        if wait == 0:
            self._enter_call(submission_id, windows)
            return 0
        if valid_for is not None and wait >= valid_for:
            return None
        calls_and_turns = {key: [*self.calls[key], *self.turns[key]] for key in windows}
        turn_wait = _round_up(self._wait(windows, calls_and_turns))
        if valid_for is None or turn_wait < valid_for:
            wait = turn_wait
        turn_begins = self.at + wait
        for key in windows:
            self.turns[key].append(CountedCall(submission_id, turn_begins, turn_begins))
        return wait

    def _enter_call(self, submission_id: int, windows: WindowsByKey) -> None:
        call = CountedCall(submission_id, self.at, self.at + self.max_duration)
        for key in windows:
            self.calls[key].append(call)
            self.changed_keys.add(key)

    def _wait(
        self, windows: WindowsByKey, calls: Mapping[RecipientKey, Sequence[CountedCall]]
    ) -> int:
        return max(
            recipient_windows.wait(key_windows, calls[key], self.at, self.max_duration)
            for key, key_windows in windows.items()
        )


def _round_up(wait: int) -> int:
    """Round a wait up, so that messages that wait about as long wait together."""
    step = next(step for longest, step in _ROUNDING_STEPS if wait <= longest)
    return -(-wait // step) * step
