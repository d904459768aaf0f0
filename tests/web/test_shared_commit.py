"""Work that is shared: nobody waits for company, nobody pays for another's fault."""

import asyncio
from collections.abc import Sequence

import pytest

from producer.web.problems import HttpProblem
from producer.web.shared_commit import Bounds, SharedCommit
from worker.domain.errors import Unavailable

BOUNDS = Bounds(parts=3, size=100, groups=1, waiting=5)


class Work:
    """Doubles numbers; fails with 13 among them, or wholly."""

    def __init__(self) -> None:
        self.goes: list[list[int]] = []
        self.begun = asyncio.Event()
        self.open = asyncio.Event()
        self.away = False

    async def __call__(self, parts: Sequence[int]) -> Sequence[int]:
        """Do some parts, once the way is open."""
        self.goes.append(list(parts))
        self.begun.set()
        await self.open.wait()
        if self.away:
            raise Unavailable
        if 13 in parts:
            raise ValueError
        return [2 * one for one in parts]


def test_who_comes_first_goes_alone_and_the_others_with_the_next() -> None:
    async def run() -> None:
        work = Work()
        shared = SharedCommit(work, BOUNDS)
        first = asyncio.create_task(shared.do(1))
        await work.begun.wait()
        others = [asyncio.create_task(shared.do(one)) for one in (2, 3, 4, 5)]
        await asyncio.sleep(0)
        work.open.set()
        assert await first == 2
        assert await asyncio.gather(*others) == [4, 6, 8, 10]
        assert work.goes == [[1], [2, 3, 4], [5]]

    asyncio.run(run())


def test_a_go_is_no_larger_than_its_bounds_but_one_part_may_be() -> None:
    async def run() -> None:
        work = Work()
        work.open.set()
        shared = SharedCommit(work, BOUNDS)
        await asyncio.gather(*(shared.do(nth, size) for nth, size in enumerate([60, 60, 500, 40])))
        assert work.goes == [[0], [1], [2], [3]]

    asyncio.run(run())


def test_what_fails_together_is_done_one_by_one() -> None:
    async def run() -> None:
        work = Work()
        work.open.set()
        shared = SharedCommit(work, BOUNDS)
        found = await asyncio.gather(
            *(shared.do(one) for one in (1, 13, 2)), return_exceptions=True
        )
        assert [found[0], found[2]] == [2, 4]
        assert isinstance(found[1], ValueError)

    asyncio.run(run())


def test_a_database_that_is_away_is_not_asked_once_for_each() -> None:
    async def run() -> None:
        work = Work()
        work.away = True
        work.open.set()
        shared = SharedCommit(work, BOUNDS)
        found = await asyncio.gather(*(shared.do(one) for one in (1, 2, 3)), return_exceptions=True)
        assert all(isinstance(one, Unavailable) for one in found)
        assert len(work.goes) == 1

    asyncio.run(run())


def test_too_many_that_wait_are_refused_and_the_others_are_done() -> None:
    async def run() -> None:
        work = Work()
        shared = SharedCommit(work, BOUNDS)
        some = [asyncio.create_task(shared.do(one)) for one in range(BOUNDS.waiting)]
        await asyncio.sleep(0)
        await work.begun.wait()
        more = [asyncio.create_task(shared.do(one)) for one in range(BOUNDS.parts)]
        await asyncio.sleep(0)
        with pytest.raises(HttpProblem, match="503"):
            await shared.do(99)
        work.open.set()
        assert await asyncio.gather(*some, *more) == [0, 2, 4, 6, 8, 0, 2, 4]

    asyncio.run(run())


def test_who_comes_just_when_the_last_has_gone_begins_another_go() -> None:
    async def run() -> None:
        work = Work()
        work.open.set()
        shared = SharedCommit(work, BOUNDS)
        async with asyncio.timeout(5):
            assert [await shared.do(one) for one in (1, 2, 3)] == [2, 4, 6]

    asyncio.run(run())
