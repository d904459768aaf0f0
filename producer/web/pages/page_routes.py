"""Routes of pages: what goes wrong on them is told by a page."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import Response

from producer.web import problems
from producer.web.pages.rendering import draw


class PageRoute(APIRoute):
    """A route whose errors are drawn."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, with its errors caught."""
        inner = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await inner(request)
            except RequestValidationError:
                return draw(request, "wrong.html", None, status=404, detail="404")
            except problems.KNOWN as error:
                found = problems.told(error)
                detail = "; ".join(one.what for one in found.errors) or str(found.detail)
                return draw(request, "wrong.html", None, status=found.status_code, detail=detail)

        return handler


def router(prefix: str = "") -> APIRouter:
    """Return a router for pages: in no schema, drawn to the last."""
    return APIRouter(include_in_schema=False, prefix=prefix, route_class=PageRoute)
