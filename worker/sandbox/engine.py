"""The engine: from a request to its answer, by way of the rules, a side and the ledger."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from functools import partial

from worker.sandbox import control, gates, wires
from worker.sandbox.config import Config
from worker.sandbox.exchange import Answer, Call, Request, Submission
from worker.sandbox.ledger import Entry, Ledger
from worker.sandbox.pushes import Pusher
from worker.sandbox.returns import Returns
from worker.sandbox.rules import Plan, Rule, Rules
from worker.sandbox.server import Connection
from worker.sandbox.side import Side
from worker.sandbox.sides import find
from worker.sandbox.world import World

#: How long a connection may take to close, in seconds.
PATIENCE = 1.0


class Engine:
    """One sandbox: all sides, what they know, and what they wrote down."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.clock = config.clock
        self.world = World(config)
        self.rules = Rules(self.world.random)
        self.pusher = Pusher(self.world)
        self.returns = Returns(self.world, self.pusher)
        self.sides: dict[str, Side] = {name: side(self.world) for name, side in find().items()}
        self.ledger = Ledger(config.ledger, config.fsync)
        self.lines: set[Connection] = set()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self.connections = 0
        #: Requests by gateway, call and code.
        self.counts: Counter[tuple[str, str, str]] = Counter()
        self._restore()
        for side in self.sides.values():
            for account in side.accounts():
                self.world.add(account, spent=True)

    def _restore(self) -> None:
        """Know again what an earlier run on this ledger took."""
        for entry in self.ledger.restore():
            if entry.taken and entry.gateway in self.sides:
                taken = _submission(entry)
                self.world.tally(entry.gateway, entry.account, taken)
                self.sides[entry.gateway].remember(entry.account, taken, entry.at)
        self.world.serial = self.ledger.seq

    # Connections call these.

    def connected(self, line: Connection) -> None:
        """Note a connection."""
        self.connections += 1
        self.lines.add(line)
        self._quiet.clear()

    def disconnected(self, line: Connection) -> None:
        """Forget a connection."""
        self.lines.discard(line)
        if not self.lines:
            self._quiet.set()

    def handle(self, request: Request, line: Connection) -> None:
        """Answer one request, sooner or later or never."""
        prefix, _, path = request.path[1:].partition("/")
        if prefix == "_control":
            line.send(control.answer(self, request.method, path, request))
            return
        side = self.sides.get(prefix)
        if side is None:
            line.send(Answer("404", b"no such gateway", status=404))
            return
        request.path = "/" + path
        call = side.read(request)
        plan = self.rules.plan(side.name, call)
        if plan is None:
            answer = side.answer(call)
            self._enter(side, call, answer, "", partial(self._plain, side, call, answer, line))
        else:
            self._misbehave(side, call, plan, line)

    # The steps of an answer.

    def _plain(self, side: Side, call: Call, answer: Answer, line: Connection) -> None:
        if answer.taken is not None:
            self.returns.schedule(side, call, answer.taken, [])
        if self.config.latency:
            line.later(self.config.latency, partial(line.send, answer))
        else:
            line.send(answer)

    def _enter(
        self, side: Side, call: Call, answer: Answer, did: str, then: Callable[[], None]
    ) -> None:
        """Count what happened, write it down, and go on when that is safe."""
        self.counts[side.name, call.name, answer.code] += 1
        if answer.taken is not None:
            self.world.tally(side.name, call.account, answer.taken)
            side.remember(call.account, answer.taken, call.at)
        self.ledger.enter(side.name, call, answer, did, then)

    def _misbehave(self, side: Side, call: Call, plan: Plan, line: Connection) -> None:
        if plan.idle is not None and plan.idle.args.get("when") == "next":
            if line.served:
                cut = Answer("-", b"")
                self._enter(side, call, cut, plan.idle.what, _closing(plan.idle, line))
                return
            # A new connection is not the one that was meant.
            plan.idle.applied -= 1
            plan.idle = None
        answer = None if plan.gate is None else gates.answer(plan.gate, call, side)
        wire = plan.wire
        if plan.gate is not None and wires.named(plan.gate.what) is not None:
            wire = plan.gate
        elif answer is None:
            plan.gate = None
        if answer is None:
            answer = side.answer(call)
        then = partial(self._finish, side, call, answer, plan, wire, line)
        self._enter(side, call, answer, plan.did(), then)

    def _finish(
        self,
        side: Side,
        call: Call,
        answer: Answer,
        plan: Plan,
        wire: Rule | None,
        line: Connection,
    ) -> None:
        """Let reports and replies take their way, wait, and write."""
        if answer.taken is not None:
            self.returns.schedule(side, call, answer.taken, plan.reports)
        wait = self.config.latency
        if plan.latency is not None:
            args = plan.latency.args
            jitter = float(args.get("jitter", 0.0)) * self.world.random.random()
            wait = float(args.get("seconds", 0.0)) + jitter
        write = partial(_write, answer, wire, plan.idle, line)
        if wait:
            line.later(wait, write)
        else:
            write()

    async def close(self) -> None:
        """Stop: write what waits for the ledger, close connections, drop pushes."""
        self.ledger.flush()
        for line in list(self.lines):
            line.close()
        await self.pusher.close()
        # A client that reads nothing would keep its connection open for ever.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._quiet.wait(), PATIENCE)
        for line in list(self.lines):
            line.reset()
        self.ledger.close()


def _submission(entry: Entry) -> Submission:
    return Submission(
        list(entry.taken),
        entry.text,
        entry.segments,
        entry.extension,
        entry.reference,
        entry.id,
        pool=entry.pool,
    )


def _closing(idle: Rule, line: Connection) -> Callable[[], None]:
    return line.reset if idle.args.get("reset") else line.close


def _write(answer: Answer, wire: Rule | None, idle: Rule | None, line: Connection) -> None:
    write = None if wire is None else wires.named(wire.what)
    if wire is None or write is None:
        line.send(answer)
    else:
        write(wires.Case(line, answer, wire.args))
    if idle is not None:
        line.later(float(idle.args.get("delay", 0.0)), _closing(idle, line))
