"""The sandbox: the server side of SMS gateways on loopback, for tests and demonstrations.

It answers as the gateways' documents say, keeps a ledger of what it really took, makes reports and
replies later, and misbehaves on command. It is written from the documents, apart from the adapters
in `worker.gateways`, and imports nothing of them: a document that was misread once must not be
misread in the same way by both.
"""

from worker.sandbox.client import ControlClient
from worker.sandbox.config import Config, Fsync
from worker.sandbox.ledger import (
    LedgerEntry,
    LedgerTotals,
    TakenMessage,
    numbers_taken,
    read,
    taken,
    totals,
)
from worker.sandbox.running import RunningSandbox, Sandbox, serve

__all__ = [
    "Config",
    "ControlClient",
    "Fsync",
    "LedgerEntry",
    "LedgerTotals",
    "RunningSandbox",
    "Sandbox",
    "TakenMessage",
    "numbers_taken",
    "read",
    "serve",
    "taken",
    "totals",
]
