"""Leads each request to its answer, by way of the rules, a side and the ledger."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from functools import partial

from worker.sandbox import gates, wires
from worker.sandbox.config import Config
from worker.sandbox.exchange import GatewayCall, SandboxAnswer, SandboxRequest, TakenSubmission
from worker.sandbox.ledger import LedgerEntry, LedgerWriter
from worker.sandbox.pushes import PushSender
from worker.sandbox.returns import ReturnScheduler
from worker.sandbox.rule import MisbehaviourPlan, MisbehaviourRule
from worker.sandbox.rules import Rules
from worker.sandbox.server import ClientConnection
from worker.sandbox.side import Side
from worker.sandbox.sides import find
from worker.sandbox.world import World

#: How long the connections may take to close, in seconds.
CLOSE_TIMEOUT = 1.0

#: Answers a request to the control endpoint: the engine, the method, the path behind `/_control/`,
#: and the request.
ControlEndpoint = Callable[["SandboxEngine", str, str, SandboxRequest], SandboxAnswer]


class SandboxEngine:
    """A sandbox: all sides, their state, their ledger, and the requests that come to them.

    `control_endpoint` answers the requests below `/_control/`.
    """

    def __init__(self, config: Config, control_endpoint: ControlEndpoint) -> None:
        self.config = config
        self.clock = config.clock
        self.world = World(config)
        self.rules = Rules(self.world.random)
        self.pusher = PushSender(self.world)
        self.returns = ReturnScheduler(self.world, self.pusher)
        self.sides: dict[str, Side] = {name: side(self.world) for name, side in find().items()}
        self.ledger = LedgerWriter(config.ledger, config.fsync)
        self._control_endpoint = control_endpoint
        self.connections: set[ClientConnection] = set()
        self._all_closed = asyncio.Event()
        self._all_closed.set()
        #: How many connections there ever were.
        self.connection_count = 0
        #: Requests by gateway, call and code.
        self.counts: Counter[tuple[str, str, str]] = Counter()
        self._restore()
        for side in self.sides.values():
            for account in side.accounts():
                self.world.add(account, spent=True)

    def _restore(self) -> None:
        """Count and remember again what an earlier run on this ledger took."""
        for entry in self.ledger.restore():
            if entry.taken and entry.gateway in self.sides:
                submission = _submission_of(entry)
                self.world.tally(entry.gateway, entry.account, submission)
                self.sides[entry.gateway].remember(entry.account, submission, entry.at)
        self.world.serial = self.ledger.seq

    # Connections call these.

    def connected(self, connection: ClientConnection) -> None:
        """Note a connection."""
        self.connection_count += 1
        self.connections.add(connection)
        self._all_closed.clear()

    def disconnected(self, connection: ClientConnection) -> None:
        """Forget a connection."""
        self.connections.discard(connection)
        if not self.connections:
            self._all_closed.set()

    def handle(self, request: SandboxRequest, connection: ClientConnection) -> None:
        """Answer a request, now, later or never."""
        prefix, _, path = request.path[1:].partition("/")
        if prefix == "_control":
            connection.send(self._control_endpoint(self, request.method, path, request))
            return
        side = self.sides.get(prefix)
        if side is None:
            connection.send(SandboxAnswer("404", b"no such gateway", status=404))
            return
        request.path = "/" + path
        call = side.read(request)
        plan = self.rules.plan(side.name, call)
        if plan is None:
            answer = side.answer(call)
            send = partial(self._send_honest_answer, side, call, answer, connection)
            self._record(side, call, answer, "", send)
        else:
            self._misbehave(side, call, plan, connection)

    # The steps of an answer.

    def _send_honest_answer(
        self, side: Side, call: GatewayCall, answer: SandboxAnswer, connection: ClientConnection
    ) -> None:
        """Schedule what comes back, and send the answer after the configured latency."""
        if answer.submission is not None:
            self.returns.schedule(side, call, answer.submission, [])
        if self.config.latency:
            connection.later(self.config.latency, partial(connection.send, answer))
        else:
            connection.send(answer)

    def _record(
        self,
        side: Side,
        call: GatewayCall,
        answer: SandboxAnswer,
        misbehaviour: str,
        proceed: Callable[[], None],
    ) -> None:
        """Count the call, write it to the ledger, and call `proceed` when that is safe."""
        self.counts[side.name, call.name, answer.code] += 1
        if answer.submission is not None:
            self.world.tally(side.name, call.account, answer.submission)
            side.remember(call.account, answer.submission, call.at)
            if self.config.on_taken is not None:
                self.config.on_taken(side.name, answer.submission)
        self.ledger.append(side.name, call, answer, misbehaviour, proceed)

    def _misbehave(
        self, side: Side, call: GatewayCall, plan: MisbehaviourPlan, connection: ClientConnection
    ) -> None:
        """Answer a call as its plan says: by its gate, else by its side, and by its wire."""
        if plan.idle is not None and plan.idle.args.get("when") == "next":
            if connection.served:
                unanswered = SandboxAnswer("-", b"")
                close = _close_action(plan.idle, connection)
                self._record(side, call, unanswered, plan.idle.what, close)
                return
            # The rule is about a kept connection, and this one is new.
            plan.idle.applied -= 1
            plan.idle = None
        answer = None if plan.gate is None else gates.answer(plan.gate, call, side)
        wire_rule = plan.wire
        if plan.gate is not None and wires.find_wire(plan.gate.what) is not None:
            wire_rule = plan.gate
        elif answer is None:
            plan.gate = None
        if answer is None:
            answer = side.answer(call)
        finish = partial(self._finish, side, call, answer, plan, wire_rule, connection)
        self._record(side, call, answer, plan.description(), finish)

    def _finish(
        self,
        side: Side,
        call: GatewayCall,
        answer: SandboxAnswer,
        plan: MisbehaviourPlan,
        wire_rule: MisbehaviourRule | None,
        connection: ClientConnection,
    ) -> None:
        """Schedule what comes back, wait as the plan says, and write the answer."""
        if answer.submission is not None:
            self.returns.schedule(side, call, answer.submission, plan.reports)
        latency = self.config.latency
        if plan.latency is not None:
            args = plan.latency.args
            jitter = float(args.get("jitter", 0.0)) * self.world.random.random()
            latency = float(args.get("seconds", 0.0)) + jitter
        write = partial(_write_answer, answer, wire_rule, plan.idle, connection)
        if latency:
            connection.later(latency, write)
        else:
            write()

    async def close(self) -> None:
        """Stop: write what waits for the ledger, close connections, drop pushes."""
        self.ledger.flush()
        for connection in list(self.connections):
            connection.close()
        await self.pusher.close()
        # A client that reads nothing would keep its connection open for ever.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._all_closed.wait(), CLOSE_TIMEOUT)
        for connection in list(self.connections):
            connection.reset()
        self.ledger.close()


def _submission_of(entry: LedgerEntry) -> TakenSubmission:
    return TakenSubmission(
        list(entry.taken),
        entry.text,
        entry.segments,
        entry.extension,
        entry.reference,
        entry.id,
        pool=entry.pool,
        texts=list(entry.texts),
        parts=list(entry.parts),
        ids=list(entry.ids),
    )


def _close_action(idle_rule: MisbehaviourRule, connection: ClientConnection) -> Callable[[], None]:
    """Return the way in which a `close_idle` rule closes a connection."""
    return connection.reset if idle_rule.args.get("reset") else connection.close


def _write_answer(
    answer: SandboxAnswer,
    wire_rule: MisbehaviourRule | None,
    idle_rule: MisbehaviourRule | None,
    connection: ClientConnection,
) -> None:
    """Write an answer, or what the wire of `wire_rule` writes; close by `idle_rule`."""
    wire = None if wire_rule is None else wires.find_wire(wire_rule.what)
    if wire_rule is None or wire is None:
        connection.send(answer)
    else:
        wire(wires.WireCase(connection, answer, wire_rule.args))
    if idle_rule is not None:
        delay = float(idle_rule.args.get("delay", 0.0))
        connection.later(delay, _close_action(idle_rule, connection))
