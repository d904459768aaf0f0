"""The sandbox: the server side of five SMS gateways on loopback, for whoever has none at hand.

It answers as the gateways' documents say, keeps a ledger of what it really took, makes reports and
replies later, and misbehaves on command. It is written from the documents, apart from the adapters
in `worker.gateways`, and imports nothing of them: a misreading must not cancel itself out.
"""

from worker.sandbox.client import Control
from worker.sandbox.config import Config, Fsync
from worker.sandbox.ledger import Entry, Taken, Totals, numbers_taken, read, taken, totals
from worker.sandbox.running import Running, Sandbox, serve

__all__ = [
    "Config",
    "Control",
    "Entry",
    "Fsync",
    "Running",
    "Sandbox",
    "Taken",
    "Totals",
    "numbers_taken",
    "read",
    "serve",
    "taken",
    "totals",
]
