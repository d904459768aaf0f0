"""Signs the cookies and form tokens of people who are signed in."""

import base64
import hashlib
import hmac
import json
import secrets
import time

from fastapi import Request
from starlette.responses import Response

from producer.web.context import Context
from worker.config.settings import Settings
from worker.store import keys
from worker.store.db import database
from worker.store.keys import ApiKey

COOKIE = "xinshi_session"


#: A sign-in ends after so many seconds.
SESSION_SECONDS = 12 * 3600


#: For so many seconds a key is not read again.
KEY_CACHE_SECONDS = 5.0


class Signer:
    """Signs cookies and form tokens, and caches keys for some seconds; each process has one."""

    def __init__(self, settings: Settings) -> None:
        session_secret = settings.top.web.session_secret
        # Without a configured secret, a restart of the process signs everybody out.
        secret = session_secret.get_secret_value() if session_secret else secrets.token_hex(32)
        self._secret = secret.encode()
        self._cached_keys: dict[int, tuple[float, ApiKey | None]] = {}

    def cookie(self, key: ApiKey) -> str:
        """Return the cookie of a new sign-in."""
        session = json.dumps([key.id, int(time.time()), secrets.token_hex(8)]).encode()
        return _text(session) + "." + _text(self._mac(b"session", session))

    def key_id(self, cookie: str) -> int | None:
        """Return the key id of a cookie; None when its signature is wrong or it is too old."""
        text, _, mac = cookie.partition(".")
        try:
            raw = _bytes(text)
            if not hmac.compare_digest(self._mac(b"session", raw), _bytes(mac)):
                return None
            key_id, at, _ = json.loads(raw)
        except (ValueError, TypeError):
            return None
        return int(key_id) if time.time() - at < SESSION_SECONDS else None

    def token(self, cookie: str) -> str:
        """Return the token that the forms of a session carry."""
        return _text(self._mac(b"form", cookie.encode()))

    def _mac(self, purpose: bytes, signed: bytes) -> bytes:
        return hmac.digest(self._secret, purpose + b"\0" + signed, hashlib.sha256)

    async def find(self, context: Context, key_id: int) -> ApiKey | None:
        """Return a key by its id; None when it is revoked."""
        cached = self._cached_keys.get(key_id)
        if cached is None or cached[0] < time.monotonic():
            key = await context.run(_look_up, context, key_id)
            self._cached_keys[key_id] = cached = (time.monotonic() + KEY_CACHE_SECONDS, key)
        return cached[1]


def _look_up(context: Context, key_id: int) -> ApiKey | None:
    with database.reading(context.engine) as connection:
        return keys.find_by_id(connection, key_id)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def set_session_cookie(request: Request, response: Response, cookie: str) -> None:
    """Set the session cookie: for this site alone, and hidden from scripts."""
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https" or _behind_tls(request),
    )


def _behind_tls(request: Request) -> bool:
    public = request.app.state.context.settings.top.web.public_url
    return bool(public and public.startswith("https:"))
