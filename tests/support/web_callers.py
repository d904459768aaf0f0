"""Many callers on one machine: plain sockets and as little work as can be, so that servers show."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass
class Tally:
    """What callers were answered: seconds of each call, and whatever was not wanted."""

    seconds: list[float] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    #: Calls that brought no answer and were repeated.
    repeated: int = 0
    refused: dict[int, int] = field(default_factory=dict)

    def quantile(self, share: float) -> float:
        """Return the seconds within which this share of the calls was answered."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


Calls = Iterator[bytes]


def request(path: str, body: bytes, *headers: str) -> bytes:
    """Write a POST."""
    head = [f"POST {path} HTTP/1.1", "Host: x", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(head).encode() + body


async def call(
    port: int, calls: Calls, wanted: int, until: Callable[[], bool], tally: Tally
) -> None:
    """Make calls one after the other on one connection; what brings no answer is repeated."""
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None
    for one in calls:
        begun = time.perf_counter()
        while True:
            try:
                if reader is None or writer is None:
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(one)
                status, body = await asyncio.wait_for(_answer(reader), 30)
            except (OSError, EOFError, ValueError, TimeoutError):
                reader = None
                tally.repeated += 1
                await asyncio.sleep(0.05)
                continue
            if status == wanted:
                break
            tally.refused[status] = tally.refused.get(status, 0) + 1
            await asyncio.sleep(0.05)
        tally.seconds.append(time.perf_counter() - begun)
        tally.bodies.append(body)
        if until():
            break
    if writer is not None:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return int(head.split(b" ", 2)[1]), await reader.readexactly(int(length or b"0"))


async def crowd(
    port: int, calls: Calls, *, wanted: int, callers: int, seconds: float | None = None
) -> Tally:
    """Let so many callers share the calls, for so long or until there are no more."""
    tally = Tally()
    end = time.perf_counter() + seconds if seconds is not None else None

    def until() -> bool:
        return end is not None and time.perf_counter() >= end

    await asyncio.gather(*(call(port, calls, wanted, until, tally) for _ in range(callers)))
    return tally
