"""`python -m tests.attack.attacker`: the attacker's process, its gateway and its receivers in it.

It prints the ports that they listen on, and then does what each line of its input says: honest
calls or attacks for so many seconds, at a field that the first line names. It answers each with
what its calls met with, and ends when its input does.
"""

import argparse
import asyncio
import json
import os
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.attack import wire
from tests.attack.gateway import HostileGateway
from tests.attack.kinds import catalogue
from tests.attack.kinds.base import Field, Kind
from tests.attack.listener import Received, listening, written

#: How long a receiver of the attacker's holds a callback, in seconds, before it answers or not.
HOLD = (9.0, 12.0)
#: How many acts a second begin of those that begin at once.
AT_ONCE_RATE = 200.0


class Attacker:
    """One run: its gateway, its receivers, and how it draws what it does."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.draw = random.Random(options.seed)
        self.gateway = HostileGateway(options.ledger, random.Random(options.seed), options.scale)
        self.is_attacking = False
        self.attacks = catalogue.kinds(options.only, options.sockets)

    async def receive(self, received: Received) -> None:
        """Receive a callback: let those to `/hang/…` wait while the attack goes on."""
        if self.is_attacking and received.path.startswith("/hang/"):
            await asyncio.sleep(self.draw.uniform(*HOLD))
        received.writer.write(written(status="204 No Content"))

    async def act(self, field: Field, what: str, seconds: float) -> dict[str, dict[str, int]]:
        """Make honest calls or attack for so long; return what the calls of each kind met with."""
        self.is_attacking = what == "attack"
        kinds = self.attacks if self.is_attacking else [catalogue.honest(self.attacks)]
        self.gateway.hostile = frozenset(name for kind in kinds for name in kind.accounts)
        tallies = {kind.name: Counter[str]() for kind in kinds}
        await asyncio.gather(
            *(self._keep_up(kind, field, seconds, tallies[kind.name]) for kind in kinds)
        )
        self.is_attacking, self.gateway.hostile = False, frozenset()
        return {name: dict(tally) for name, tally in tallies.items()}

    async def _keep_up(self, kind: Kind, field: Field, seconds: float, tally: Counter[str]) -> None:
        """Begin acts at the kind's rate, by chance as callers do, and cut what is left off."""
        draw = random.Random(f"{self.options.seed} {kind.name}")
        loop = asyncio.get_running_loop()
        begun, end = loop.time(), loop.time() + seconds
        under_way: set[asyncio.Task[None]] = set()
        for next_at in _times(kind, draw, seconds):
            await asyncio.sleep(max(0.0, begun + next_at - loop.time()))
            if len(under_way) < kind.most:
                act = self._one(kind, field, random.Random(draw.random()), tally)
                task = asyncio.create_task(act)
                under_way.add(task)
                task.add_done_callback(under_way.discard)
        await asyncio.sleep(max(0.0, end - loop.time()))
        tally["cut off"] += len(under_way)
        for task in set(under_way):
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def _one(
        self, kind: Kind, field: Field, draw: random.Random, tally: Counter[str]
    ) -> None:
        try:
            tally[await kind.act(field, draw)] += 1
        except wire.NO_ANSWER:
            tally["no answer"] += 1


def _times(kind: Kind, draw: random.Random, seconds: float) -> Iterator[float]:
    """Return when the acts of a kind begin, in seconds from the start."""
    yield from (nth / AT_ONCE_RATE for nth in range(kind.at_once))
    next_at = kind.at_once / AT_ONCE_RATE
    while (next_at := next_at + draw.expovariate(kind.rate)) < seconds:
        yield next_at


async def _serve(options: argparse.Namespace) -> None:
    attacker = Attacker(options)
    loop = asyncio.get_running_loop()
    async with listening(attacker.gateway.answer) as gateway, listening(attacker.receive) as port:
        _say({"gateway": gateway, "receiver": port})
        field = None
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            told = json.loads(line)
            field = field or Field(port, options.scale, **told["field"])
            met = await attacker.act(field, told["do"], told["seconds"])
            _say({"met": met, "opted_out": attacker.gateway.opted_out})


def _say(words: dict[str, Any]) -> None:
    sys.stdout.write(f"{json.dumps(words)}\n")
    sys.stdout.flush()


def main(words: Sequence[str] | None = None) -> None:
    """Do what the input says until it ends."""
    parser = argparse.ArgumentParser(prog="python -m tests.attack.attacker", description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--scale", type=float, default=1.0)
    # The attacker has machines of his own: those of the house come first on this one.
    os.nice(5)
    asyncio.run(_serve(parser.parse_args(words)))


if __name__ == "__main__":
    main()
