"""Installs the pages, and has those of the site itself: sign-in, sign-out, language."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from fastapi import Form as Field
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from producer.web.context import Context
from producer.web.pages import (
    api_docs,
    campaigns,
    messages,
    overview,
    page_routes,
    replies,
    sessions,
    template_pages,
    translations,
    unknown,
)
from producer.web.pages.rendering import FOLDER, draw
from producer.web.pages.sessions import COOKIE, Signer, set_session_cookie
from producer.web.pages.sign_in import NotSignedIn, Signing, check_origin, open_session
from worker.config.settings import Settings

router = page_routes.router()

#: The modules of the pages; each has a `router`.
PAGE_MODULES = (overview, campaigns, messages, replies, template_pages, unknown, api_docs)


@router.get("/sign-in")
async def sign_in_page(request: Request, after: str = "/") -> Response:
    """Ask for a key."""
    return draw(request, "sign_in.html", None, after=_inside(after), wrong=False)


@router.post("/sign-in")
async def sign_in(
    request: Request,
    context: Context,
    signer: Signing,
    key: Annotated[str, Field()] = "",
    after: Annotated[str, Field()] = "/",
) -> Response:
    """Sign a person in whose key opens the pages."""
    check_origin(request)
    cookie = await open_session(context, signer, key.strip())
    if cookie is None:
        return draw(request, "sign_in.html", None, status=403, after=_inside(after), wrong=True)
    response = RedirectResponse(_inside(after), 303)
    set_session_cookie(request, response, cookie)
    return response


@router.post("/sign-out")
async def sign_out(request: Request, context: Context, signer: Signing) -> Response:
    """End the session, for whoever has a copy of its cookie too."""
    check_origin(request)
    session = signer.session(request.cookies.get(COOKIE, ""))
    if session is not None:
        await context.run(sessions.end, context.engine, session)
    response = RedirectResponse("/sign-in", 303)
    response.delete_cookie(COOKIE)
    return response


@router.get("/language/{code}")
async def language(code: str, after: str = "/") -> Response:
    """Remember the language that a person chose, in a cookie."""
    response = RedirectResponse(_inside(after), 303)
    if code in translations.LANGUAGES:
        response.set_cookie(
            translations.COOKIE, code, max_age=365 * 86400, samesite="lax", httponly=True
        )
    return response


def _inside(after: str) -> str:
    """Return the address to go on to; `/` for an address outside of this site."""
    parts = urlsplit(after)
    inside = after.startswith("/") and not after.startswith(("//", "/\\"))
    return after if inside and not parts.netloc and not parts.scheme else "/"


def install(app: FastAPI, settings: Settings) -> None:
    """Give an application its pages."""
    app.state.signer = Signer(settings)
    for module in PAGE_MODULES:
        app.include_router(module.router)
    app.include_router(router)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")

    @app.exception_handler(NotSignedIn)
    async def ask(_request: Request, error: NotSignedIn) -> Response:
        return RedirectResponse(f"/sign-in?after={error.after}", 303)
