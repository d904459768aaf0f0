"""The only module that sends: one request, one total deadline, no retry, no redirect, no proxy.

It raises two things alone. `NotSent`: no byte of the request left this machine. `OutcomeUnknown`:
anything else that is no answer. `NEVER_LEFT` is the whole table; what is not in it is unknown.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import httpx

from worker.errors import NotSent, OutcomeUnknown

#: Raised by httpx before the first byte of a request is written, whatever the gateway does.
NEVER_LEFT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.ProxyError,
)
#: The longest answer that is read, in bytes: reads of reports are the longest by far.
LONGEST_ANSWER = 32 * 1024 * 1024
USER_AGENT = "xinshi"
_FIRST_BYTE = "send_request_headers.started"


@dataclass(slots=True)
class _Trace:
    """Remembers whether the transport began to write."""

    began: bool = False

    async def __call__(self, event: str, _info: Any) -> None:
        if event.endswith(_FIRST_BYTE):
            self.began = True


class Wire:
    """A pool of connections, for one event loop. `close` it when the loop ends."""

    def __init__(self, connections: int = 100) -> None:
        limits = httpx.Limits(
            max_connections=connections,
            max_keepalive_connections=connections,
            # Shorter than what servers keep: an idle connection that they close just as a request
            # is written would make its outcome unknown.
            keepalive_expiry=4.0,
        )
        self._transport = httpx.AsyncHTTPTransport(limits=limits, retries=0, trust_env=False)

    async def call(self, request: httpx.Request, seconds: float) -> httpx.Response:
        """Send `request` and return the whole answer within `seconds`.

        Any status is an answer. Raises `NotSent` or `OutcomeUnknown`; neither names the URL.
        """
        trace = _Trace()
        request.headers.setdefault("User-Agent", USER_AGENT)
        request.extensions = {"timeout": httpx.Timeout(seconds).as_dict(), "trace": trace}
        began = time.monotonic()
        try:
            async with asyncio.timeout(seconds):
                return await self._exchange(request)
        except NEVER_LEFT as error:
            raise _ended(error, began, sent=trace.began) from error
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise _ended(error, began, sent=trace.began) from error

    async def _exchange(self, request: httpx.Request) -> httpx.Response:
        response = await self._transport.handle_async_request(request)
        body = bytearray()
        try:
            async for part in response.aiter_raw():
                body += part
                if len(body) > LONGEST_ANSWER:
                    msg = "the answer is too long"
                    raise OutcomeUnknown(msg)
        finally:
            await response.aclose()
        return httpx.Response(
            response.status_code, headers=_plain(response.headers), content=bytes(body)
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.aclose()


def _plain(headers: httpx.Headers) -> list[tuple[str, str]]:
    """The headers less those that describe how the body travelled: it has been put together."""
    travelled = {"transfer-encoding", "content-length", "content-encoding"}
    return [(name, value) for name, value in headers.items() if name not in travelled]


def _ended(error: BaseException, began: float, *, sent: bool) -> NotSent | OutcomeUnknown:
    said = f"{type(error).__name__} after {time.monotonic() - began:.1f} s"
    return OutcomeUnknown(said) if sent else NotSent(said)
