"""Work that comes at the same time is done in one go, so that a crowd costs few commits.

Whoever comes first goes at once; who comes meanwhile is gathered, and goes with the next. Nobody is
answered before the go that held his part has ended, and each is answered for himself.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from producer.web.problems import HttpProblem
from worker.domain.errors import XinshiError

Part = TypeVar("Part")
Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much goes in one go, and how much may wait."""

    #: Parts in one go, and their sizes together.
    parts: int
    size: int
    #: How many goes there are at one time.
    goes: int
    #: Parts that may wait before others are refused.
    waiting: int


@dataclass(slots=True)
class _Waiting(Generic[Part, Done]):
    part: Part
    size: int
    done: asyncio.Future[Done]


class SharedCommit(Generic[Part, Done]):
    """Gathers parts and does them; the event loop alone touches it.

    `work` does some parts, and returns what became of each, in their order. When it raises, they
    are done one by one, unless it is an error of ours: the database's absence is told to them all.
    """

    def __init__(
        self, work: Callable[[Sequence[Part]], Awaitable[Sequence[Done]]], bounds: Bounds
    ) -> None:
        self._work = work
        self._bounds = bounds
        self._waiting: deque[_Waiting[Part, Done]] = deque()
        #: How many goes look at what waits still; a task that has looked for the last time is none.
        self._going = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def do(self, part: Part, size: int = 1) -> Done:
        """Return what became of a part once it was done; raises what its work raises."""
        if len(self._waiting) >= self._bounds.waiting:
            raise HttpProblem(
                503, "too-many", "too many at once; come again", headers={"Retry-After": "5"}
            )
        one: _Waiting[Part, Done] = _Waiting(part, size, asyncio.get_running_loop().create_future())
        self._waiting.append(one)
        if self._going < self._bounds.goes:
            self._going += 1
            task = asyncio.create_task(self._go())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await one.done

    async def _go(self) -> None:
        try:
            await self._empty()
        finally:
            # In the same step as the last look: who comes after it begins another go.
            self._going -= 1

    async def _empty(self) -> None:
        while self._waiting:
            some = self._taken()
            try:
                found = await self._work([one.part for one in some])
            except Exception as error:  # noqa: BLE001 - whoever waits for it is told
                await self._each(some, error)
            else:
                for one, what in zip(some, found, strict=True):
                    _finish(one, what)

    def _taken(self) -> list[_Waiting[Part, Done]]:
        some = [self._waiting.popleft()]
        room = self._bounds.size - some[0].size
        while self._waiting and len(some) < self._bounds.parts and self._waiting[0].size <= room:
            some.append(self._waiting.popleft())
            room -= some[-1].size
        return some

    async def _each(self, some: list[_Waiting[Part, Done]], error: Exception) -> None:
        for one in some:
            if len(some) == 1 or isinstance(error, XinshiError):
                _fail(one, error)
                continue
            try:
                (what,) = await self._work([one.part])
            except Exception as own:  # noqa: BLE001 - whoever waits for it is told
                _fail(one, own)
            else:
                _finish(one, what)


def _finish(one: _Waiting[Part, Done], what: Done) -> None:
    if not one.done.done():
        one.done.set_result(what)


def _fail(one: _Waiting[Part, Done], error: Exception) -> None:
    if not one.done.done():
        one.done.set_exception(error)
