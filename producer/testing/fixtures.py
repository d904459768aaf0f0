"""Fixtures for pytest: import them in a `conftest.py`."""

from collections.abc import Iterator

import pytest

from producer.testing import SentMessage, outbox


@pytest.fixture
def sms_outbox() -> Iterator[list[SentMessage]]:
    """What the functions of `producer` send during a test; nothing leaves it."""
    with outbox() as sent:
        yield sent
