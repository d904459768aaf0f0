"""One run: honest calls beside customers, then the attack beside them, then what is left of it."""

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from tests.attack import bounds, inspection, premises
from tests.attack.bounds import MIB, Bound
from tests.attack.customer import Customer
from tests.attack.listener import listening
from tests.attack.premises import Premises
from tests.attack.processes import Memory
from tests.bench.ground import ROOT, Ground
from tests.support.faults.house import is_quiet
from worker.domain.enums import Scope
from worker.store.db import database

#: systemd's default for a process.
FILES = 1024
WARM_SECONDS = 3.0
#: How long all may take to come to rest after an attack, in seconds.
REST_SECONDS = 120.0


@dataclass
class Report:
    """What a run came to."""

    text: str
    broken: list[Bound]
    #: What the calls of each kind of attack were answered, and how often.
    met: Mapping[str, Mapping[str, int]]


@dataclass
class AttackerProcess:
    """The attacker, as it is spoken to from here."""

    process: asyncio.subprocess.Process
    ledger: Path
    gateway: int = 0
    field: dict[str, Any] = field(default_factory=dict)

    async def act(self, what: str, seconds: float) -> dict[str, Any]:
        """Have it make honest calls or attack for so long; return what it met with."""
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
        sys.executable, *words, cwd=ROOT, stdin=pipe, stdout=pipe, limit=64 * MIB
    )
    try:
        attacker = AttackerProcess(process, ledger)
        attacker.gateway = (await attacker.hear())["gateway"]
        yield attacker
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def run(options: argparse.Namespace, ground: Ground, url: str) -> Report:
    """Run once, and return what it came to."""
    files = min(FILES, options.sockets)
    async with attacking(options, ground.folder) as attacker:
        with premises.running(ground, url, attacker.gateway, files) as house:
            engine = database.connect(url)
            try:
                return await _beside(options, house, attacker, engine)
            finally:
                engine.dispose()


async def _beside(
    options: argparse.Namespace, house: Premises, attacker: AttackerProcess, engine: Engine
) -> Report:
    customer = Customer(house.key("shop", Scope.SEND, Scope.READ, Scope.CAMPAIGNS), house.web)
    key = house.key("mallory", Scope.SEND, Scope.READ, Scope.CAMPAIGNS)
    attacker.field = {"web": house.web, "key": key, "tokens": house.tokens}
    seconds = options.minutes * 60
    async with listening(customer.receive) as port:
        await customer.ask_for_callbacks(port)
        await customer.work(WARM_SECONDS, options.codes, 10)
        honest, _ = await asyncio.gather(
            customer.work(seconds / 3, options.codes, options.recipients),
            attacker.act("honest", seconds / 3),
        )
        memory, log_before = Memory(house.process.pid), house.log.stat().st_size
        watch = asyncio.create_task(_watch(memory))
        attacked, said = await asyncio.gather(
            customer.work(seconds * 2 / 3, options.codes, options.recipients),
            attacker.act("attack", seconds * 2 / 3),
        )
        watch.cancel()
        log_size = house.log.stat().st_size - log_before
        rested = await _rest(house, engine, customer)
        died = house.died()
        ended = await asyncio.to_thread(house.stop)
    arrivals = inspection.arrivals(house.ledger)
    logged = inspection.logged(house.log)
    before = bounds.waits(honest, customer, arrivals)
    after = bounds.waits(attacked, customer, arrivals)
    # Both gateways tell what they took: the laws are of all of it.
    with house.ledger.open("ab") as whole:
        whole.write(attacker.ledger.read_bytes())
    kept = [
        *bounds.of_waits(before, after, options.times),
        *bounds.of_customers(customer, inspection.states(engine, customer)),
        *inspection.of_laws(engine, house.settings, house.ledger),
        inspection.of_codes(house.ledger),
        inspection.of_opt_outs(engine, said["opted_out"]),
        inspection.of_secrets(house.log, customer, key, [*house.tokens.values()]),
        Bound("parts that did not come to rest", not rested, 0),
        Bound("sweeps that failed", logged["tick.failed sweep"], 0),
        Bound("processes that died", died, 0),
        Bound("processes that did not end when told", not ended, 0),
        Bound("log a minute", log_size / MIB / (seconds * 2 / 3 / 60), 1, " MiB"),
        *bounds.of_memory(memory),
    ]
    met = "\n".join(f"{name}: {json.dumps(tally)}" for name, tally in said["met"].items())
    events = f"logged: {json.dumps(dict(logged.most_common(8)))}"
    text = "\n".join([bounds.table(before, after), "", met, events, "", *map(str, kept)])
    return Report(text, [bound for bound in kept if not bound.is_kept], said["met"])


async def _watch(memory: Memory) -> None:
    while True:
        await asyncio.sleep(0.5)
        memory.look()


async def _rest(house: Premises, engine: Engine, customer: Customer) -> bool:
    """Wait until nothing is under way and customers were told all; False when it does not come."""
    loop = asyncio.get_running_loop()
    until = loop.time() + REST_SECONDS
    numbers = {number for sent in customer.sent for number in sent.numbers}
    while loop.time() < until:
        told = {number for number, (_, state) in customer.states.items() if state == "delivered"}
        if numbers <= told and await asyncio.to_thread(is_quiet, engine, house.settings):
            return True
        await asyncio.sleep(0.5)
    return False
