"""Who asks: the API key in `Authorization: Bearer …`, its scopes and its rate.

A key that was found is believed for `BELIEVED` seconds, so a revoked one is refused at the latest
after that. The rate is counted by each web process for itself.
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
from worker.store.keys import Key

#: Seconds.
BELIEVED = 5.0
#: So many keys are remembered at the most.
MOST = 10_000


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever called, by the key that was shown."""

    key: Key

    @property
    def sender(self) -> str:
        """The name under which is sent, and whose messages are seen."""
        return self.key.name

    def may(self, scope: Scope) -> bool:
        """Whether the key has a scope."""
        return scope in self.key.scopes

    @property
    def test(self) -> bool:
        """True when whatever is sent goes to the sandbox."""
        return self.key.test


@dataclass(slots=True)
class _Known:
    key: Key
    until: float
    #: Calls that are free, and when that was counted.
    free: float
    at: float


class Keyring:
    """The keys that were shown lately; the event loop alone touches it."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    async def find(self, here: AppContext, shown: str) -> Key | None:
        """Return the key that was shown, unless it is unknown or revoked."""
        if not api_keys.looks_like_one(shown):
            return None
        digest = api_keys.digest(shown)
        known = self._known.get(digest)
        if known is not None and known.until > time.monotonic():
            return known.key
        found = await here.run(_look_up, here, digest)
        if found is None:
            self._known.pop(digest, None)
            return None
        self._remember(here, digest, found)
        return found

    def _remember(self, here: AppContext, digest: str, key: Key) -> None:
        at = time.monotonic()
        known = self._known.get(digest)
        if known is not None:
            known.key, known.until = key, at + BELIEVED
            return
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[digest] = _Known(key, at + BELIEVED, rate(here, key), at)

    def spend(self, here: AppContext, shown: str) -> float:
        """Count one call; returns 0, or the seconds until the key may call again."""
        known = self._known[api_keys.digest(shown)]
        at, allowed = time.monotonic(), rate(here, known.key)
        burst = max(1.0, allowed)
        known.free = min(burst, known.free + (at - known.at) * allowed)
        known.at = at
        if known.free < 1.0:
            return (1.0 - known.free) / allowed
        known.free -= 1.0
        return 0.0


def rate(here: AppContext, key: Key) -> float:
    """How many calls a key has in a second; so many may also come at once."""
    return key.rate or here.settings.top.web.key_rate


def _look_up(here: AppContext, digest: str) -> Key | None:
    with database.reading(here.engine) as connection:
        found = keys.by_digest(connection, digest)
    if found is not None and _stale(found):
        with database.writing(here.engine) as connection:
            keys.used(connection, found.id)
    return found


def _stale(key: Key) -> bool:
    return key.used_at is None or time.time() - key.used_at.timestamp() > keys.COARSE


async def authenticated(here: AppContext, ring: Keyring, shown: str) -> Caller:
    """Return who shows a key, or raise what has to be told."""
    key = await ring.find(here, shown)
    if key is None:
        what = "show an API key: Authorization: Bearer xinshi_live_…"
        raise HttpProblem(401, "no-key", what, headers={"WWW-Authenticate": "Bearer"})
    wait = ring.spend(here, shown)
    if wait:
        what = f"this key may call {rate(here, key):g} times in a second"
        raise HttpProblem(429, "too-fast", what, headers={"Retry-After": str(max(1, round(wait)))})
    return Caller(key)


class Allowed(SecurityBase):
    """A dependency that lets in whoever shows a key with one of `scopes`; OpenAPI shows it.

    It is one step of FastAPI's on purpose: each costs as much as a look at the keys.
    """

    def __init__(self, *scopes: Scope) -> None:
        self.scopes = frozenset(scopes)
        self.scheme_name = "key"
        self.model = HTTPBearerModel(
            bearerFormat="xinshi_live_…", description="An API key of `xinshi key create`."
        )

    async def __call__(self, connection: HTTPConnection) -> Caller:
        """Return who calls, or raise what has to be told."""
        state = connection.app.state
        kind, _, shown = connection.headers.get("authorization", "").partition(" ")
        shown = shown.strip() if kind.lower() == "bearer" else ""
        found = await authenticated(state.context, state.keyring, shown)
        if not self.scopes & found.key.scopes:
            raise HttpProblem(
                403, "no-scope", f"this key has not the scope {' or '.join(sorted(self.scopes))}"
            )
        return found
