"""Limits the size of request bodies and the time that they take, before any route sees them."""

import asyncio
from time import monotonic

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from producer.web.problems import HttpProblem
from worker.config.web_settings import WebSettings

#: Paths that take files; bodies for every other path are small.
UPLOADS = frozenset({"/v1/campaigns"})


class BodyLimits:
    """ASGI middleware that answers 413 to a body that is too large, and 408 to a late one."""

    def __init__(self, app: ASGIApp, settings: WebSettings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, with its body limited."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        max_size = self._max_size(scope)
        if _announced_size(scope) > max_size:
            await _too_large(max_size).response()(scope, receive, send)
            return
        body = _LimitedBody(
            receive, max_size, self._settings.body_timeout, upload=_is_upload(scope)
        )
        await self._app(scope, body.receive, send)

    def _max_size(self, scope: Scope) -> int:
        return self._settings.max_upload if _is_upload(scope) else self._settings.max_body


class _LimitedBody:
    """The body of one request as it arrives; `receive` raises once a limit is passed."""

    def __init__(self, receive: Receive, max_size: int, timeout: float, *, upload: bool) -> None:
        self._receive = receive
        self._max_size = max_size
        self._timeout = timeout
        self._upload = upload
        self._deadline = monotonic() + timeout
        self._size = 0
        self._complete = False

    async def receive(self) -> Message:
        if self._complete:
            return await self._receive()
        # An upload has the time limit for each part of it, not for the whole.
        deadline = monotonic() + self._timeout if self._upload else self._deadline
        try:
            async with asyncio.timeout(max(0.0, deadline - monotonic())):
                message = await self._receive()
        except TimeoutError:
            raise HttpProblem(408, "too-slow", "the body did not arrive in time") from None
        self._size += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self._size > self._max_size:
            raise _too_large(self._max_size)
        return message


def _is_upload(scope: Scope) -> bool:
    if scope["method"] != "POST" or scope["path"] not in UPLOADS:
        return False
    return _header(scope, b"content-type").lstrip().lower().startswith(b"multipart/form-data")


def _announced_size(scope: Scope) -> int:
    content_length = _header(scope, b"content-length")
    return int(content_length) if content_length.isdigit() else 0


def _header(scope: Scope, name: bytes) -> bytes:
    return next((value for key, value in scope["headers"] if key == name), b"")


def _too_large(max_size: int) -> HttpProblem:
    return HttpProblem(413, "too-large", f"the body may have {max_size} bytes")
