"""The attacker as a process of its own, spoken to by lines."""

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.ground import ROOT

#: The longest line that it says, in bytes.
LONGEST = 64 * 1024 * 1024


@dataclass
class AttackerProcess:
    """The attacker, as it is spoken to from here."""

    process: asyncio.subprocess.Process
    ledger: Path
    #: The port of its gateway.
    gateway: int = 0
    #: What it is told of the place that it attacks.
    field: dict[str, Any] = field(default_factory=dict)

    async def act(self, what: str, seconds: float) -> dict[str, Any]:
        """Have it make `honest` calls or `attack` for so long; return what it met with."""
        words = {"field": self.field, "do": what, "seconds": seconds}
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(words).encode() + b"\n")
        return await self.hear()

    async def hear(self) -> dict[str, Any]:
        """Read what it says next."""
        assert self.process.stdout is not None
        heard: dict[str, Any] = json.loads(await self.process.stdout.readline())
        return heard


@asynccontextmanager
async def attacking(options: argparse.Namespace, folder: Path) -> AsyncIterator[AttackerProcess]:
    """Run the attacker's process; it ends with the block."""
    ledger = folder / "hostile.jsonl"
    ledger.touch()
    words = ["-m", "tests.attack.attacker", f"--seed={options.seed}", f"--ledger={ledger}"]
    words += [f"--sockets={options.sockets}", f"--scale={options.scale}", "--only", *options.only]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, cwd=ROOT, stdin=pipe, stdout=pipe, limit=LONGEST
    )
    try:
        attacker = AttackerProcess(process, ledger)
        attacker.gateway = (await attacker.hear())["gateway"]
        yield attacker
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
