"""A long page is stored in pieces: it comes back as it came, and holds nobody up meanwhile."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest
from sqlalchemy import Engine, event, func, select, update

from tests.support.by_hand import Hand, settings_of
from tests.support.long_answers import HONEST, body
from worker import failpoints
from worker.feedback import page_intake, raw_pages, unread_pages
from worker.feedback.page_writer import PageWriter
from worker.feedback.reparse import reparse_pages
from worker.gateways.page_contents import CUT_HEADER, NOT_STORED
from worker.gateways.transport import answer_bounds
from worker.runtime import maintenance
from worker.store import spool, spool_entries
from worker.store.db import database as connecting
from worker.store.db.clock import later
from worker.store.db.database import reading, writing
from worker.store.feedback import inbox as inbox_store
from worker.store.feedback import page_pieces, troubled_pages
from worker.store.feedback.inbox import StoredPage
from worker.store.feedback.page_pieces import PIECE_BYTES, RawPage
from worker.store.schema.tables import inbox, inbox_piece, report

ROOT = Path(__file__).parents[2]
SIZES = [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES, 3 * PIECE_BYTES + 7]
#: A page of four pieces, and how many of its rows are whole in the first two.
REPORTS = body(HONEST["reports in JSON"], 3 * PIECE_BYTES + 1000)
#: Stores the page that the file of its second argument holds, as a collector does.
STORE = """
import sys
from pathlib import Path
from worker.feedback.page_writer import PageWriter
from worker.store.db import database
from worker.store.feedback.page_pieces import RawPage
page = RawPage("v1", "reports", Path(sys.argv[2]).read_bytes(), status=200)
PageWriter(database.connect(sys.argv[1]), page).write()
"""


def raw_page(content: bytes) -> RawPage:
    return RawPage("v1", "reports", content, status=200, headers={"content-type": "a/b"})


def stored(engine: Engine, inbox_id: int) -> StoredPage:
    with reading(engine) as connection:
        page = inbox_store.find(connection, inbox_id)
    assert page is not None
    return page


def unread(engine: Engine) -> list[int]:
    with reading(engine) as connection:
        return inbox_store.unread_page_ids(connection, ["v1"], 100)


def page_ids(engine: Engine) -> list[int]:
    with reading(engine) as connection:
        return inbox_store.find_ids(connection)


def problems(engine: Engine) -> list[str | None]:
    """Return what `xinshi doctor` says of pages."""
    with reading(engine) as connection:
        return [pages.problem for pages in troubled_pages.put_aside(connection, 3600.0)]


@pytest.mark.parametrize("size", [*SIZES, answer_bounds.PAGE.max_bytes])
def test_a_page_of_any_size_comes_back_byte_for_byte(engine: Engine, size: int) -> None:
    content = random.Random(size).randbytes(size)
    inbox_id = PageWriter(engine, raw_page(content)).write()
    page = stored(engine, inbox_id)
    assert page.body == content
    assert (page.status, page.headers) == (200, {"content-type": "a/b"})
    assert unread(engine) == page_ids(engine) == [inbox_id]
    assert problems(engine) == []


def killed_while_storing(database: str, tmp_path: Path, nth: int) -> None:
    """Have a process killed before it stores a further piece of `REPORTS` for the nth time."""
    file = tmp_path / "page"
    file.write_bytes(REPORTS)
    ended = subprocess.run(
        [sys.executable, "-c", STORE, database, str(file)],
        cwd=ROOT,
        env={**os.environ, failpoints.VARIABLE: f"page.piece=kill@{nth}"},
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL


@pytest.mark.parametrize("nth", [1, 3])
def test_what_a_kill_leaves_of_a_page_is_shown_at_once_and_its_whole_rows_count_later(
    engine: Engine, database: str, tmp_path: Path, nth: int
) -> None:
    hand = Hand(engine, settings_of(database, v1={}))
    killed_while_storing(database, tmp_path, nth)
    (inbox_id,) = page_ids(engine)
    # Nobody takes it for a page that waits: the one who stores it may live.
    assert problems(engine) == [page_pieces.INCOMPLETE]
    unread_pages.read_waiting(engine, hand.settings)
    assert counted(engine) == 0
    with writing(engine) as connection:
        overdue = later(-page_pieces.ABANDONED_SECONDS - 1)
        connection.execute(update(inbox).values(received_at=overdue))
    unread_pages.read_waiting(engine, hand.settings)
    there = REPORTS[: nth * PIECE_BYTES]
    assert stored(engine, inbox_id).body == there
    assert counted(engine) == there.count(b'"extNo":""}') > 0
    assert problems(engine) == [f"cut off: {NOT_STORED}"]


def counted(engine: Engine) -> int:
    with reading(engine) as connection:
        return connection.execute(select(func.count()).select_from(report)).scalar_one()


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_part_of_a_page_that_a_person_has_read_says_that_it_is_one(
    engine: Engine, database: str, tmp_path: Path
) -> None:
    hand = Hand(engine, settings_of(database, v1={}))
    killed_while_storing(database, tmp_path, 1)
    (inbox_id,) = page_ids(engine)
    (page,) = reparse_pages(engine, hand.settings, [inbox_id], who="li")
    assert page.damaged == 1
    assert page.new == counted(engine) > 0


class FailsAt:
    """Makes the nth further piece of a page fail, as a full disk does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, nth: int) -> None:
        monkeypatch.setattr(failpoints, "_armed", {"page.piece": ("fail", nth)})
        monkeypatch.setattr(failpoints, "_times_reached", failpoints.Counter())


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_page_whose_storing_failed_is_continued_and_is_one_page(
    engine: Engine, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    """By a look at the spool, in which the collector has left it."""
    hand = Hand(engine, settings_of(database, v1={}))
    monkeypatch.setattr(type(hand.settings), "state_folder", tmp_path)
    page = raw_page(REPORTS)
    writer = PageWriter(engine, page)
    FailsAt(monkeypatch, nth)
    with pytest.raises(OSError, match="failpoint"):
        writer.write()
    begun_id = writer.begun_id
    assert begun_id is not None
    assert len(stored(engine, begun_id).body) == nth * PIECE_BYTES
    row = spool_entries.page_row(page, begun_id)
    spool.write_free_file(spool.folder(hand.settings), spool.SpoolFileKind.PAGE, row)
    maintenance.drain_spools(engine, hand.settings, "hand")
    assert page_ids(engine) == unread(engine) == [begun_id]
    assert stored(engine, begun_id).body == REPORTS
    assert stored(engine, begun_id).headers == {"content-type": "a/b"}
    assert problems(engine) == []


def test_a_page_that_another_took_the_place_of_is_stored_anew(engine: Engine) -> None:
    """Its id may be given again once it was deleted; nothing is added to a stranger."""
    other_id = PageWriter(engine, raw_page(b"x" * len(REPORTS))).write()
    inbox_id = PageWriter(engine, raw_page(REPORTS), other_id).write()
    assert inbox_id != other_id
    assert stored(engine, inbox_id).body == REPORTS
    assert set(stored(engine, other_id).body) == set(b"x")


def test_a_page_that_is_deleted_while_it_is_stored_is_stored_anew(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = PageWriter(engine, raw_page(REPORTS))
    FailsAt(monkeypatch, 2)
    with pytest.raises(OSError, match="failpoint"):
        writer.write()
    with writing(engine) as connection:
        connection.execute(inbox.delete())
    inbox_id = writer.write()
    assert unread(engine) == [inbox_id]
    assert stored(engine, inbox_id).body == REPORTS


def test_a_page_takes_its_pieces_with_it_when_it_is_deleted(engine: Engine) -> None:
    PageWriter(engine, raw_page(REPORTS)).write()
    with writing(engine) as connection:
        connection.execute(inbox.delete())
        pieces = select(func.count()).select_from(inbox_piece)
        assert connection.execute(pieces).scalar_one() == 0


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize("content", [b"short", REPORTS])
def test_pieces_that_a_foreign_tool_left_are_never_part_of_another_page(
    engine: Engine, database: str, content: bytes
) -> None:
    inbox_id = PageWriter(engine, raw_page(b"old" * PIECE_BYTES)).write()
    tool = sqlite3.connect(database.removeprefix("sqlite:///"))
    tool.execute("DELETE FROM xinshi_inbox")
    tool.commit()
    tool.close()
    assert PageWriter(engine, raw_page(content)).write() == inbox_id
    assert stored(engine, inbox_id).body == content


@pytest.fixture
def unchecked(database: str) -> Iterator[Engine]:
    """Connections to an SQLite file whose log nobody empties: it grows by what is written."""
    engine = connecting.connect(database)

    @event.listens_for(engine, "connect")
    def keep_log(raw: sqlite3.Connection, _record: object) -> None:
        raw.execute("PRAGMA wal_autocheckpoint=0")

    yield engine
    engine.dispose()


@pytest.mark.parametrize("kind", ["sqlite"])
def test_nobody_waits_for_more_than_a_few_pieces_of_the_longest_page(
    unchecked: Engine, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither while it is stored, nor while it is marked as read.

    What is counted is what a transaction writes into the file's log: so long it holds the file.
    """
    log = Path(f"{database.removeprefix('sqlite:///')}-wal")
    written: list[int] = []
    commit = connecting._commit

    def measure(transaction: object) -> None:
        before = log.stat().st_size if log.exists() else 0
        commit(transaction)  # type: ignore[arg-type]
        written.append(log.stat().st_size - before)

    # What does not fit the cache is written before the commit: all of it has to fit.
    @event.listens_for(unchecked, "begin")
    def make_room(connection: object) -> None:
        connection.exec_driver_sql("PRAGMA cache_size=-65536")  # type: ignore[attr-defined]

    monkeypatch.setattr(connecting, "_commit", measure)
    settings = settings_of(database, v1={})
    page = RawPage("v1", "reports", b"[" + b"{}," * (answer_bounds.PAGE.max_bytes // 3), status=200)
    inbox_id = PageWriter(unchecked, page).write()
    account = settings.accounts["v1"]
    raw = stored(unchecked, inbox_id)
    page_intake.take_in(
        unchecked,
        settings,
        "v1",
        inbox_id,
        lambda: raw_pages.read_stored(account, raw),
        monotonic() + 60.0,
    )
    assert unread(unchecked) == []
    assert sum(written) > answer_bounds.PAGE.max_bytes
    assert max(written) < 3 * PIECE_BYTES < answer_bounds.PAGE.max_bytes / 20


def test_a_page_that_is_not_whole_is_marked_before_a_byte_of_it_is_stored(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads it meanwhile, and a process of the version before, sees a page that is cut."""
    FailsAt(monkeypatch, 2)
    writer = PageWriter(engine, raw_page(REPORTS))
    with pytest.raises(OSError, match="failpoint"):
        writer.write()
    with reading(engine) as connection:
        (row,) = connection.execute(select(inbox)).all()
    assert row.headers[CUT_HEADER] == NOT_STORED
    assert row.parsed_at is not None
    assert (row.damaged, row.problem) == (1, page_pieces.INCOMPLETE)
