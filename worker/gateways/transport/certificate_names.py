"""Reads which names a certificate bears, for a person who has to know why it is refused."""

import asyncio
from collections.abc import Sequence

import httpx

from worker.gateways.egress import Egress
from worker.gateways.transport import proxy_tunnel, tls

#: The most names that are told of one certificate.
MAX_NAMES = 5


async def read(url: httpx.URL, egress: Egress, seconds: float) -> Sequence[str]:
    """Return the names in the certificate of a server that is trusted but for its name.

    Nothing is sent. Raises what the network raises; who signed the certificate is checked.
    """
    # Made here and used for nothing else: names are not checked by it.
    context = tls.make_ssl_context(egress)
    context.check_hostname = False
    host, port = url.host, url.port or 443
    async with asyncio.timeout(seconds):
        tunnel = await proxy_tunnel.connect(egress.proxy, host, port) if egress.proxy else None
        target = {"sock": tunnel} if tunnel else {"host": host, "port": port}
        _, writer = await asyncio.open_connection(
            **target,
            ssl=context,
            server_hostname=egress.server_name or host,
        )
        certificate = writer.get_extra_info("peercert") or {}
        writer.transport.abort()
    return [str(name) for _, name in certificate.get("subjectAltName", ())][:MAX_NAMES]
