"""Show the progress of a campaign: how much is done, how fast, how long the rest will take."""

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

from producer.cli import output
from producer.cli.session import Session
from producer.waiting import wait_reasons, waits
from producer.waiting.wait_reasons import WaitCause
from worker.domain.transitions import CAMPAIGN_END_STATES
from worker.intake import campaigns, lookup
from worker.store.intake.campaign_progress import CampaignProgress

#: Seconds between two readings of a campaign; at least this many times what a reading takes.
POLL_SECONDS = 1.0
POLL_COST_FACTOR = 5
#: Seconds between two lines about the same state, where there is no terminal.
LINE_SECONDS = 10.0
#: Readings from which the rate is computed.
RATE_SAMPLES = 15


class RateMeter:
    """Measures how many messages leave the queue each second, over the last readings."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque(maxlen=RATE_SAMPLES)

    def add_sample(self, read_at: float, done_count: int) -> float:
        """Add a reading, made at a time in seconds, and return the messages per second."""
        self._samples.append((read_at, done_count))
        (first_at, first_done), (last_at, last_done) = self._samples[0], self._samples[-1]
        if last_at <= first_at:
            return 0.0
        return max(0.0, (last_done - first_done) / (last_at - first_at))


class _LinePrinter:
    """Prints a line when a campaign's state changes, and every `LINE_SECONDS` while it moves."""

    def __init__(self) -> None:
        self._printed: CampaignSnapshot | None = None
        self._printed_at = 0.0

    def __call__(self, snapshot: "CampaignSnapshot") -> None:
        """Print a line, unless nothing has changed or the last line is too recent."""
        previous, now = self._printed, time.monotonic()
        state_changed = previous is None or previous.campaign.state is not snapshot.campaign.state
        has_moved = (
            previous is None
            or previous.campaign.states != snapshot.campaign.states
            or previous.waits_for != snapshot.waits_for
        )
        if state_changed or (has_moved and now >= self._printed_at + LINE_SECONDS):
            self._printed, self._printed_at = snapshot, now
            output.print_hint(snapshot.as_line())


class _JsonPrinter:
    """Prints a line of JSON whenever a campaign has moved."""

    def __init__(self) -> None:
        self._printed: dict[str, Any] | None = None

    def __call__(self, snapshot: "CampaignSnapshot") -> None:
        """Print a line, unless nothing but the rate has changed since the last one."""
        waits_json = {"waits_for": wait_reasons.as_json(snapshot.waits_for)}
        campaign_json = lookup.campaign_json(snapshot.campaign) | waits_json
        if campaign_json != self._printed:
            self._printed = campaign_json
            rate_json = {"rate": round(snapshot.rate, 1), "seconds_left": snapshot.seconds_left}
            output.print_line(json.dumps(campaign_json | rate_json, ensure_ascii=False))


def watch_campaign(
    session: Session, campaign_id: int, *, as_json: bool = False
) -> CampaignProgress:
    """Show a campaign until it is done or cancelled; returns it as it is then.

    A terminal gets a display that is redrawn, anything else gets lines, both on standard error.
    With `as_json` each change is a line of JSON on standard output.
    """
    console = output.console(stderr=True)
    if as_json:
        return _follow(session, campaign_id, _JsonPrinter())
    if not console.is_terminal:
        return _follow(session, campaign_id, _LinePrinter())
    with Live(console=console, transient=True, auto_refresh=False) as live:
        return _follow(
            session,
            campaign_id,
            lambda snapshot: live.update(snapshot.as_display(), refresh=True),
        )


def _follow(
    session: Session, campaign_id: int, show: Callable[["CampaignSnapshot"], None]
) -> CampaignProgress:
    """Read a campaign and show it, again and again until it has ended."""
    rate_meter = RateMeter()
    while True:
        began = time.monotonic()
        campaign = campaigns.show(session.engine, campaign_id)
        rate = rate_meter.add_sample(began, campaign.total - campaign.open)
        reasons = [] if rate else waits.of_campaign(session.engine, session.settings, campaign)
        show(CampaignSnapshot(campaign, rate, reasons))
        if campaign.state in CAMPAIGN_END_STATES:
            return campaign
        # A reading is work for the database too, more for a campaign of many submissions.
        time.sleep(max(POLL_SECONDS, POLL_COST_FACTOR * (time.monotonic() - began)))


@dataclass(frozen=True, slots=True)
class CampaignSnapshot:
    """A campaign at one moment, with its rate in messages per second.

    When the rate is zero, `waits_for` has the reasons.
    """

    campaign: CampaignProgress
    rate: float
    waits_for: Sequence[WaitCause] = ()

    @property
    def done_of_total(self) -> str:
        """How many of the messages have left the queue, as text."""
        return f"{self.campaign.total - self.campaign.open} of {self.campaign.total}"

    @property
    def seconds_left(self) -> int | None:
        """How long the rest will take at this rate; None when it is not known."""
        if not self.campaign.open:
            return 0
        return round(self.campaign.open / self.rate) if self.rate else None

    @property
    def time_left(self) -> str:
        """How long the rest will take, as text."""
        if not self.campaign.open:
            return "nothing"
        seconds = self.seconds_left
        return "unknown time" if seconds is None else str(timedelta(seconds=seconds))

    def as_line(self) -> str:
        """Return the progress in one line."""
        states = ", ".join(
            f"{count} {state}" for state, count in sorted(self.campaign.states.items())
        )
        progress = (
            f"{self.campaign.state.value}: {self.done_of_total} ({states}), {self.rate:.0f}/s"
        )
        waiting = wait_reasons.sentences(self.waits_for)
        return "; ".join(filter(None, [f"{progress}, {self.time_left} left", waiting]))

    def as_display(self) -> Group:
        """Return the progress as a table of facts above a bar."""
        total, open_count = max(1, self.campaign.total), self.campaign.open
        facts = {
            f"campaign {self.campaign.id}": self.campaign.name,
            "state": self.campaign.state.value,
            "done": self.done_of_total,
            "rate": f"{self.rate:.0f}/s",
            "time left": self.time_left,
            "waits": wait_reasons.sentences(self.waits_for),
        } | {f"  {state}": count for state, count in sorted(self.campaign.states.items())}
        bar = ProgressBar(total=total, completed=total - open_count, width=60)
        return Group(output.facts_table(facts), bar)
