"""What a process counts and shows to Prometheus, and that it never gets in the way."""

import re
import socket
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from tests.support.stage import Stage, eventually, mobiles
from worker import instrumentation
from worker.domain.enums import MessageClass
from worker.instrumentation import Backend, CallShare
from worker.runtime import metrics
from worker.runtime.prometheus_backend import PrometheusBackend

NOTICE = MessageClass.NOTICE
#: The sandbox refuses it.
REFUSED = "19999992000"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def kind() -> str:
    return "sqlite"


@pytest.fixture
def port() -> Iterator[int]:
    """A port on which nobody listens, nor on the next one."""
    yield eventually(two_free_ports)
    assert not instrumentation.is_on(), "a test left its metrics on"


def two_free_ports() -> int | None:
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        port = int(first.getsockname()[1])
        try:
            second.bind(("127.0.0.1", port + 1))
        except OSError:
            return None
        return port


def scrape(port: int) -> Samples:
    answer = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((name, tuple(sorted(labels.items()))), 0.0)


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
