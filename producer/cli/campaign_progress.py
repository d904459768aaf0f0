"""A campaign as it goes: how much is done, how fast, how long it will take."""

import json
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar

from producer.cli import output, waiting_reasons
from producer.cli.session import Session
from worker.domain.enums import CampaignState
from worker.intake import campaigns, lookup
from worker.store.campaigns import CampaignProgress

#: Seconds between two looks, and how many times as long as the last one took.
PACE = 1.0
IDLE = 5
#: Seconds between two lines where nobody looks at a terminal.
LINES = 10.0
#: Looks over which the rate is taken.
WINDOW = 15
_ENDS = {CampaignState.DONE, CampaignState.CANCELLED}


class Rate:
    """How many messages have left the queue each second, over the last looks."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, int]] = deque(maxlen=WINDOW)

    def after(self, at: float, done: int) -> float:
        """Take one more look into account; returns messages per second."""
        self._looks.append((at, done))
        (first, then), (last, now) = self._looks[0], self._looks[-1]
        return max(0.0, (now - then) / (last - first)) if last > first else 0.0


class _Lines:
    """Writes a line when a campaign's state has changed, and now and then while it moves."""

    def __init__(self) -> None:
        self._last: Look | None = None
        self._at = 0.0

    def __call__(self, look: "Look") -> None:
        """Write a line, unless it says nothing new or it is too soon."""
        last, now = self._last, time.monotonic()
        new = last is None or last.found.state is not look.found.state
        moved = last is None or last.found.states != look.found.states or last.why != look.why
        if new or (moved and now >= self._at + LINES):
            self._last, self._at = look, now
            output.hint(look.words())


class _Json:
    """Writes a line of JSON whenever a campaign has moved."""

    def __init__(self) -> None:
        self._last: dict[str, Any] | None = None

    def __call__(self, look: "Look") -> None:
        """Write a line, unless it is the last one again."""
        data = lookup.campaign(look.found) | {"waits_for": look.why}
        if data != self._last:
            self._last = data
            more = {"rate": round(look.rate, 1), "seconds_left": look.seconds_left}
            output.line(json.dumps(data | more, ensure_ascii=False))


def watch(here: Session, campaign_id: int, *, as_json: bool = False) -> CampaignProgress:
    """Show a campaign until it is done or cancelled; returns it as it is then.

    On a terminal as a picture that moves, on standard error; elsewhere there are lines. As JSON
    there is a line on standard output for each change.
    """
    console = output.console(stderr=True)
    if as_json:
        return _looking(here, campaign_id, _Json())
    if not console.is_terminal:
        return _looking(here, campaign_id, _Lines())
    with Live(console=console, transient=True, auto_refresh=False) as live:
        return _looking(here, campaign_id, lambda look: live.update(look.drawn(), refresh=True))


def _looking(here: Session, campaign_id: int, tell: Callable[["Look"], None]) -> CampaignProgress:
    rate = Rate()
    while True:
        began = time.monotonic()
        found = campaigns.show(here.engine, campaign_id)
        speed = rate.after(began, found.total - found.open)
        tell(Look(found, speed, () if speed else tuple(waiting_reasons.why(here, found))))
        if found.state in _ENDS:
            return found
        # Looking itself is work for the database, and more for many submissions.
        time.sleep(max(PACE, IDLE * (time.monotonic() - began)))


@dataclass(frozen=True, slots=True)
class Look:
    """A campaign as it stands: its messages a second, and what it waits for if it stands still."""

    found: CampaignProgress
    rate: float
    why: Sequence[str] = ()

    @property
    def done(self) -> str:
        """How many of its messages have left the queue."""
        return f"{self.found.total - self.found.open} of {self.found.total}"

    @property
    def seconds_left(self) -> int | None:
        """How long the rest will take at this rate; None when nobody knows."""
        if not self.found.open:
            return 0
        return round(self.found.open / self.rate) if self.rate else None

    @property
    def left(self) -> str:
        """How long the rest will take, in words."""
        if not self.found.open:
            return "nothing"
        seconds = self.seconds_left
        return "unknown time" if seconds is None else str(timedelta(seconds=seconds))

    def words(self) -> str:
        """Say in one line how far it is."""
        counts = sorted(self.found.states.items())
        states = ", ".join(f"{number} {state}" for state, number in counts)
        said = f"{self.found.state.value}: {self.done} ({states}), {self.rate:.0f}/s"
        return "; ".join([f"{said}, {self.left} left", *self.why])

    def drawn(self) -> Group:
        """Draw it: a bar, and what is known of it."""
        total, left = max(1, self.found.total), self.found.open
        facts = {
            f"campaign {self.found.id}": self.found.name,
            "state": self.found.state.value,
            "done": self.done,
            "rate": f"{self.rate:.0f}/s",
            "time left": self.left,
            "waits": "; ".join(self.why),
        } | {f"  {state}": number for state, number in sorted(self.found.states.items())}
        bar = ProgressBar(total=total, completed=total - left, width=60)
        return Group(output.facts_made(facts), bar)
