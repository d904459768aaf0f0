"""One run: honest calls beside customers, then the attack beside them, then what is left of it."""

import argparse
import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from tests.attack import bounds, inspection, premises
from tests.attack.attacker_process import AttackerProcess, attacking
from tests.attack.bounds import MIB, Bound, Waits
from tests.attack.customer import Customer, Sent
from tests.attack.listener import listening
from tests.attack.premises import Premises
from tests.attack.processes import Memory
from tests.bench.ground import Ground
from tests.support.faults.house import is_quiet
from worker.domain.enums import Scope
from worker.store.db import database

#: systemd's default for a process.
FILES = 1024
WARM_SECONDS = 3.0
#: How long all may take to come to rest after an attack, in seconds.
REST_SECONDS = 120.0
SCOPES = (Scope.SEND, Scope.READ, Scope.CAMPAIGNS)


@dataclass
class Report:
    """What a run came to."""

    text: str
    broken: list[Bound]
    #: What the calls of each kind of attack were answered, and how often.
    met: Mapping[str, Mapping[str, int]]


@dataclass
class Run:
    """A run under way: the house, its customer, and the attacker with a key of it."""

    options: argparse.Namespace
    house: Premises
    engine: Engine
    attacker: AttackerProcess
    customer: Customer

    @property
    def seconds(self) -> float:
        """How long the attack lasts; honest calls stand in its place for half as long before."""
        return float(self.options.minutes) * 40

    async def measure(self) -> Report:
        """Let both parts take place, and return what they came to."""
        async with listening(self.customer.receive) as port:
            await self.customer.ask_for_callbacks(port)
            await self.customer.work(WARM_SECONDS, self.options.codes, 10)
            honest, _ = await self._beside("honest", self.seconds / 2)
            memory, log_size = Memory(self.house.process.pid), self.house.log.stat().st_size
            watch = asyncio.create_task(memory.watch())
            attacked, met = await self._beside("attack", self.seconds)
            watch.cancel()
            log_size = self.house.log.stat().st_size - log_size
            kept = [
                Bound("parts that did not come to rest", not await self._rest(), 0),
                Bound("processes that died", self.house.died(), 0),
                Bound(
                    "processes that did not end", not await asyncio.to_thread(self.house.stop), 0
                ),
                Bound("log a minute", log_size / MIB / (self.seconds / 60), 1, " MiB"),
                *bounds.of_memory(memory),
            ]
        arrivals = inspection.arrivals(self.house.ledger)
        before, after = (bounds.waits(sent, self.customer, arrivals) for sent in (honest, attacked))
        kept = [
            *bounds.of_waits(before, after, self.options.times),
            *self._inspected(met["opted_out"]),
            *kept,
        ]
        return self._report(before, after, met["met"], kept)

    async def _beside(self, what: str, seconds: float) -> tuple[list[Sent], dict[str, Any]]:
        """Have the customer work and the attacker do something at the same time."""
        options = self.options
        return await asyncio.gather(
            self.customer.work(seconds, options.codes, options.recipients),
            self.attacker.act(what, seconds),
        )

    async def _rest(self) -> bool:
        """Wait until nothing is under way and the customer was told all; False if it never is."""
        loop = asyncio.get_running_loop()
        until = loop.time() + REST_SECONDS
        while loop.time() < until:
            if self.customer.knows_all and await asyncio.to_thread(
                is_quiet, self.engine, self.house.settings
            ):
                return True
            await asyncio.sleep(0.5)
        return False

    def _inspected(self, opted_out: list[str]) -> list[Bound]:
        """Inspect what is left in database, ledgers and log."""
        house, customer = self.house, self.customer
        # Both gateways tell what they took: the laws are of all of it.
        with house.ledger.open("ab") as whole:
            whole.write(self.attacker.ledger.read_bytes())
        secrets = [customer.key, self.attacker.field["key"], *house.tokens.values()]
        return [
            *bounds.of_customers(customer, inspection.states(self.engine, customer)),
            *inspection.of_laws(self.engine, house.settings, house.ledger),
            inspection.of_codes(house.ledger, self.seconds),
            *inspection.of_opt_outs(self.engine, opted_out),
            inspection.of_secrets(house.log, customer, secrets),
            Bound("sweeps that failed", inspection.logged(house.log)["tick.failed sweep"], 0),
        ]

    def _report(
        self,
        before: Waits,
        after: Waits,
        met: Mapping[str, Mapping[str, int]],
        kept: Sequence[Bound],
    ) -> Report:
        events = dict(inspection.logged(self.house.log).most_common(8))
        lines = [bounds.table(before, after), ""]
        lines += [f"{name}: {json.dumps(tally)}" for name, tally in met.items()]
        lines += ["", f"logged: {json.dumps(events)}", "", *map(str, kept)]
        return Report("\n".join(lines), [bound for bound in kept if not bound.is_kept], met)


async def run(options: argparse.Namespace, ground: Ground, url: str) -> Report:
    """Run once, and return what it came to."""
    async with attacking(options, ground.folder) as attacker:
        files = min(FILES, options.sockets)
        with premises.running(ground, url, attacker.gateway, files) as house:
            customer = Customer(house.key("shop", *SCOPES), house.web)
            key = house.key("mallory", *SCOPES)
            attacker.field = {"web": house.web, "key": key, "tokens": house.tokens}
            engine = database.connect(url)
            try:
                return await Run(options, house, engine, attacker, customer).measure()
            finally:
                engine.dispose()
