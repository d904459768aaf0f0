"""A web process to talk to: `served` in a thread of this one, `live` in one of its own.

Both listen on a free port of loopback and use the stage's database and sandbox. `served.key(…)`
makes an API key; `served.client(key)` is an HTTP client that shows it.
"""

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from producer.web import listener
from producer.web import server as server_module
from producer.web.limited_server import LimitedServer
from tests.support.stage import (
    LOGINS,
    Stage,
    eventually,
    section,
)
from worker.domain import api_keys
from worker.domain.enums import Scope
from worker.store import keys
from worker.store.db import database


@pytest.fixture
def kind() -> str:
    """SQLite, unless a test asks for others."""
    return "sqlite"


class Served:
    """A web process that runs, on a stage."""

    def __init__(self, stage: Stage, url: str, server: LimitedServer) -> None:
        self.stage = stage
        self.url = url
        self.server = server
        self._clients: list[httpx.Client] = []

    def key(
        self,
        name: str = "shop",
        *scopes: Scope,
        test: bool = False,
        rate: float | None = 10_000,
    ) -> str:
        """Make an API key; without scopes it has them all."""
        return make_key(self.stage, name, *scopes, test=test, rate=rate)

    def client(self, key: str | None = None) -> httpx.Client:
        """Return a client that shows a key, or a new one that may do everything."""
        headers = {"Authorization": f"Bearer {self.key() if key is None else key}"}
        self._clients.append(httpx.Client(base_url=self.url, headers=headers, trust_env=False))
        return self._clients[-1]

    def close(self) -> None:
        """Let go of the clients."""
        for client in self._clients:
            client.close()


def make_key(stage: Stage, name: str = "shop", *scopes: Scope, **more: Any) -> str:
    """Store an API key and return it."""
    made = api_keys.make(test=more.get("test", False))
    with database.writing(stage.engine) as connection:
        keys.add(
            connection,
            name,
            api_keys.digest(made),
            scopes or list(Scope),
            test=more.get("test", False),
            rate=more.get("rate"),
        )
    return made


@pytest.fixture
def web() -> dict[str, Any]:
    """The table `[web]` of `served`; a test parametrises it."""
    return {}


@pytest.fixture
def accounts() -> dict[str, dict[str, Any]]:
    """What the accounts of `served` have beyond the stage's, by name; of others the whole."""
    return {}


@pytest.fixture
def served(
    stage: Stage, web: dict[str, Any], accounts: dict[str, dict[str, Any]]
) -> Iterator[Served]:
    """A web process in a thread of this one."""
    if web or accounts:
        sections = {name: section(stage.sandbox, name, **accounts.get(name, {})) for name in LOGINS}
        sections |= {name: accounts[name] for name in accounts.keys() - LOGINS.keys()}
        if "test_account" in web:
            sections[web["test_account"]]["classes"] = []
        stage.configure(accounts=sections, web=web)
    bound = listener.listen("127.0.0.1", 0)
    server = server_module.make_server(stage.settings)
    thread = threading.Thread(target=lambda: server.run([bound]), daemon=True)
    thread.start()
    eventually(lambda: server.started)
    made = Served(stage, listener.address(bound), server)
    yield made
    made.close()
    server.should_exit = True
    thread.join(20)
    bound.close()
    assert not thread.is_alive()
