"""Routes that read a body only for a known API key: strangers cannot fill the memory by bodies.

FastAPI reads the body before it asks any dependency.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from producer.web.api.authentication import require_known_key


class KeyFirstRoute(APIRoute):
    """A route that asks for the key before it reads the body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler; it raises `HttpProblem` (401) for a key that is unknown."""
        inner = super().get_route_handler()

        async def handler(request: Request) -> Response:
            await require_known_key(request)
            return await inner(request)

        return handler
