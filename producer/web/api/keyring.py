"""Caches the API keys that called lately, and counts their calls."""

import time
from dataclasses import dataclass

from producer.web.context import AppContext
from worker.domain import api_keys
from worker.store import keys
from worker.store.db import database
from worker.store.keys import ApiKey

#: For so many seconds a key is not read again.
KEY_CACHE_SECONDS = 5.0


#: The cache is emptied when it has so many keys.
MAX_CACHED_KEYS = 10_000


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
