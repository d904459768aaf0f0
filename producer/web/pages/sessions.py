"""Signs the cookies and form tokens of people who are signed in, and knows which sessions ended.

A cookie holds its session; the database holds the sessions that were ended by signing out, so that
every web process refuses their cookies.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass

from fastapi import Request
from sqlalchemy import Engine
from starlette.responses import Response

from worker.config.settings import Settings
from worker.store import keys, sessions
from worker.store.db import database
from worker.store.keys import ApiKey

COOKIE = "xinshi_session"

#: A sign-in ends after so many seconds.
SESSION_SECONDS = 12 * 3600


@dataclass(frozen=True, slots=True)
class Session:
    """A sign-in: its random id, and the id of the key that was shown."""

    id: str
    key_id: int


class Signer:
    """Signs cookies and form tokens; each process has one."""

    def __init__(self, settings: Settings) -> None:
        session_secret = settings.top.web.session_secret
        # Without a configured secret, a restart of the process signs everybody out.
        secret = session_secret.get_secret_value() if session_secret else secrets.token_hex(32)
        self._secret = secret.encode()

    def cookie(self, key: ApiKey) -> str:
        """Return the cookie of a new sign-in."""
        session = json.dumps([key.id, int(time.time()), secrets.token_hex(8)]).encode()
        return _text(session) + "." + _text(self._mac(b"session", session))

    def session(self, cookie: str) -> Session | None:
        """Return the session of a cookie; None when its signature is wrong or it is too old."""
        text, _, mac = cookie.partition(".")
        try:
            raw = _bytes(text)
            if not hmac.compare_digest(self._mac(b"session", raw), _bytes(mac)):
                return None
            key_id, at, session_id = json.loads(raw)
        except (ValueError, TypeError):
            return None
        return Session(session_id, key_id) if time.time() - at < SESSION_SECONDS else None

    def token(self, cookie: str) -> str:
        """Return the token that the forms of a session carry."""
        return _text(self._mac(b"form", cookie.encode()))

    def _mac(self, purpose: bytes, signed: bytes) -> bytes:
        return hmac.digest(self._secret, purpose + b"\0" + signed, hashlib.sha256)


def key_of(engine: Engine, session: Session) -> ApiKey | None:
    """Return the key of a session; None when the session was ended or the key revoked."""
    with database.reading(engine) as connection:
        if sessions.is_ended(connection, session.id):
            return None
        return keys.find_by_id(connection, session.key_id)


def end(engine: Engine, session: Session) -> None:
    """End a session: no web process takes its cookie any more."""
    with database.writing(engine) as connection:
        sessions.end(connection, session.id, SESSION_SECONDS)


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
