"""Writers at one SQLite file take turns, in the order of the queue; nobody waits for ever."""

import threading
from pathlib import Path

import pytest

from tests.support.stage import eventually
from worker.domain.errors import Unavailable
from worker.store.db.sqlite_lock import FairFileLock


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "some.db-turn"


def test_a_turn_that_does_not_come_is_said_clearly(file: Path) -> None:
    with (
        FairFileLock(file).held(1.0),
        pytest.raises(Unavailable, match="no turn to write"),
        FairFileLock(file).held(0.05),
    ):
        pytest.fail("two writers at once")
    with FairFileLock(file).held(1.0):
        pass


def test_a_place_that_was_given_up_blocks_nobody(file: Path) -> None:
    """It is reached when nobody wants it any more, and let go of at once."""
    mine, other = FairFileLock(file), FairFileLock(file)
    with other.held(1.0), pytest.raises(Unavailable), mine.held(0.05):
        pass
    for turns in (other, mine, FairFileLock(file)):
        with turns.held(1.0):
            pass


def test_whoever_gives_up_keeps_the_place(file: Path) -> None:
    """However often it tries, one thread sleeps in the queue; and then it has its turn."""
    mine, other = FairFileLock(file), FairFileLock(file)
    before = set(threading.enumerate())
    with other.held(1.0):
        for _ in range(5):
            with pytest.raises(Unavailable), mine.held(0.02):
                pass
        (sleeps,) = set(threading.enumerate()) - before
    with mine.held(1.0):
        pass
    eventually(lambda: not sleeps.is_alive())


def test_nobody_is_in_it_with_another(file: Path) -> None:
    inside, most = [0], [0]

    def write() -> None:
        turns = FairFileLock(file)
        for _ in range(50):
            with turns.held(10.0):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1

    threads = [threading.Thread(target=write) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert most == [1]
