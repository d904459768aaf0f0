"""A producer that was used before a fork connects anew in each child, as gunicorn preloads it."""

import os
import signal
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import func, select, text

from producer import Producer
from tests.support.stage import TEXT, Stage, mobiles
from worker.store.db.database import reading
from worker.store.schema.tables import message

CHILDREN, CALLS = 4, 25


def fork(work: Callable[[], None]) -> int:
    """Run work in a child; return its process id. It ends without Python's own clean-up."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    # A child that waits for a lock of its parent's ends, too.
    signal.alarm(30)
    try:
        work()
        status = 0
    finally:
        os._exit(status)


def enqueue(producer: Producer, first: int) -> None:
    for number in mobiles(CALLS, first):
        producer.enqueue(number, TEXT)


def backend(producer: Producer) -> int:
    with reading(producer.engine) as connection:
        return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_children_and_parent_enqueue_at_the_same_time(stage: Stage) -> None:
    producer = stage.producer
    producer.enqueue("13900000000", TEXT)
    children = [
        fork(lambda nth=nth: enqueue(producer, 1000 * nth))  # type: ignore[misc]
        for nth in range(1, CHILDREN + 1)
    ]
    enqueue(producer, 0)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * CHILDREN
    producer.enqueue("13900000001", TEXT)
    with reading(stage.engine) as connection:
        count = connection.execute(select(func.count()).select_from(message)).scalar()
    assert count == (CHILDREN + 1) * CALLS + 2


@pytest.mark.parametrize("kind", ["postgresql"])
def test_a_child_has_a_connection_of_its_own(stage: Stage) -> None:
    producer = stage.producer
    parents = backend(producer)

    def compare() -> None:
        assert backend(producer) != parents

    assert os.waitpid(fork(compare), 0)[1] == 0
    assert backend(producer) == parents


def test_a_fork_while_another_thread_connects_leaves_no_lock_behind(stage: Stage) -> None:
    producer = stage.producer
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with producer._lock:
            held.set()
            release.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(20)
    pid = fork(lambda: enqueue(producer, 0))
    release.set()
    thread.join()
    assert os.waitpid(pid, 0)[1] == 0
