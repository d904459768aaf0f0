"""Keeps the events of one process as Prometheus metrics.

Labels are words of our own: classes, outcomes, accounts, carriers, doors, and codes of gateways'
tables. The series of a label appear when it first happens.
"""

from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Generic, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)

from worker.instrumentation import Backend, CallShare

Child = TypeVar("Child")
Labels = tuple[str, ...]

#: Upper bounds of the buckets, in seconds.
ENQUEUE_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2)
QUEUE_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
CALL_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
DELIVERY_SECONDS = (1, 2, 5, 10, 30, 60, 300, 1800, 14400, 86400, 259200)
DATABASE_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)


class _Children(dict[Labels, Child], Generic[Child]):
    """The series of a metric by their labels, each looked up in the library once."""

    def __init__(self, make: Callable[..., Child]) -> None:
        self._make = make

    def __missing__(self, labels: Labels) -> Child:
        child = self[labels] = self._make(*labels)
        return child


class PrometheusBackend(Backend):
    """The counters and histograms of one process, in a registry of its own."""

    def __init__(self, count_spool_entries: Callable[[], int] | None = None) -> None:
        """Make the metrics; `count_spool_entries` is asked whenever they are read."""
        # Series of when each began would double them, and tell nothing that a restart does not.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        by_outcome = ("account", "class", "outcome")
        self._enqueued = self._counter(
            "xinshi_enqueued_messages", "Messages taken in.", "class", "door"
        )
        self._enqueue_duration = self._histogram(
            "xinshi_enqueue_duration_seconds", "How long a door took.", ENQUEUE_SECONDS, "door"
        )
        self._claim_duration = self._histogram(
            "xinshi_claim_duration_seconds", "A claim, with its write-ahead.", DATABASE_SECONDS
        )[()]
        self._queue_wait = self._histogram(
            "xinshi_queue_wait_seconds", "From due to written ahead.", QUEUE_SECONDS, "class"
        )
        self._submissions = self._counter(
            "xinshi_submissions", "Calls, by how most of their messages fared.", *by_outcome
        )
        self._messages = self._counter("xinshi_messages", "Messages of calls.", *by_outcome)
        self._segments = self._counter("xinshi_segments", "Segments of calls.", *by_outcome)
        self._refusals = self._counter(
            "xinshi_refusals", "Messages refused, by code.", "account", "code"
        )
        self._call_duration = self._histogram(
            "xinshi_call_duration_seconds", "Calls of gateways.", CALL_SECONDS, "account"
        )
        self._record_duration = self._histogram(
            "xinshi_record_duration_seconds", "Recording outcomes.", DATABASE_SECONDS
        )[()]
        self._throttled = self._counter(
            "xinshi_throttled", "Claims that an account limited.", "account", "limit"
        )
        self._lost_leases = self._counter(
            "xinshi_lost_leases", "Leases that ran out before their calls were recorded."
        )[()]
        self._reports = self._counter(
            "xinshi_reports", "New delivery reports.", "account", "carrier", "status"
        )
        self._delivery_duration = self._histogram(
            "xinshi_delivery_duration_seconds",
            "From the call to the report that it was delivered.",
            DELIVERY_SECONDS,
            "account",
            "carrier",
        )
        self._inbound = self._counter(
            "xinshi_inbound", "New inbound messages, by what they ask for.", "account", "kind"
        )
        self._opted_out = self._counter("xinshi_opted_out", "New opt-outs.", "source")
        self._callbacks = self._counter("xinshi_callbacks", "Tries at callbacks.", "result")
        build = Gauge("xinshi_build_info", "1.", ("version",), registry=self.registry)
        build.labels(metadata.version("xinshi")).set(1)
        if count_spool_entries is not None:
            spool_entries = Gauge(
                "xinshi_spool_entries",
                "Files that wait on this machine's disk for the database.",
                registry=self.registry,
            )
            spool_entries.set_function(count_spool_entries)

    def _counter(self, name: str, help_text: str, *labels: str) -> _Children[Counter]:
        counter = Counter(name, help_text, labels, registry=self.registry)
        return _Children(counter.labels if labels else lambda: counter)

    def _histogram(
        self, name: str, help_text: str, buckets: Sequence[float], *labels: str
    ) -> _Children[Histogram]:
        histogram = Histogram(name, help_text, labels, buckets=buckets, registry=self.registry)
        return _Children(histogram.labels if labels else lambda: histogram)

    def enqueued(self, message_class: str, door: str, messages: int, seconds: float) -> None:
        """Count a request's messages, and how long its caller waited."""
        self._enqueued[message_class, door].inc(messages)
        self._enqueue_duration[door,].observe(seconds)

    def claim_ended(self, seconds: float) -> None:
        """Count how long a claim took."""
        self._claim_duration.observe(seconds)

    def handed_out(self, message_class: str, waited: float) -> None:
        """Count how long a single message had waited."""
        self._queue_wait[message_class,].observe(waited)

    def call_ended(
        self, account: str, message_class: str, seconds: float, shares: Sequence[CallShare]
    ) -> None:
        """Count a call, its messages, segments and refusals."""
        self._submissions[account, message_class, shares[0].outcome].inc()
        for share in shares:
            labels = (account, message_class, share.outcome)
            self._messages[labels].inc(share.messages)
            self._segments[labels].inc(share.segments)
            if share.code:
                self._refusals[account, share.code].inc(share.messages)
        if seconds:
            self._call_duration[account,].observe(seconds)

    def recorded(self, seconds: float) -> None:
        """Count how long it took to record outcomes."""
        self._record_duration.observe(seconds)

    def throttled(self, account: str, limit: str) -> None:
        """Count a claim that an account limited."""
        self._throttled[account, limit].inc()

    def lost_leases(self, count: int) -> None:
        """Count leases that ran out."""
        self._lost_leases.inc(count)

    def reported(self, account: str, carrier: str, status: str) -> None:
        """Count a report."""
        self._reports[account, carrier, status].inc()

    def delivered(self, account: str, carrier: str, seconds: float) -> None:
        """Count how long a delivery took."""
        self._delivery_duration[account, carrier].observe(seconds)

    def inbound(self, account: str, kind: str) -> None:
        """Count an inbound message."""
        self._inbound[account, kind].inc()

    def opted_out(self, source: str) -> None:
        """Count an opt-out."""
        self._opted_out[source,].inc()

    def callback_tried(self, result: str) -> None:
        """Count a try at a callback."""
        self._callbacks[result,].inc()
