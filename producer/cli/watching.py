"""A campaign as it goes: how much is done, how fast, how long it will take."""

import time
from collections import deque
from collections.abc import Callable
from datetime import timedelta

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from sqlalchemy import Engine

from producer.cli import output
from worker import campaigns
from worker.store.campaigns import Progress
from worker.terms import CampaignState

#: Seconds between two looks.
PACE = 1.0
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
    """Writes a line whenever a campaign has moved."""

    def __init__(self) -> None:
        self._last: tuple[object, object] | None = None

    def __call__(self, found: Progress, rate: float) -> None:
        if self._last != (found.state, found.states):
            self._last = (found.state, found.states)
            output.hint(words(found, rate))


def watch(engine: Engine, campaign_id: int) -> Progress:
    """Show a campaign on standard error until it is done or cancelled; returns it as it is then."""
    console = output.console(stderr=True)
    if not console.is_terminal:
        return _looking(engine, campaign_id, _Lines())
    with Live(console=console, transient=True, auto_refresh=False) as live:
        return _looking(
            engine,
            campaign_id,
            lambda found, rate: live.update(view(found, rate), refresh=True),
        )


def _looking(engine: Engine, campaign_id: int, tell: Callable[[Progress, float], None]) -> Progress:
    rate = Rate()
    while True:
        found = campaigns.show(engine, campaign_id)
        tell(found, rate.after(time.monotonic(), found.total - found.open))
        if found.state in _ENDS:
            return found
        time.sleep(PACE)


def words(found: Progress, rate: float) -> str:
    """Say in one line how far a campaign is."""
    done = f"{found.total - found.open} of {found.total}"
    states = ", ".join(f"{number} {state}" for state, number in sorted(found.states.items()))
    return f"{found.state.value}: {done} ({states}), {rate:.0f}/s, {left(found, rate)} left"


def left(found: Progress, rate: float) -> str:
    """Say how long the rest will take at this rate."""
    if not found.open:
        return "nothing"
    return str(timedelta(seconds=round(found.open / rate))) if rate else "unknown time"


def view(found: Progress, rate: float) -> Group:
    """Draw a campaign: a bar, and what is known of it."""
    done = found.total - found.open
    bar = ProgressBar(total=max(1, found.total), completed=done, width=60)
    facts = output.facts_made(
        {
            f"campaign {found.id}": found.name,
            "state": found.state.value,
            "done": f"{done} of {found.total}",
            "rate": f"{rate:.0f}/s",
            "time left": left(found, rate),
        }
        | {f"  {state}": number for state, number in sorted(found.states.items())}
    )
    return Group(facts, bar)
