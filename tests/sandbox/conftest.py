"""A sandbox for each test, and plain clients of it."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.sandbox_customers import Clock
from worker.sandbox import Sandbox


@pytest.fixture
def clock() -> Clock:
    """A clock that a test can turn: what the sandbox calls now."""
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


@pytest.fixture
def sandbox(ledger: Path, clock: Clock) -> Iterator[Sandbox]:
    """A sandbox whose reports and replies come at once."""
    with Sandbox(ledger=ledger, report_delay=0, reply_delay=0, clock=clock) as running:
        yield running


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    # Reading certificates would take longer than most of these tests.
    with httpx.Client(trust_env=False, verify=False, timeout=5) as client:
        yield client
