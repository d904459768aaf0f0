"""Files that come in and go out: what they are called, what they are, what a spreadsheet runs."""

import csv
import gzip
import io
import zipfile
from pathlib import Path

import pytest
from sqlalchemy import update

from tests.support.stage import TEXT, eventually, mobiles
from tests.web.conftest import Served
from tests.web.test_pages import visitor
from worker.domain.enums import Scope
from worker.store.db import database
from worker.store.schema.tables import submission

FIELDS = {"name": "spring", "text": TEXT, "class": "notice", "start": "false"}
LIST = b"msisdn\n13800138000\n"
#: What a spreadsheet would run, or ask about.
FORMULAS = ('=HYPERLINK("http://x")', "+1+1", "-1", "@SUM(A1)", "\t=1", "\r=1")


def _zipped() -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("../../evil.csv", "msisdn\n13800138000\n")
    return written.getvalue()


@pytest.mark.parametrize(
    "name",
    [
        *("../../evil.csv", "/etc/evil.csv", "..\\..\\evil.csv", "a\x00.csv", "CON", "C:\\a.csv"),
        *("evil.csv\r\nX-Evil: 1", "x" * 5000, "."),
    ],
)
def test_a_file_s_name_leads_nowhere(served: Served, tmp_path: Path, name: str) -> None:
    """It names nothing here: no file is made but what is ours, and none of its name."""
    before = {path for path in tmp_path.parent.rglob("*") if "evil" in path.name}
    answer = served.client().post(
        "/v1/campaigns", data=FIELDS, files={"recipients": (name, LIST, "text/csv")}
    )
    assert answer.status_code in {201, 400, 422}
    assert {path for path in tmp_path.parent.rglob("*") if "evil" in path.name} == before
    assert "x-evil" not in answer.headers


def test_a_file_that_is_no_list_is_refused_or_has_bad_rows(served: Served) -> None:
    client = served.client()
    for what, content in {
        "a zip": _zipped(),
        "gzip": gzip.compress(LIST),
        "a workbook of old": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
        "NULs": b"msisdn\n138\x00138000\n",
        "an open quote": b'msisdn,name\n13800138000,"' + b"x" * 2000,
        "a wide cell": b"msisdn\n" + b"1" * 200_000 + b"\n",
        "a column twice": b"msisdn,msisdn\n13800138000,13900000000\n",
        "nothing": b"",
    }.items():
        answer = client.post(
            "/v1/campaigns", data=FIELDS, files={"recipients": ("a.csv", content, "text/csv")}
        )
        bad_rows = answer.status_code == 201 and answer.json()["bad_rows"]
        assert answer.status_code == 422 or bad_rows, what
        assert len(answer.content) < 20_000, what
    assert not served.stage.taken()


def test_no_gateway_s_words_are_a_formula_in_an_export(served: Served) -> None:
    """Neither by the API nor by the page, whatever a cell begins with."""
    served.stage.configure("bulk")
    client = served.client()
    fields = {"name": "spring", "text": TEXT, "recipients": mobiles(1), "class": "notice"}
    campaign = client.post("/v1/campaigns", json=fields).json()["id"]
    with served.stage.working():
        eventually(lambda: client.get(f"/v1/campaigns/{campaign}").json()["state"] == "done")
    for formula in FORMULAS:
        with database.writing(served.stage.engine) as connection:
            connection.execute(update(submission).values(words=formula))
        with visitor(served, Scope.OPERATE) as person:
            exports = [
                client.get(f"/v1/campaigns/{campaign}/export").text,
                person.get(f"/campaigns/{campaign}/export").text,
            ]
        for text in exports:
            cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
            assert f"'{formula}" in cells
            assert formula not in cells
