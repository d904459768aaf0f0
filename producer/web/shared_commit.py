"""Groups calls that come at the same time, so that they share one commit.

A call that comes while no group is under way is done at once. Calls that come meanwhile wait, and
the next group takes them. A call is answered when the group that holds it has ended, and gets its
own outcome.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from producer.web.problems import HttpProblem
from worker.domain.errors import XinshiError

Part = TypeVar("Part")
Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large a group is, and how many calls may wait."""

    #: Parts in one group, and the sum of their sizes.
    parts: int
    size: int
    #: Groups that are under way at one time.
    groups: int
    #: Parts that may wait; the next one is refused.
    waiting: int


@dataclass(slots=True)
class _WaitingPart(Generic[Part, Outcome]):
    """One call's part, its size, and the future on which the call waits."""

    part: Part
    size: int
    outcome: asyncio.Future[Outcome]

    def finish(self, outcome: Outcome) -> None:
        """Answer the call, unless it has been given up meanwhile."""
        if not self.outcome.done():
            self.outcome.set_result(outcome)

    def fail(self, error: Exception) -> None:
        """Raise an error in the call, unless it has been given up meanwhile."""
        if not self.outcome.done():
            self.outcome.set_exception(error)


class SharedCommit(Generic[Part, Outcome]):
    """Gathers parts and does them in groups. Only the event loop's thread may use it.

    `work` does the parts of a group and returns their outcomes in the same order. When it raises an
    `XinshiError`, as it does while the database is away, every call of the group gets that error.
    When it raises anything else, the parts are done once more, each alone.
    """

    def __init__(
        self, work: Callable[[Sequence[Part]], Awaitable[Sequence[Outcome]]], bounds: Bounds
    ) -> None:
        self._work = work
        self._bounds = bounds
        self._waiting: deque[_WaitingPart[Part, Outcome]] = deque()
        #: The tasks that may still take from `_waiting`; one that found it empty counts no more.
        self._active_tasks = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def do(self, part: Part, size: int = 1) -> Outcome:
        """Return the outcome of a part once its group has ended; raises what `work` raises for it.

        Raises `HttpProblem` (503) when too many parts wait.
        """
        if len(self._waiting) >= self._bounds.waiting:
            raise HttpProblem(
                503, "too-many", "too many at once; come again", headers={"Retry-After": "5"}
            )
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append(_WaitingPart(part, size, outcome))
        if self._active_tasks < self._bounds.groups:
            self._active_tasks += 1
            task = asyncio.create_task(self._work_until_empty())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await outcome

    async def _work_until_empty(self) -> None:
        try:
            while self._waiting:
                await self._do_group(self._next_group())
        finally:
            # No await stands between the last look at `_waiting` and this line: a part that comes
            # later starts a task of its own.
            self._active_tasks -= 1

    def _next_group(self) -> list[_WaitingPart[Part, Outcome]]:
        """Take parts off the queue, as many as the bounds allow; the first one may be larger."""
        group = [self._waiting.popleft()]
        free_size = self._bounds.size - group[0].size
        while (
            self._waiting and len(group) < self._bounds.parts and self._waiting[0].size <= free_size
        ):
            group.append(self._waiting.popleft())
            free_size -= group[-1].size
        return group

    async def _do_group(self, group: list[_WaitingPart[Part, Outcome]]) -> None:
        try:
            outcomes = await self._work([waiting.part for waiting in group])
        except Exception as error:  # noqa: BLE001 - the calls that wait raise it
            await self._retry_alone(group, error)
        else:
            for waiting, outcome in zip(group, outcomes, strict=True):
                waiting.finish(outcome)

    async def _retry_alone(
        self, group: list[_WaitingPart[Part, Outcome]], group_error: Exception
    ) -> None:
        """Do each part of a failed group alone, where that may help."""
        for waiting in group:
            if len(group) == 1 or isinstance(group_error, XinshiError):
                waiting.fail(group_error)
                continue
            try:
                (outcome,) = await self._work([waiting.part])
            except Exception as error:  # noqa: BLE001 - the call that waits raises it
                waiting.fail(error)
            else:
                waiting.finish(outcome)
