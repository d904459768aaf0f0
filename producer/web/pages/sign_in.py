"""Signing in: an API key with the scope `look` or `operate`, kept as its id in a signed cookie.

Whoever has `operate` may also act. Every form carries a token that only the page's own session
can know, and comes from this origin, so that no other page acts in somebody's name.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, cast
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.responses import Response

from producer.web.context import Context
from producer.web.problems import HttpProblem
from worker.config.settings import Settings
from worker.domain import api_keys
from worker.domain.enums import Scope
from worker.store import keys
from worker.store.db import database
from worker.store.keys import Key

COOKIE = "xinshi_session"
#: How long a sign-in lasts, in seconds.
LASTS = 12 * 3600
#: Seconds for which a key is believed before it is looked up again.
BELIEVED = 5.0


@dataclass(frozen=True, slots=True)
class Person:
    """Who is signed in: by the key's name, which stands in events."""

    key: Key
    token: str

    @property
    def name(self) -> str:
        """Who."""
        return self.key.name

    @property
    def operates(self) -> bool:
        """Whether they may act."""
        return Scope.OPERATE in self.key.scopes


class NotSignedIn(Exception):
    """Nobody is signed in: the sign-in page answers, and leads on to `after`."""

    def __init__(self, after: str) -> None:
        super().__init__(after)
        self.after = after


class Signer:
    """Signs cookies and tokens, and remembers keys for a moment. One for each process."""

    def __init__(self, settings: Settings) -> None:
        given = settings.top.web.session_secret
        # Without a secret of its own a process forgets who was signed in when it ends.
        secret = given.get_secret_value() if given else secrets.token_hex(32)
        self._secret = secret.encode()
        self._known: dict[int, tuple[float, Key | None]] = {}

    def cookie(self, key: Key) -> str:
        """Return what a browser keeps of a sign-in."""
        said = json.dumps([key.id, int(time.time()), secrets.token_hex(8)]).encode()
        return _text(said) + "." + _text(self._mac(b"session", said))

    def key_id(self, cookie: str) -> int | None:
        """Return whose sign-in a cookie is; None when it is none, or too old."""
        said, _, mac = cookie.partition(".")
        try:
            raw = _bytes(said)
            if not hmac.compare_digest(self._mac(b"session", raw), _bytes(mac)):
                return None
            key_id, at, _ = json.loads(raw)
        except (ValueError, TypeError):
            return None
        return int(key_id) if time.time() - at < LASTS else None

    def token(self, cookie: str) -> str:
        """Return what the forms of a session carry."""
        return _text(self._mac(b"form", cookie.encode()))

    def _mac(self, kind: bytes, said: bytes) -> bytes:
        return hmac.digest(self._secret, kind + b"\0" + said, hashlib.sha256)

    async def find(self, here: Context, key_id: int) -> Key | None:
        """Return a key that is not revoked."""
        known = self._known.get(key_id)
        if known is None or known[0] < time.monotonic():
            key = await here.run(_look_up, here, key_id)
            self._known[key_id] = known = (time.monotonic() + BELIEVED, key)
        return known[1]


def _look_up(here: Context, key_id: int) -> Key | None:
    with database.reading(here.engine) as connection:
        return keys.by_id(connection, key_id)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def signer(request: Request) -> Signer:
    """Return the application's signer."""
    return cast("Signer", request.app.state.signer)


Signing = Annotated[Signer, Depends(signer)]


async def person(request: Request, here: Context, signing: Signing) -> Person:
    """Return who is signed in, or raise `NotSignedIn`."""
    cookie = request.cookies.get(COOKIE, "")
    key_id = signing.key_id(cookie)
    key = None if key_id is None else await signing.find(here, key_id)
    if key is None or not may_look(key):
        raise NotSignedIn(request.url.path if request.method == "GET" else "/")
    return Person(key, signing.token(cookie))


def may_look(key: Key) -> bool:
    """Whether a key opens the pages. A test key opens none: it sees no real message."""
    return not key.test and bool(key.scopes & {Scope.LOOK, Scope.OPERATE})


Looking = Annotated[Person, Depends(person)]


async def operator(request: Request, who: Looking) -> Person:
    """Return who acts: signed in, allowed to, by a form of this session's own."""
    own_origin(request)
    form = await request.form()
    if not hmac.compare_digest(str(form.get("token", "")).encode(), who.token.encode()):
        raise HttpProblem(
            403, "stale-form", "this form is another session's; go back and load it again"
        )
    if not who.operates:
        raise HttpProblem(
            403, "no-scope", "this key may look and not act: it has not the scope operate"
        )
    return who


Operating = Annotated[Person, Depends(operator)]
Form = Callable[..., Coroutine[Any, Any, Response]]


def own_origin(request: Request) -> None:
    """Refuse a form that another site's page sent."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin")
    foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host", "")
    if site not in {"same-origin", "none"} or foreign:
        raise HttpProblem(403, "foreign-form", "this form was sent by another site's page")


async def sign_in(here: Context, signing: Signer, shown: str) -> str | None:
    """Return the cookie for a key that was typed in; None when it opens nothing."""
    if not api_keys.looks_like_one(shown):
        return None

    def look_up() -> Key | None:
        with database.reading(here.engine) as connection:
            return keys.by_digest(connection, api_keys.digest(shown))

    key = await here.run(look_up)
    return signing.cookie(key) if key is not None and may_look(key) else None


def keep(request: Request, response: Response, cookie: str) -> None:
    """Have the browser keep a sign-in: for this site alone, unseen by scripts."""
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=LASTS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https" or _behind_tls(request),
    )


def _behind_tls(request: Request) -> bool:
    public = request.app.state.context.settings.top.web.public_url
    return bool(public and public.startswith("https:"))
