"""Test an application that enqueues: what it would have sent, without a database or a broker.

    from producer import testing

    with testing.outbox() as sent:
        order.ship()
    assert sent[0].to == "13800138000"

For pytest, `from producer.testing.fixtures import sms_outbox` in a `conftest.py` makes a fixture.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import producer
from producer.testing.capture import CapturingProducer
from producer.testing.sent_message import SentMessage
from worker.config.settings import load

__all__ = ["SentMessage", "outbox"]


@contextmanager
def outbox(config: str | Path | None = None) -> Iterator[list[SentMessage]]:
    """Lend the list of what the functions of `producer` send while the block runs, in all threads.

    They check as ever, so that a wrong number raises `Refused`, and repeat a key as ever. Nothing
    is stored, and a message is in the list at once, whether the transaction that it was to join
    commits or not. With `config` texts and accounts are checked as those of that configuration;
    without, an account of any name carries what some gateway can.
    """
    settings = None if config is None else load(config)
    capturing = CapturingProducer(settings)
    with producer.replaced_default(capturing):
        yield capturing.sent
