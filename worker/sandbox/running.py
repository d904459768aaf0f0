"""Runs a sandbox in the caller's loop, or in a thread of its own."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from worker.sandbox import control, ledger
from worker.sandbox.client import ControlClient
from worker.sandbox.config import Config
from worker.sandbox.engine import SandboxEngine
from worker.sandbox.pushes import is_loopback
from worker.sandbox.server import ClientConnection


class RunningSandbox:
    """A sandbox that listens."""

    def __init__(self, engine: SandboxEngine, server: asyncio.Server) -> None:
        self._engine = engine
        self._server = server
        self.port: int = server.sockets[0].getsockname()[1]
        #: The address of the sandbox; an account's base URL is `url("c123")`.
        self.base_url = _url(engine.config.host, self.port)
        engine.world.base_url = self.base_url

    def url(self, gateway: str) -> str:
        """Return a gateway's base URL, without a slash at its end."""
        return f"{self.base_url}/{gateway}"

    async def close(self) -> None:
        """Stop listening, close every connection, write the remaining lines of the ledger."""
        # A server that is closed already would leave a client open that was accepted just now: it
        # takes some turns of the loop until asyncio has made a connection of it.
        for listener in self._server.sockets:
            asyncio.get_running_loop().remove_reader(listener.fileno())
        for _ in range(5):
            await asyncio.sleep(0)
        self._server.close()
        await self._engine.close()
        await self._server.wait_closed()


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve(config: Config) -> RunningSandbox:
    """Start a sandbox in this loop; raises `ValueError` for a host that is not loopback."""
    if not is_loopback(config.host):
        msg = f"a sandbox listens on loopback only, not on {config.host!r}"
        raise ValueError(msg)
    engine = SandboxEngine(config, control.respond)
    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(
            lambda: ClientConnection(engine), config.host, config.port, backlog=1024
        )
    except OSError:
        await engine.close()
        raise
    return RunningSandbox(engine, server)


@dataclass(kw_only=True)
class Sandbox(Config):
    """A sandbox in a thread, for as long as the `with` block lasts.

    >>> with Sandbox(ledger="ledger.jsonl") as sandbox:
    ...     base_url = sandbox.url("c123")
    ...     sandbox.control.rule("take_then_close", gateway="c123", call="tx", count=1)
    """

    _running: RunningSandbox | None = field(default=None, init=False, repr=False)
    _thread: threading.Thread | None = field(default=None, init=False, repr=False)
    _loop: asyncio.AbstractEventLoop | None = field(default=None, init=False, repr=False)
    _stop_event: asyncio.Event = field(default_factory=asyncio.Event, init=False, repr=False)
    _failure: BaseException | None = field(default=None, init=False, repr=False)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start, and return when it listens; raises the error that kept it from listening."""
        ready = threading.Event()
        self._failure = None
        self._stop_event = asyncio.Event()
        self._thread = threading.Thread(
            target=self._run, args=(ready,), name="sandbox", daemon=True
        )
        self._thread.start()
        ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def stop(self) -> None:
        """Stop, and return when the thread has ended."""
        if self._thread is not None and self._loop is not None:
            if self._thread.is_alive():
                self._loop.call_soon_threadsafe(self._stop_event.set)
            self._thread.join()
        self._thread = self._running = self._loop = None

    def _run(self, ready: threading.Event) -> None:
        try:
            asyncio.run(self._serve_until_stopped(ready))
        except BaseException as error:  # noqa: BLE001 - the thread that started us raises it
            self._failure = error
        finally:
            ready.set()

    async def _serve_until_stopped(self, ready: threading.Event) -> None:
        self._running = await serve(self)
        self._loop = asyncio.get_running_loop()
        ready.set()
        await self._stop_event.wait()
        await self._running.close()

    @property
    def base_url(self) -> str:
        """The address of the sandbox, without a slash at its end."""
        return self._require_running().base_url

    def url(self, gateway: str) -> str:
        """Return a gateway's base URL, without a slash at its end."""
        return self._require_running().url(gateway)

    @property
    def control(self) -> ControlClient:
        """A client of the sandbox's control endpoint."""
        return ControlClient(self.base_url)

    def entries(self) -> Iterator[ledger.LedgerEntry]:
        """Read the ledger's lines."""
        return ledger.read(self._ledger_path())

    def taken(self) -> Iterator[ledger.TakenMessage]:
        """Read the messages that the gateways really took."""
        return ledger.taken(self._ledger_path())

    def _require_running(self) -> RunningSandbox:
        if self._running is None:
            msg = "the sandbox is not running: use it in a `with` block, or start() it"
            raise RuntimeError(msg)
        return self._running

    def _ledger_path(self) -> str:
        if self.ledger is None:
            msg = "this sandbox keeps no ledger: give it one"
            raise RuntimeError(msg)
        return str(self.ledger)
