"""Routes whose errors are answered by a page, and not by a problem document."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import Response

from producer.web import problems
from producer.web.api.ownership import MAX_ID
from producer.web.pages.rendering import draw

#: An id in the address of a page.
Id = Annotated[int, Path(ge=1, le=MAX_ID)]


class PageRoute(APIRoute):
    """A route that draws a page for its errors."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, with its errors caught."""
        inner = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await inner(request)
            except RequestValidationError:
                return draw(request, "wrong.html", None, status=404, detail="404")
            except problems.HANDLED_ERRORS as error:
                problem = problems.problem_of(error)
                detail = "; ".join(field_problem.what for field_problem in problem.errors) or str(
                    problem.detail
                )
                return draw(request, "wrong.html", None, status=problem.status_code, detail=detail)

        return handler


def router(prefix: str = "") -> APIRouter:
    """Return a router for pages; they are left out of the OpenAPI description."""
    return APIRouter(include_in_schema=False, prefix=prefix, route_class=PageRoute)
