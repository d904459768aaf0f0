"""Signs people in by an API key with the scope `look` or `operate`; a signed cookie keeps its id.

A person with `operate` may also act. A form has to come from this origin and carry the token of its
session, so that no other site's page can act in a person's name.
"""

import hmac
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, cast
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.responses import Response

from producer.web.context import Context
from producer.web.pages.sessions import COOKIE, Signer, key_of
from producer.web.problems import HttpProblem
from worker.domain import api_keys
from worker.domain.enums import Scope
from worker.store import keys
from worker.store.db import database
from worker.store.keys import ApiKey


@dataclass(frozen=True, slots=True)
class Person:
    """A person who is signed in, known by the name of the API key; events keep that name."""

    key: ApiKey
    token: str

    @property
    def name(self) -> str:
        """The name of the key."""
        return self.key.name

    @property
    def operates(self) -> bool:
        """Whether this person may act."""
        return Scope.OPERATE in self.key.scopes


class NotSignedIn(Exception):
    """Nobody is signed in: the sign-in page answers, and leads on to `after`."""

    def __init__(self, after: str) -> None:
        super().__init__(after)
        self.after = after


def signer(request: Request) -> Signer:
    """Return the application's signer."""
    return cast("Signer", request.app.state.signer)


Signing = Annotated[Signer, Depends(signer)]


async def person(request: Request, context: Context, signing: Signing) -> Person:
    """Return who is signed in, or raise `NotSignedIn`."""
    cookie = request.cookies.get(COOKIE, "")
    session = signing.session(cookie)
    key = None if session is None else await context.run(key_of, context.engine, session)
    if key is None or not may_look(key):
        raise NotSignedIn(request.url.path if request.method == "GET" else "/")
    return Person(key, signing.token(cookie))


def may_look(key: ApiKey) -> bool:
    """Tell whether a key opens the pages. A test key does not: it must see no real message."""
    return not key.test and bool(key.scopes & {Scope.LOOK, Scope.OPERATE})


Looking = Annotated[Person, Depends(person)]


async def operator(request: Request, person_signed_in: Looking) -> Person:
    """Return the person who acts: signed in, with `operate`, by a form of their own session."""
    check_origin(request)
    form = await request.form()
    if not hmac.compare_digest(
        str(form.get("token", "")).encode(), person_signed_in.token.encode()
    ):
        raise HttpProblem(
            403, "stale-form", "this form is another session's; go back and load it again"
        )
    if not person_signed_in.operates:
        raise HttpProblem(
            403, "no-scope", "this key may look and not act: it has not the scope operate"
        )
    return person_signed_in


Operating = Annotated[Person, Depends(operator)]
Form = Callable[..., Coroutine[Any, Any, Response]]


def check_origin(request: Request) -> None:
    """Raise `HttpProblem` (403) for a form that another site's page sent."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin")
    foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host", "")
    if site not in {"same-origin", "none"} or foreign:
        raise HttpProblem(403, "foreign-form", "this form was sent by another site's page")


async def open_session(context: Context, signing: Signer, shown_key: str) -> str | None:
    """Return the cookie for a key that a person typed in; None when it does not open the pages."""
    if not api_keys.is_well_formed(shown_key):
        return None

    def look_up() -> ApiKey | None:
        with database.reading(context.engine) as connection:
            return keys.find_by_digest(connection, api_keys.digest(shown_key))

    key = await context.run(look_up)
    return signing.cookie(key) if key is not None and may_look(key) else None
