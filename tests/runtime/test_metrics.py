"""What a process counts and shows to Prometheus, and that it never gets in the way."""

import itertools
import re
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.support.metrics_ports import Samples, free_ports, scrape, value
from tests.support.stage import LOGINS, TEXT, Stage, eventually, mobiles
from worker import instrumentation
from worker.config.settings import parse
from worker.delivery.submit import CallAnswer, PreparedSubmission
from worker.domain.enums import Carrier, MessageClass, Outcome, ReplyMeaning, ReportStatus
from worker.gateways.base import Content, OutgoingSubmission
from worker.gateways.results import Result, Results
from worker.instrumentation import Backend, CallShare
from worker.runtime import call_events, metrics
from worker.runtime.prometheus_backend import PrometheusBackend
from worker.store.delivery.claims import Lease

NOTICE = MessageClass.NOTICE
#: The sandbox refuses it.
REFUSED = "19999992000"


@pytest.fixture
def kind() -> str:
    return "sqlite"


@pytest.fixture
def port() -> Iterator[int]:
    """A port on which nobody listens, nor on the next one."""
    yield free_ports(2)
    assert not instrumentation.is_on(), "a test left its metrics on"


def test_what_went_through_is_counted_once_and_in_our_own_words(stage: Stage, port: int) -> None:
    numbers = mobiles(3)
    with stage_with(stage, port).working(NOTICE):
        for number in numbers:
            stage.enqueue(number)
        stage.enqueue(REFUSED)
        eventually(lambda: ended(scrape(port)) == 4)
        samples = scrape(port)
    ours = {"account": "bulk", "class": "notice"}
    assert value(samples, "xinshi_messages_total", **ours, outcome="accepted") == 3
    assert value(samples, "xinshi_refusals_total", account="bulk", code="112") == 1
    assert value(samples, "xinshi_queue_wait_seconds_count", **{"class": "notice"}) == 4
    assert value(samples, "xinshi_call_duration_seconds_count", account="bulk") == sum(
        count for (name, _), count in samples.items() if name == "xinshi_submissions_total"
    )
    assert value(samples, "xinshi_record_duration_seconds_count") >= 1
    assert not any(name.endswith("_created") for name, _ in samples)
    shown = [text for _, labels in samples for _, text in labels]
    assert not [text for text in shown if re.search(r"\d{7,}|【", text)]


def stage_with(stage: Stage, port: int, account: str = "bulk") -> Stage:
    stage.configure(account, metrics_port=port)
    return stage


def ended(samples: Samples) -> float:
    return sum(
        count
        for (name, labels), count in samples.items()
        if name == "xinshi_messages_total" and dict(labels)["outcome"] in {"accepted", "rejected"}
    )


def test_reports_and_replies_are_counted_when_they_are_new(stage: Stage, port: int) -> None:
    with stage_with(stage, port, "jzy").working(NOTICE):
        stage.enqueue(mobiles(2))
        eventually(lambda: delivered(scrape(port)) == 2)
        samples = scrape(port)
    mobile = {"account": "jzy", "carrier": "china_mobile"}
    assert value(samples, "xinshi_delivery_duration_seconds_count", **mobile) == 2


def delivered(samples: Samples) -> float:
    return sum(
        count
        for (name, labels), count in samples.items()
        if name == "xinshi_reports_total" and dict(labels)["status"] == "delivered"
    )


def test_the_wait_of_a_campaign_is_not_that_of_a_message(stage: Stage, port: int) -> None:
    """It may have been loaded hours before somebody started it."""
    with stage_with(stage, port).working(MessageClass.MARKETING):
        stage.producer.enqueue_campaign("sale", mobiles(3), "促销 回T退订")
        stage.enqueue(mobiles(1, 10), "促销 回T退订", message_class="marketing")
        eventually(lambda: ended(scrape(port)) == 4)
        samples = scrape(port)
    assert value(samples, "xinshi_queue_wait_seconds_count", **{"class": "marketing"}) == 1


def test_without_a_port_nothing_is_kept(stage: Stage) -> None:
    stage.configure("bulk")
    with stage.working(NOTICE):
        assert not instrumentation.is_on()
        stage.enqueue(mobiles(1))
    assert type(instrumentation.backend) is Backend


def test_a_port_that_is_taken_is_one_warning_and_stops_no_message(stage: Stage, port: int) -> None:
    stage_with(stage, port)
    listener = socket.create_server(("127.0.0.1", port))
    with listener, capture_logs() as logs, stage.working(NOTICE):
        message = stage.enqueue(mobiles(1)).ids[0]
        eventually(lambda: stage.message(message).state != "queued")
    assert [line["port"] for line in logs if line["event"] == "metrics.not_served"] == [port]


