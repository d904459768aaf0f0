"""Posts events to the URLs of applications, to private addresses only where the settings say so.

Each connection resolves its host name once, checks the addresses and connects to one of those, so
that a name which resolves to another address a moment later leads nowhere that was not checked. It
follows no redirect, uses no proxy and sends no cookie. A post waits for its receiver alone: it has
a connection, and a thread for its look-up, of its own.
"""

import asyncio
import ssl
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import httpx

from worker.domain.addresses import Network
from worker.feedback.callback_resolver import CallbackResolver, ForbiddenAddress
from worker.gateways.transport.asyncio_transport import AsyncioTransport
from worker.gateways.transport.client import FAILURES, USER_AGENT
from worker.gateways.transport.protocol import AnswerTooLong, RequestTrace

#: How many bytes of an answer are read at the most; only its status and headers are used.
_MAX_ANSWER_BYTES = 64 * 1024
#: Connections that are kept for the next event of the same receiver, each for some seconds.
_MAX_UNUSED_CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class PostResult:
    """How a POST ended: with the status of an answer, or without an answer and with a problem."""

    #: None when there was no answer.
    status: int | None
    #: What went wrong: the name of an exception, or words for it. Empty after an answer.
    problem: str = ""
    #: Seconds that the receiver asks us to wait.
    retry_after: float | None = None


class CallbackClient:
    """Posts from one event loop, up to `max_posts` at a time; `close` it with the loop.

    `trust` replaces the public authorities that receivers' certificates are checked against.
    """

    def __init__(
        self, allowed: Collection[Network], max_posts: int, trust: ssl.SSLContext | None = None
    ) -> None:
        self._resolver = CallbackResolver(allowed, max_posts)
        self._transport = AsyncioTransport(_MAX_UNUSED_CONNECTIONS, trust, self._resolver.resolve)

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], seconds: float
    ) -> PostResult:
        """Post `body` within `seconds`, and return how that ended.

        It raises nothing that the network or the URL is the cause of, and no result holds the URL.
        """
        trace = RequestTrace()
        try:
            all_headers = {"user-agent": USER_AGENT, **headers}
            request = httpx.Request("POST", url, headers=all_headers, content=body)
            async with asyncio.timeout(seconds):
                answer = await self._transport.exchange(request, trace, _MAX_ANSWER_BYTES)
        except AnswerTooLong as error:
            if trace.start is None:
                return PostResult(None, error.label)
            answer = trace.start
        except ForbiddenAddress as error:
            return PostResult(None, error.reason)
        except (*FAILURES, ValueError) as error:
            return PostResult(None, type(error).__name__)
        return PostResult(answer.status, retry_after=_retry_after(httpx.Headers(answer.headers)))

    async def close(self) -> None:
        """Close all connections, and take no more look-ups."""
        await self._transport.close()
        self._resolver.close()


def _retry_after(headers: httpx.Headers) -> float | None:
    """Return the seconds that `Retry-After` asks for; None for a date, or without the header."""
    header = headers.get("retry-after", "")
    return float(header) if header.isascii() and header.isdigit() and len(header) < 7 else None
