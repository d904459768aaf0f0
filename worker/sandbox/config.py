"""Defines the settings of a sandbox."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from worker.sandbox.exchange import TakenSubmission

#: When a ledger line that takes messages is forced to the disk: for each request, once for all
#: requests of one turn of the loop, or never (only to measure how fast the server can be).
Fsync = Literal["each", "group", "none"]


@dataclass(kw_only=True)
class Config:
    """Settings of a sandbox; times in seconds."""

    #: The ledger's file; None keeps no ledger.
    ledger: Path | str | None = None
    #: A loopback address; anything else is refused.
    host: str = "127.0.0.1"
    #: 0 takes any free port.
    port: int = 0
    fsync: Fsync = "each"
    #: From taking a message to its report.
    report_delay: float = 0.2
    #: How much more a late report takes.
    late_delay: float = 5.0
    #: From taking a message to the handset's reply, where there is one.
    reply_delay: float = 0.3
    #: From taking a message to the answer.
    latency: float = 0.0
    #: Whether ihuyi's limits per number hold (4080 and 4082 of document 002).
    limits: bool = True
    #: The seed of random choices and identifiers.
    seed: int = 0
    clock: Callable[[], float] = time.time
    #: Is told of each submission that was taken, with its gateway.
    on_taken: Callable[[str, TakenSubmission], None] | None = None
