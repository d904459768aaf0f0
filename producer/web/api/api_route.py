"""The route of every call of the API: the key comes first, and no parameter is overlooked.

FastAPI reads the body before it asks any dependency, and leaves query parameters that it does not
know alone.
"""

import difflib
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from producer.web.api.authentication import require_known_key
from worker.domain.errors import Problem, Refused


class ApiRoute(APIRoute):
    """A route that reads a body for a known API key alone: strangers fill no memory by bodies.

    It refuses query parameters that the call does not take, so that a misspelt one is not lost.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler; it raises `HttpProblem` (401) for a key that is unknown."""
        inner = super().get_route_handler()
        names = frozenset(field.alias for field in self.dependant.query_params)

        async def handler(request: Request) -> Response:
            await require_known_key(request)
            _refuse_unknown(request.query_params.keys(), names)
            return await inner(request)

        return handler


def _refuse_unknown(given: Iterable[str], names: frozenset[str]) -> None:
    """Raise `Refused` for the query parameters that are none of `names`."""
    problems = [Problem(_shown(name), _advice(name, names)) for name in given if name not in names]
    if problems:
        raise Refused(problems)


def _shown(name: str) -> str:
    """Return a name to repeat: what looks like none may be a number or a text, and is not."""
    return name if name.isidentifier() and name.isascii() and len(name) <= 64 else "query"


def _advice(name: str, names: frozenset[str]) -> str:
    if not names:
        return "is unknown: this call takes no query parameters"
    nearest = difflib.get_close_matches(name, names, 1, 0.6)
    if nearest:
        return f"is unknown; did you mean {nearest[0]}?"
    return f"is unknown; choose from {', '.join(sorted(names))}"


def operation_id(route: APIRoute) -> str:
    """Return the name of a call: that of its function, in the form that OpenAPI is used to."""
    first, *others = route.name.split("_")
    return first + "".join(word.capitalize() for word in others)
