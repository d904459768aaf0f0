"""An outage is told when it begins, once a minute, and when it is over; libraries have a name."""

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from worker import outages
from worker.outages import Outage
from worker.runtime import logs


class Told:
    """An outage with a clock to turn, and the lines that it was told by."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.lines: list[tuple[str, dict[str, object]]] = []
        self.outage = Outage(
            lambda **fields: self.lines.append(("away", fields)),
            lambda **fields: self.lines.append(("back", fields)),
            lambda: self.now,
        )


def test_it_is_told_once_when_it_begins_and_once_when_it_is_over() -> None:
    told = Told()
    told.outage.answered()
    for _ in range(50):
        told.outage.failed("refused")
        told.now += 1.0
    assert told.outage.is_away
    told.outage.answered()
    told.outage.answered()
    assert told.lines == [
        ("away", {"why": "refused", "times": 1, "seconds": 0.0}),
        ("back", {"seconds": 50.0}),
    ]
    assert not told.outage.is_away


def test_it_is_told_again_each_minute_with_how_often_it_failed() -> None:
    told = Told()
    for _ in range(150):
        told.outage.failed("refused")
        told.now += 1.0
    assert [fields["seconds"] for _, fields in told.lines] == [0.0, 60.0, 120.0]
    assert [fields["times"] for _, fields in told.lines] == [1, 60, 60]


def test_failures_between_answers_are_told_once_a_minute_at_the_most() -> None:
    told = Told()
    for _ in range(100):
        told.outage.failed("locked")
        told.outage.answered()
        told.now += 1.0
    assert [name for name, _ in told.lines] == ["away", "back"] * 2


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What a worker process logs."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure("INFO", json=True)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_a_line_of_a_library_has_a_name_and_its_sentence_beside(output: io.StringIO) -> None:
    logging.getLogger("celery.worker").warning("Something %s\nhappened", "odd")
    line = json.loads(output.getvalue())
    assert line["event"] == "library.log"
    assert line["library"] == "celery.worker"
    assert line["says"] == "Something odd happened"
    assert line["level"] == "warning"


def test_celery_s_tries_to_reach_the_broker_are_one_outage(
    output: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told()
    monkeypatch.setattr(outages, "BROKER", told.outage)
    consumer = logging.getLogger("celery.worker.consumer.consumer")
    for _ in range(5):
        consumer.error(
            "consumer: Cannot connect to %s: %s.\n%s\n", "redis://x//", OSError("x"), "again"
        )
    logging.getLogger("celery.worker.consumer.connection").info("Connected to %s", "redis://x//")
    assert output.getvalue() == ""
    assert [name for name, _ in told.lines] == ["away", "back"]
    assert told.lines[0][1]["why"] == "OSError"
