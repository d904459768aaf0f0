"""The page of the API (`/docs`): drawn of its description, for whoever writes against it.

It is open to everybody, so it says nothing of this installation, and is drawn once in a language:
strangers cannot make the process draw.
"""

from fastapi import Request
from starlette.responses import HTMLResponse, Response

from producer.web.pages import page_routes, translations
from producer.web.pages.rendering import HEADERS, draw
from producer.web.reference.calls import reference

router = page_routes.router("/docs")


@router.get("")
async def show(request: Request) -> Response:
    """Show every call, its fields, scopes and errors, with a line of curl."""
    state = request.app.state
    if not hasattr(state, "api_docs"):
        state.api_docs = {}
    language = translations.language(request)
    if language not in state.api_docs:
        # A query chooses a part of a page: what is kept is the whole.
        plain_request = Request({**request.scope, "query_string": b""})
        shown = reference(request.app.openapi())
        page = draw(plain_request, "api_docs.html", None, reference=shown)
        state.api_docs[language] = page.body
    return HTMLResponse(state.api_docs[language], headers=HEADERS)
