"""Callbacks go by no proxy: whose address was checked here is connected to from here."""

import asyncio
from collections.abc import Sequence
from ipaddress import ip_network

import httpx
import pytest

from tests.support.dropping_gateway import gateway
from tests.support.tunnels import egress_by, proxy
from worker.feedback.callback_client import CallbackClient, PostResult
from worker.gateways.transport.asyncio_transport import AsyncioTransport, Origin
from worker.gateways.transport.protocol import RequestTrace


def test_the_environment_s_proxy_is_not_gone_through(monkeypatch: pytest.MonkeyPatch) -> None:
    async def post(url: str) -> PostResult:
        client = CallbackClient([ip_network("127.0.0.0/8")], 1)
        try:
            return await client.post(url, b"x", {}, 10.0)
        finally:
            await client.close()

    with proxy() as between, gateway(good=1) as there:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{between.port}")
        assert asyncio.run(post(there.url)).status == 200
        assert (between.connections, len(there.taken)) == (0, 1)


def test_no_proxy_looks_up_a_name_whose_addresses_are_checked_here() -> None:
    """It would look the name up again, and could be led elsewhere."""

    async def resolve(_: Origin) -> Sequence[str]:
        return ["127.0.0.1"]

    async def exchange(url: str) -> None:
        transport = AsyncioTransport(1, resolve=resolve)
        try:
            request = httpx.Request("POST", url, content=b"x")
            await transport.exchange(request, RequestTrace(), 100, egress_by(between))
        finally:
            await transport.close()

    with proxy() as between, gateway(good=1) as there:
        with pytest.raises(httpx.ProxyError):
            asyncio.run(exchange(there.url))
        assert (between.connections, there.connections) == (0, 0)
