"""Each call to a gateway is the first one: no cookie comes back, no redirect is followed.

An address holds no password either.
"""

import asyncio
from pathlib import Path

import httpx
import pytest

from tests.support.dropping_gateway import gateway
from worker.config import settings
from worker.domain.errors import ConfigurationError
from worker.gateways.registry import gateway_classes
from worker.gateways.transport.client import TRANSPORTS, GatewayClient

_LEADING = b"HTTP/1.1 %d -\r\nLocation: %s\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("transport", sorted(TRANSPORTS))
@pytest.mark.parametrize("status", [200, 301, 302, 303, 307, 308])
def test_a_gateway_leads_nowhere_and_is_given_no_cookie_back(transport: str, status: int) -> None:
    said = _LEADING % (status, b"/elsewhere")
    with gateway(good=2, answer=lambda _: said) as there:

        async def call_twice() -> list[int]:
            client = GatewayClient(transport)
            try:
                requests = [httpx.Request("POST", there.url, content=b"x") for _ in range(2)]
                return [(await client.call(request, 30.0)).status_code for request in requests]
            finally:
                await client.close()

        assert asyncio.run(call_twice()) == [status, status]
        assert len(there.taken) == 2
        for request in there.taken:
            assert request.startswith(b"POST /submit")
            assert b"cookie" not in request.lower()


@pytest.mark.parametrize("gateway_name", sorted(gateway_classes()))
@pytest.mark.parametrize(
    "url",
    ["https://me:secret@a.example", "https://a.example/?pwd=secret", "https://a.example/#secret"],
)
def test_an_address_holds_no_password(gateway_name: str, url: str) -> None:
    """It is refused by its key, in words that do not repeat it."""
    raw = {"accounts": {"one": {"gateway": gateway_name, "base_url": url}}}
    with pytest.raises(ConfigurationError) as refused:
        settings.parse(raw, Path(), {})
    assert "accounts.one.base_url" in str(refused.value)
    assert "secret@" not in str(refused.value)
    assert "=secret" not in str(refused.value)
