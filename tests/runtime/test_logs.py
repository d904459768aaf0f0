"""What a run says of itself: events with names, and no whole number, no text, no secret."""

import io
import json
import logging
import re
import sys
from collections.abc import Iterator

import pytest
import structlog

from tests.support.stage import (
    LOGINS,
    Stage,
    eventually,
    mobiles,
)
from worker.domain.enums import MessageState
from worker.runtime import logs

TEXT = "【信使】独一无二的正文"
SECRETS = {
    str(login[key]) for login in LOGINS.values() for key in ("password", "api_key") if key in login
} - {"test", "demo", "9999"}


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What is logged, as a worker process logs it."""
    heard = io.StringIO()
    monkeypatch.setattr(sys, "stderr", heard)
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    logs.configure("DEBUG", json=True)
    yield heard
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize("kind", ["sqlite"])
def test_no_line_of_a_full_run_holds_a_number_a_text_or_a_secret(
    stage: Stage, said: io.StringIO
) -> None:
    """I8, with every kind of trouble on the way and at the level that tells most."""
    stage.sandbox.control.rule("take_then_garbage", numbers=["13700000001"])
    stage.sandbox.control.rule("take_then_502", numbers=["13700000002"])
    stage.sandbox.control.rule("refuse", numbers=["13700000003"], args={"code": "99"})
    stage.sandbox.control.reply("jzyyun", "13700000009", f"{TEXT}T")
    trouble = [f"1370000000{nth}" for nth in range(5)]
    one_by_one = [
        stage.enqueue(number, f"{TEXT}{number[-1]}", account="v1", message_class="otp")
        for number in trouble
    ]
    loaded = stage.producer.enqueue_campaign("sale", [*mobiles(50), "12"], TEXT, skip_bad=True)
    with stage.working():
        waits = {MessageState.QUEUED, MessageState.SUBMITTING}
        eventually(lambda: all(stage.message(one).state not in waits for one in one_by_one))
        eventually(lambda: len(stage.taken()) >= 50)
    assert loaded.total == 50
    events = [json.loads(line) for line in said.getvalue().splitlines()]
    names = {str(event["event"]) for event in events if "owner" in event or "submission" in event}
    assert {"worker.started", "worker.stopped", "submission.accepted"} <= names
    assert all(re.fullmatch(r"[a-z_]+\.[a-z_]+", name) for name in names)
    for number in [*trouble, *mobiles(50), "13700000009"]:
        assert number not in said.getvalue()
    assert "独一无二" not in said.getvalue()
    assert not any(secret in said.getvalue() for secret in SECRETS)
