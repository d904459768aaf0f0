"""What comes in is bounded by size and by time, before any route sees it."""

import asyncio
from time import monotonic

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from producer.web.problems import HttpProblem
from worker.config.web_settings import WebSettings

#: Where files are taken; everywhere else bodies are small.
UPLOADS = frozenset({"/v1/campaigns"})


class Bounded:
    """ASGI middleware: a body that is too large is a 413, one that does not arrive a 408."""

    def __init__(self, app: ASGIApp, settings: WebSettings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._most(scope)
        if _announced(scope) > most:
            await _too_large(most).response()(scope, receive, send)
            return
        body = _Body(receive, most, self._settings.body_timeout, upload=_is_upload(scope))
        await self._app(scope, body.receive, send)

    def _most(self, scope: Scope) -> int:
        return self._settings.max_upload if _is_upload(scope) else self._settings.max_body


class _Body:
    """One request's body as it arrives."""

    def __init__(self, receive: Receive, most: int, patience: float, *, upload: bool) -> None:
        self._receive = receive
        self._most = most
        self._patience = patience
        self._upload = upload
        self._until = monotonic() + patience
        self._size = 0
        self._whole = False

    async def receive(self) -> Message:
        if self._whole:
            return await self._receive()
        # A file may take as long as it keeps coming.
        until = monotonic() + self._patience if self._upload else self._until
        try:
            async with asyncio.timeout(max(0.0, until - monotonic())):
                message = await self._receive()
        except TimeoutError:
            raise HttpProblem(408, "too-slow", "the body did not arrive in time") from None
        self._size += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._size > self._most:
            raise _too_large(self._most)
        return message


def _is_upload(scope: Scope) -> bool:
    if scope["method"] != "POST" or scope["path"].rstrip("/") not in UPLOADS:
        return False
    return _header(scope, b"content-type").lstrip().lower().startswith(b"multipart/form-data")


def _announced(scope: Scope) -> int:
    said = _header(scope, b"content-length")
    return int(said) if said.isdigit() else 0


def _header(scope: Scope, name: bytes) -> bytes:
    return next((value for key, value in scope["headers"] if key == name), b"")


def _too_large(most: int) -> HttpProblem:
    return HttpProblem(413, "too-large", f"the body may have {most} bytes")
