"""Opens a tunnel through an account's proxy by CONNECT, for https and http alike (RFC 9110, 9.3.6).

A proxy never forwards for us: what it forwards it may repeat, or answer from its memory. Until the
tunnel stands nothing of a request has left, so whatever fails here was not sent.
"""

import asyncio
import contextlib
import re
import socket
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, NoReturn

from worker.gateways.egress import Proxy
from worker.gateways.transport.protocol import ConnectionBroken

#: The longest head of a proxy's answer, in bytes.
MAX_ANSWER_BYTES = 16 * 1024
#: How long one of several addresses of the proxy is tried before the next one, in seconds.
_LONGEST_TRY = 2.0
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] +([0-9]{3})(?:[ \r\n]|\Z)", re.IGNORECASE)
#: The length of a status line up to its status, with blanks to spare.
_STATUS_BYTES = 20

#: Writes bytes to the proxy.
Write = Callable[[bytes], Awaitable[None]]
#: Reads some bytes from the proxy; none at its end.
Read = Callable[[], Awaitable[bytes]]


class ProxyRefused(ConnectionBroken):
    """The proxy that the account names opened no tunnel.

    With a `status` below 500 it refused by itself, and will again: not because the gateway is away.
    """

    label: ClassVar[str] = "ProxyRefused"

    def __init__(self, detail: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(detail)


async def connect(proxy: Proxy, host: str, port: int) -> socket.socket:
    """Return a socket that is a tunnel to `host`; close it. Raises `ProxyRefused` or `OSError`."""
    loop = asyncio.get_running_loop()
    tunnel = await _connect_to_proxy(proxy)
    try:
        await open_tunnel(
            proxy,
            host,
            port,
            lambda data: loop.sock_sendall(tunnel, data),
            lambda: loop.sock_recv(tunnel, MAX_ANSWER_BYTES),
        )
    except BaseException:
        tunnel.close()
        raise
    return tunnel


async def open_tunnel(proxy: Proxy, host: str, port: int, write: Write, read: Read) -> None:
    """Ask a proxy for a tunnel. Raises `ProxyRefused`, which says why there is none."""
    await write(_connect_request(proxy, host, port))
    received = b""
    while (end := _END_OF_HEAD.search(received)) is None:
        if len(received) > MAX_ANSWER_BYTES:
            _refuse("its answer has no end")
        if len(received) > _STATUS_BYTES and _STATUS_LINE.match(received) is None:
            _refuse("it does not speak HTTP")
        data = await read()
        if not data:
            _refuse("it closed the connection")
        received += data
    _check_answer(received[: end.start()])
    if received[end.end() :]:
        _refuse("something was said in the tunnel before the request")


async def _connect_to_proxy(proxy: Proxy) -> socket.socket:
    """Connect to the first address of a proxy that takes a connection."""
    loop = asyncio.get_running_loop()
    addresses = await loop.getaddrinfo(proxy.host, proxy.port, type=socket.SOCK_STREAM)
    for address in addresses[:-1]:
        with contextlib.suppress(OSError):
            async with asyncio.timeout(_LONGEST_TRY):
                return await _connect_to_address(address[0], address[4])
    return await _connect_to_address(addresses[-1][0], addresses[-1][4])


async def _connect_to_address(family: int, address: Any) -> socket.socket:
    connection = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        connection.settimeout(0)
        await asyncio.get_running_loop().sock_connect(connection, address)
    except BaseException:
        connection.close()
        raise
    return connection


def _connect_request(proxy: Proxy, host: str, port: int) -> bytes:
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {authority} HTTP/1.1".encode("ascii"), b"Host: " + authority.encode("ascii")]
    if proxy.authorization:
        lines.append(b"Proxy-Authorization: " + proxy.authorization)
    return b"\r\n".join([*lines, b"", b""])


def _check_answer(head: bytes) -> None:
    """Raise `ProxyRefused` unless a proxy's answer says that the tunnel stands."""
    line = _STATUS_LINE.match(head)
    if line is None:
        _refuse("it does not speak HTTP")
    status = int(line[1])
    if 200 <= status < 300:
        return
    words = "it wants other credentials (407): see proxy"
    if status != 407:
        words = f"it opens no tunnel to this gateway ({status})"
    raise ProxyRefused(words, status)


def _refuse(why: str) -> NoReturn:
    raise ProxyRefused(why)
