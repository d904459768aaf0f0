"""Writers at one SQLite file take turns, in the order of the queue; nobody waits for ever."""

import threading
import time
from pathlib import Path

import pytest

from tests.support.stage import eventually
from worker.domain.errors import Unavailable
from worker.store.db import database
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


def crowd(url: str) -> list[str]:
    """Let four who give way queue, and then one who does not; return in which order they wrote."""
    before, order = set(threading.enumerate()), list[str]()

    def write(name: str, *, gives_way: bool) -> None:
        engine = database.connect(url, gives_way=gives_way)
        with database.writing(engine):
            order.append(name)
        engine.dispose()

    def queued(waiting: int) -> bool:
        turns = [one for one in set(threading.enumerate()) - before if one.name == "turn"]
        return len(turns) == waiting

    writers = [
        threading.Thread(target=write, args=("behind",), kwargs={"gives_way": True})
        for _ in range(4)
    ]
    writers.append(threading.Thread(target=write, args=("in front",), kwargs={"gives_way": False}))
    holder = database.connect(url)
    with database.writing(holder):
        for waiting, one in enumerate(writers, 1):
            one.start()
            eventually(lambda waiting=waiting: queued(waiting))
    for one in writers:
        one.join()
    holder.dispose()
    return order


def test_of_all_who_give_way_one_at_most_stands_before_another(tmp_path: Path) -> None:
    """Where the machine is busy the kernel may let somebody in who came later: not each time."""
    orders = [crowd(f"sqlite:///{tmp_path}/{nth}.db") for nth in range(5)]
    assert all(sorted(order) == ["behind"] * 4 + ["in front"] for order in orders)
    assert min(order.index("in front") for order in orders) <= 1


def bypasses(url: str) -> list[int]:
    """Return how many transactions of one who gives way began while each of ours waited.

    It begins the next one as soon as one has ended, as who takes in a long page does.
    """
    begun, done, counts = [0], threading.Event(), list[int]()

    def write_on() -> None:
        engine = database.connect(url, gives_way=True)
        while not done.is_set():
            with database.writing(engine):
                begun[0] += 1
                time.sleep(0.005)
        engine.dispose()

    engine = database.connect(url)
    other = threading.Thread(target=write_on)
    other.start()
    for _ in range(40):
        eventually(lambda count=begun[0]: begun[0] > count)
        before = begun[0]
        with database.writing(engine):
            counts.append(begun[0] - before)
    done.set()
    other.join()
    engine.dispose()
    return counts


def test_who_gives_way_begins_nothing_while_another_waits(tmp_path: Path) -> None:
    """The kernel lets in who comes first once the file is free: it takes time to wake up."""
    counts = bypasses(f"sqlite:///{tmp_path}/some.db")
    # A machine may take longer to wake somebody up than is waited for him: hardly ever.
    assert sum(count > 0 for count in counts) <= len(counts) // 10, counts
