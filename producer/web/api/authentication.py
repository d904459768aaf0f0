"""Authenticates callers: the API key in `Authorization: Bearer …`, its scopes and its rate.

A key is read from the database again after `KEY_CACHE_SECONDS`, so a revoked key works that long at
the most. Each web process counts a key's rate for itself.
"""

from dataclasses import dataclass

from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from producer.web.api.keyring import Keyring, rate
from producer.web.context import AppContext
from producer.web.problems import HttpProblem
from worker.domain.enums import Scope
from worker.store.keys import ApiKey


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of a route, known by the API key."""

    key: ApiKey

    @property
    def sender(self) -> str:
        """The name under which the caller sends; it sees the messages of this sender."""
        return self.key.name

    def may(self, scope: Scope) -> bool:
        """Whether the key has a scope."""
        return scope in self.key.scopes

    @property
    def test(self) -> bool:
        """Whether this is a test key, whose messages go to the sandbox."""
        return self.key.test


async def authenticate(context: AppContext, keyring: Keyring, shown_key: str) -> Caller:
    """Return the caller that shows a key.

    Raises `HttpProblem`: 401 for a key that is unknown or revoked, 429 when it calls too often.
    """
    key = await _known_key(context, keyring, shown_key)
    wait = keyring.spend(context, shown_key)
    if wait:
        advice = f"this key may call {rate(context, key):g} times in a second"
        raise HttpProblem(
            429, "too-fast", advice, headers={"Retry-After": str(max(1, round(wait)))}
        )
    return Caller(key)


async def require_known_key(connection: HTTPConnection) -> None:
    """Raise `HttpProblem` (401) unless a request shows a key that is known."""
    state = connection.app.state
    await _known_key(state.context, state.keyring, _shown_key(connection))


async def _known_key(context: AppContext, keyring: Keyring, shown_key: str) -> ApiKey:
    key = await keyring.find(context, shown_key)
    if key is None:
        advice = "show an API key: Authorization: Bearer xinshi_live_…"
        raise HttpProblem(401, "no-key", advice, headers={"WWW-Authenticate": "Bearer"})
    return key


def _shown_key(connection: HTTPConnection) -> str:
    scheme, _, shown_key = connection.headers.get("authorization", "").partition(" ")
    return shown_key.strip() if scheme.lower() == "bearer" else ""


class RequireScope(SecurityBase):
    """A dependency that requires a key with one of `scopes`; OpenAPI shows it.

    It is a single dependency on purpose: each one costs FastAPI as much time as looking up the key.
    """

    def __init__(self, *scopes: Scope) -> None:
        self.scopes = frozenset(scopes)
        self.scheme_name = "key"
        self.model = HTTPBearerModel(
            bearerFormat="xinshi_live_…", description="An API key of `xinshi key create`."
        )

    async def __call__(self, connection: HTTPConnection) -> Caller:
        """Return the caller; raises `HttpProblem` when the key or its scope does not do."""
        state = connection.app.state
        caller = await authenticate(state.context, state.keyring, _shown_key(connection))
        if not self.scopes & caller.key.scopes:
            raise missing_scope(caller, *sorted(self.scopes))
        return caller


def missing_scope(caller: Caller, *scopes: Scope) -> HttpProblem:
    """Return the problem of a key that has none of `scopes`: 403, with how to make one."""
    command = f"xinshi key create {caller.sender} --scope {scopes[0]}"
    advice = (
        f"this key has not the scope {' or '.join(scopes)}; make one that has:"
        f" {command}{' --test' if caller.test else ''}"
    )
    return HttpProblem(403, "no-scope", advice)