def test_without_the_extra_it_says_what_to_install_and_works_on(
    stage: Stage, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with capture_logs() as logs:
        assert metrics.start(stage_with(stage, port).settings) is None
    (line,) = logs
    assert (line["event"], line["port"]) == ("metrics.not_served", port)
    assert "xinshi[metrics]" in line["why"]


def test_each_child_of_a_worker_has_the_next_port(stage: Stage, port: int) -> None:
    settings = stage_with(stage, port).settings
    server = metrics.start(settings, child=1)
    try:
        assert server is not None
        assert server.port == port + 1
    finally:
        assert server is not None
        server.close()


def test_a_call_that_fared_in_several_ways_counts_each_message_once() -> None:
    backend = PrometheusBackend()
    shares = [CallShare("accepted", "", 98, 196), CallShare("rejected", "other", 2, 4)]
    backend.call_ended("bulk", MessageClass.MARKETING.value, 0.25, shares)
    registry = backend.registry
    labels = {"account": "bulk", "class": "marketing"}
    for metric, accepted, rejected in (("messages", 98, 2), ("segments", 196, 4)):
        name = f"xinshi_{metric}_total"
        assert registry.get_sample_value(name, {**labels, "outcome": "accepted"}) == accepted
        assert registry.get_sample_value(name, {**labels, "outcome": "rejected"}) == rejected
    accepted_calls = {**labels, "outcome": "accepted"}
    assert registry.get_sample_value("xinshi_submissions_total", accepted_calls) == 1
    codes = {"account": "bulk", "code": "other"}
    assert registry.get_sample_value("xinshi_refusals_total", codes) == 2


def fill(backend: Backend, classes: Sequence[MessageClass], account_count: int) -> None:
    """Tell everything that can happen at so many accounts, in every word that there is."""
    for nth in range(account_count):
        account = f"account{nth}"
        for message_class, outcome in itertools.product(classes, Outcome):
            backend.call_ended(account, message_class, 0.1, [CallShare(outcome, "", 1, 1)])
        for code in range(10):
            backend.call_ended(account, classes[0], 0.1, [CallShare("rejected", f"{code}", 1, 1)])
        for limit in ("rate", "concurrency"):
            backend.throttled(account, limit)
        for carrier in (*Carrier, "other"):
            backend.delivered(account, carrier, 3.0)
            for status in ReportStatus:
                backend.reported(account, carrier, status)
        for kind in ("reply", *ReplyMeaning):
            backend.inbound(account, kind)
    for message_class in classes:
        backend.handed_out(message_class, 1.0)
        for door in ("http", "campaign", "celery", "fetion"):
            backend.enqueued(message_class, door, 1, 0.1)


def series_count(backend: PrometheusBackend) -> int:
    return sum(len(family.samples) for family in backend.registry.collect())


def test_fifty_accounts_are_ten_thousand_series_at_the_very_most() -> None:
    """All that ever happened, at once; a worker of one class, and ten of them, stay below."""
    all_classes, one_class = PrometheusBackend(lambda: 0), PrometheusBackend(lambda: 0)
    fill(all_classes, list(MessageClass), 50)
    fill(one_class, [NOTICE], 50)
    assert series_count(PrometheusBackend(lambda: 0)) < 60
    assert series_count(one_class) <= 8_000
    assert series_count(all_classes) <= 10_000


@pytest.mark.slow
def test_a_message_s_events_cost_less_than_three_parts_of_a_hundred_of_the_message() -> None:
    """Of some 450 microseconds of a worker's processor (B2, docs/performance.md); off, nothing."""
    off = min(event_microseconds(Backend()) for _ in range(3))
    on = min(event_microseconds(PrometheusBackend()) for _ in range(3))
    assert off < 1
    assert on < 13


def event_microseconds(backend: Backend, count: int = 100_000) -> float:
    """Return the processor time of the events of one single message."""
    raw = {"accounts": {"codes": {**LOGINS["codes"]}}}
    account = parse(raw, Path()).accounts["codes"]
    content = Content(TEXT, None, None, {}, {})
    lease = Lease(1, 1, "codes", NOTICE, 1, 0, 1, 1, 1, content, "r")
    outgoing = OutgoingSubmission(tuple(mobiles(1)), content, "r")
    results = Results(Result(Outcome.ACCEPTED, "2", "ok", "1"))
    answer = CallAnswer(PreparedSubmission(lease, account, outgoing, 0.0), results, 0.03)
    instrumentation.install(backend)
    began = time.process_time()
    for _ in range(count):
        instrumentation.backend.handed_out("notice", 0.2)
        call_events.tell_call(answer)
    ended = time.process_time()
    instrumentation.install(Backend())
    return (ended - began) / count * 1e6
