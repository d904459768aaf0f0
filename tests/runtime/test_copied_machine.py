"""A copied machine beside the original: one database more is said, one node more is safe."""

import dataclasses
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import Engine, select

from tests.support.by_hand import Hand, answer, settings_of
from tests.support.stage import TEXT, Stage, eventually, mobiles
from worker.config.settings import Settings
from worker.delivery import record
from worker.domain.enums import MessageClass, Outcome
from worker.runtime import maintenance
from worker.runtime.process import WorkerProcess
from worker.store import spool, spool_entries
from worker.store.db.database import reading
from worker.store.feedback.page_pieces import RawPage
from worker.store.intake.campaign_progress import count_by_state
from worker.store.schema.tables import event


@pytest.fixture
def said() -> Iterator[list[Any]]:
    """What is logged meanwhile."""
    with structlog.testing.capture_logs() as logged:
        yield logged


def events(stage: Stage) -> list[str]:
    with reading(stage.engine) as connection:
        return list(connection.execute(select(event.c.name)).scalars())


def count_copied(logged: list[Any]) -> int:
    return [line["event"] for line in logged].count("database.copied")


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_worker_on_a_copy_of_the_file_says_so_once(stage: Stage, said: list[Any]) -> None:
    path = Path(str(stage.engine.url.database))
    stage.configure("v1")
    for _ in range(2):
        with stage.working():
            pass
    assert count_copied(said) == 0
    stage.engine.dispose()
    copied = path.with_suffix(".copy")
    with closing(sqlite3.connect(path)) as live, closing(sqlite3.connect(copied)) as copy:
        live.backup(copy)
    copied.replace(path)
    for _ in range(2):
        with stage.working():
            pass
    assert count_copied(said) == 1
    assert events(stage).count("database.copied") == 1


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_file_that_is_renamed_or_written_over_is_no_copy(stage: Stage, said: list[Any]) -> None:
    path = Path(str(stage.engine.url.database))
    stage.configure("v1")
    with stage.working():
        stage.enqueue(mobiles(3))
    stage.engine.dispose()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM")
    path.rename(path.with_suffix(".away")).rename(path)
    with stage.working():
        pass
    assert count_copied(said) == 0


@pytest.mark.parametrize("outcome", [Outcome.ACCEPTED, Outcome.DEFERRED])
def test_what_lies_in_both_spools_counts_once(
    engine: Engine, database: str, tmp_path: Path, outcome: Outcome
) -> None:
    """The second copy comes when the message has long gone on: it changes nothing any more."""
    hand = Hand(engine, settings_of(database, jzy={}))
    accepted = hand.enqueue(["13800000001"], account="jzy")
    (ready,) = hand.take()
    call = record.outcome_of(answer(ready, outcome, gateway_id="337"))
    machines = [in_folder(hand.settings, tmp_path / name) for name in ("original", "copy")]
    folder = spool.folder(machines[0])
    spool.write_free_file(folder, spool.SpoolFileKind.OUTCOMES, spool_entries.outcome_row(call))
    page = RawPage("jzy", "reports", b"<result>0</result>", 200)
    row = spool_entries.page_row(page)
    spool.write_free_file(folder, spool.SpoolFileKind.PAGE, row)
    shutil.copytree(machines[0].state_folder, machines[1].state_folder)
    maintenance.drain_spools(engine, machines[0], "original")
    hand.make_due()
    for late in hand.take():
        hand.record(answer(late, Outcome.ACCEPTED, gateway_id="338"))
    before = hand.submissions(accepted.request_id), hand.seen(accepted.request_id)
    assert before[1] == {0: "submitted"}
    maintenance.drain_spools(engine, machines[1], "copy")
    assert (hand.submissions(accepted.request_id), hand.seen(accepted.request_id)) == before
    for machine in machines:
        assert not list(spool.folder(machine).iterdir())


def test_a_copy_with_the_same_database_is_one_node_more(stage: Stage, tmp_path: Path) -> None:
    """The same host, the same process id, the same spool: nothing is doubled, nothing in doubt."""
    stage.configure("v1", "jzy")
    stage.prove()
    machines = [in_folder(stage.settings, tmp_path / name) for name in ("original", "copy")]
    workers = [WorkerProcess(machine, list(MessageClass)) for machine in machines]
    for worker in workers:
        worker.start()
    try:
        campaign = stage.producer.enqueue_campaign("all", mobiles(300), TEXT)
        singles = stage.enqueue(mobiles(30, 1000))
        eventually(lambda: len(stage.taken()) == 330, within=60)
        eventually(lambda: stage.states(singles) == {"delivered": 30}, within=60)
    finally:
        for worker in workers:
            worker.stop()
    assert set(stage.taken().values()) == {1}
    with reading(stage.engine) as connection:
        states = count_by_state(connection, campaign.id)
    assert {state for state, count in states.items() if count} <= {"submitted", "delivered"}


def in_folder(settings: Settings, folder: Path) -> Settings:
    """Return settings as they are on a machine whose state lies in another folder."""
    return dataclasses.replace(
        settings, top=settings.top.model_copy(update={"state_dir": str(folder)})
    )
