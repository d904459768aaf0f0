"""Authenticates callers: the API key in `Authorization: Bearer …`, its scopes and its rate.

A key is read from the database again after `KEY_CACHE_SECONDS`, so a revoked key works that long at
the most. Each web process counts a key's rate for itself.
"""

import time
from dataclasses import dataclass

from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from producer.web.context import AppContext
from producer.web.problems import HttpProblem
from worker.domain import api_keys
from worker.domain.enums import Scope
from worker.store import keys
from worker.store.db import database
from worker.store.keys import ApiKey

#: For so many seconds a key is not read again.
KEY_CACHE_SECONDS = 5.0
#: The cache is emptied when it has so many keys.
MAX_CACHED_KEYS = 10_000


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


@dataclass(slots=True)
class _CachedKey:
    key: ApiKey
    expires_at: float
    #: Calls that the key may make at once, and the time for which that was counted.
    free_calls: float
    counted_at: float


class Keyring:
    """The keys that called lately, with their rates. Only the event loop's thread may use it."""

    def __init__(self) -> None:
        self._cache: dict[str, _CachedKey] = {}

    async def find(self, context: AppContext, shown_key: str) -> ApiKey | None:
        """Return the key of a caller; None when it is unknown or revoked."""
        if not api_keys.is_well_formed(shown_key):
            return None
        digest = api_keys.digest(shown_key)
        cached = self._cache.get(digest)
        if cached is not None and cached.expires_at > time.monotonic():
            return cached.key
        key = await context.run(_look_up, context, digest)
        if key is None:
            self._cache.pop(digest, None)
            return None
        self._remember(context, digest, key)
        return key

    def _remember(self, context: AppContext, digest: str, key: ApiKey) -> None:
        now = time.monotonic()
        cached = self._cache.get(digest)
        if cached is not None:
            cached.key, cached.expires_at = key, now + KEY_CACHE_SECONDS
            return
        if len(self._cache) >= MAX_CACHED_KEYS:
            self._cache.clear()
        self._cache[digest] = _CachedKey(key, now + KEY_CACHE_SECONDS, rate(context, key), now)

    def spend(self, context: AppContext, shown_key: str) -> float:
        """Count one call; returns 0, or the seconds until the key may call again."""
        cached = self._cache[api_keys.digest(shown_key)]
        now, calls_per_second = time.monotonic(), rate(context, cached.key)
        burst = max(1.0, calls_per_second)
        cached.free_calls = min(
            burst, cached.free_calls + (now - cached.counted_at) * calls_per_second
        )
        cached.counted_at = now
        if cached.free_calls < 1.0:
            return (1.0 - cached.free_calls) / calls_per_second
        cached.free_calls -= 1.0
        return 0.0


def rate(context: AppContext, key: ApiKey) -> float:
    """Return how many calls a key has in a second; so many may also come at once."""
    return key.rate or context.settings.top.web.key_rate


def _look_up(context: AppContext, digest: str) -> ApiKey | None:
    with database.reading(context.engine) as connection:
        key = keys.find_by_digest(connection, digest)
    if key is not None and _use_is_to_be_noted(key):
        with database.writing(context.engine) as connection:
            keys.note_use(connection, key.id)
    return key


def _use_is_to_be_noted(key: ApiKey) -> bool:
    return (
        key.used_at is None or time.time() - key.used_at.timestamp() > keys.USE_RESOLUTION_SECONDS
    )


async def authenticate(context: AppContext, keyring: Keyring, shown_key: str) -> Caller:
    """Return the caller that shows a key.

    Raises `HttpProblem`: 401 for a key that is unknown or revoked, 429 when it calls too often.
    """
    key = await keyring.find(context, shown_key)
    if key is None:
        advice = "show an API key: Authorization: Bearer xinshi_live_…"
        raise HttpProblem(401, "no-key", advice, headers={"WWW-Authenticate": "Bearer"})
    wait = keyring.spend(context, shown_key)
    if wait:
        advice = f"this key may call {rate(context, key):g} times in a second"
        raise HttpProblem(
            429, "too-fast", advice, headers={"Retry-After": str(max(1, round(wait)))}
        )
    return Caller(key)


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
        scheme, _, shown_key = connection.headers.get("authorization", "").partition(" ")
        shown_key = shown_key.strip() if scheme.lower() == "bearer" else ""
        caller = await authenticate(state.context, state.keyring, shown_key)
        if not self.scopes & caller.key.scopes:
            raise HttpProblem(
                403, "no-scope", f"this key has not the scope {' or '.join(sorted(self.scopes))}"
            )
        return caller
