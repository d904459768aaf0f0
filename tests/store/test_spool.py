"""What the database would not take: kept on the disk whole, lent once, forgotten only when done."""

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from worker.store import spool_entries
from worker.store.feedback.page_pieces import RawPage
from worker.store.spool import (
    Spool,
    SpoolFileKind,
    abandoned_rows,
    write_free_file,
)

PAGE = {"account": "bulk", "kind": "reports", "status": 200, "headers": {}, "body": "AP8="}


def lent(folder: Path, kind: SpoolFileKind = SpoolFileKind.PAGE) -> list[Any]:
    """Take what lies there, and be done with it."""
    with abandoned_rows(folder, kind) as rows:
        return rows


def test_what_is_left_is_lent_once(tmp_path: Path) -> None:
    write_free_file(tmp_path / "new", SpoolFileKind.PAGE, PAGE)
    assert lent(tmp_path / "new", SpoolFileKind.OUTCOMES) == []
    assert lent(tmp_path / "new") == [PAGE]
    assert lent(tmp_path / "new") == []
    assert list((tmp_path / "new").iterdir()) == []


def test_what_could_not_be_written_stays(tmp_path: Path) -> None:
    write_free_file(tmp_path, SpoolFileKind.PAGE, PAGE)
    with pytest.raises(InterruptedError), abandoned_rows(tmp_path, SpoolFileKind.PAGE):
        raise InterruptedError
    assert lent(tmp_path) == [PAGE]


def test_what_somebody_holds_is_not_lent(tmp_path: Path) -> None:
    """A process that lives writes its outcomes itself; two never write the same."""
    own = Spool(tmp_path, "it")
    own.add([{"id": 1}])
    own.add([{"id": 2}])
    assert lent(tmp_path, SpoolFileKind.OUTCOMES) == []
    write_free_file(tmp_path, SpoolFileKind.PAGE, PAGE)
    with abandoned_rows(tmp_path, SpoolFileKind.PAGE) as rows:
        assert rows == [PAGE]
        assert lent(tmp_path) == []
    own.clear()
    assert list(tmp_path.iterdir()) == []


def test_what_a_crash_cut_off_is_left_out(tmp_path: Path) -> None:
    """The lines before it count; nobody was told that the last one is safe."""
    (tmp_path / f"dead{SpoolFileKind.OUTCOMES}").write_text('{"id": 1}\n{"id": 2}\n{"id"', "utf-8")
    assert lent(tmp_path, SpoolFileKind.OUTCOMES) == [{"id": 1}, {"id": 2}]


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    """Pages hold numbers and texts."""
    write_free_file(tmp_path / "spool", SpoolFileKind.PAGE, PAGE)
    (file,) = (tmp_path / "spool").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_disk_that_takes_nothing_says_so(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OSError, match="denied"):
        write_free_file(tmp_path, SpoolFileKind.PAGE, PAGE)


def test_a_page_comes_back_as_the_gateway_wrote_it() -> None:
    body = bytes(range(256))
    page = RawPage("bulk", "reports", body, status=200, headers={"content-type": "text/xml"})
    row = spool_entries.page_row(page, 17)
    wrong_rows: list[Any] = [{}, {**row, "body": "?"}, [], {**row, "body": None}]
    rows = json.loads(json.dumps([*wrong_rows, row]))
    assert list(spool_entries.read_pages(rows)) == [(page, 17)]
    of_version_before = {name: value for name, value in row.items() if name != "begun"}
    assert list(spool_entries.read_pages([of_version_before])) == [(page, None)]
    assert base64.b64decode(row["body"]) == body
