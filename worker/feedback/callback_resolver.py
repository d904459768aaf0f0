"""Finds the addresses of applications' hosts, and leaves out those that callbacks must not reach.

A look-up cannot be ended before its name server answers: it has a thread of its own, and its
caller waits for that thread even beyond a deadline. So there are never more threads than callers,
and nobody waits for the look-up of another name.
"""

import asyncio
import contextlib
import socket
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import ip_address

from worker.domain.addresses import Address, Network, is_reachable, is_within
from worker.gateways.transport.asyncio_transport import Origin


class ForbiddenAddress(OSError):
    """A host leads only to addresses that callbacks must not reach; `reason` has the words."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class CallbackResolver:
    """Resolves hosts for one event loop, for up to `max_lookups` callers at a time."""

    def __init__(self, allowed: Collection[Network], max_lookups: int) -> None:
        self._allowed = tuple(allowed)
        self._threads = ThreadPoolExecutor(max_lookups, thread_name_prefix="callback-names")

    async def resolve(self, origin: Origin) -> list[str]:
        """Return the addresses of an origin that callbacks may reach, the preferred one first.

        Raises `ForbiddenAddress` when there is none, or `OSError` and `UnicodeError` when its name
        cannot be resolved.
        """
        scheme, host, port = origin
        addresses = await self._look_up(host.decode("ascii"), port)
        public = [address for address in addresses if is_reachable(address, self._allowed)]
        if not public:
            reason = "private address"
            raise ForbiddenAddress(reason)
        if scheme == "https":
            return list(map(str, public))
        named = [address for address in public if is_within(address, self._allowed)]
        if not named:
            reason = "plain HTTP outside of callback_networks"
            raise ForbiddenAddress(reason)
        return list(map(str, named))

    async def _look_up(self, host: str, port: int) -> list[Address]:
        with contextlib.suppress(ValueError):
            return [ip_address(host)]
        lookup = asyncio.get_running_loop().run_in_executor(
            self._threads, partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        )
        try:
            address_infos = await asyncio.shield(lookup)
        except asyncio.CancelledError:
            # What becomes of it interests nobody any more, but that its thread is free again.
            with contextlib.suppress(OSError, UnicodeError):
                await lookup
            raise
        return [
            ip_address(str(address_info[4][0]).partition("%")[0]) for address_info in address_infos
        ]

    def close(self) -> None:
        """Take no more look-ups; those under way end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)
