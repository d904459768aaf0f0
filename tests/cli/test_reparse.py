"""`xinshi collect reparse`: what a mended reader reads otherwise is corrected, and counts once."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.cli.conftest import TEXT, Place
from tests.support.stage import eventually
from worker.domain.enums import ReportStatus
from worker.gateways.registry import gateway_classes
from worker.gateways.results import Page, Report

TO = ("13812345678", "13812345679")
Broken = Callable[[Callable[[Page[Any]], Page[Any]]], None]


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Broken:
    """Breaks the reader of reports, until the test mends it."""
    gateway: Any = gateway_classes()["jzyyun"]
    right = gateway.read_reports

    def brake(how: Callable[[Page[Any]], Page[Any]]) -> None:
        monkeypatch.setattr(gateway, "read_reports", lambda self, said: how(right(self, said)))

    return brake


def states(place: Place) -> list[str]:
    return sorted(one["state"] for one in place.data("messages"))


def collected(place: Place) -> None:
    """Two messages whose reports the broken reader has read."""
    with place.working():
        for one in TO:
            place.data("send", "--to", one, "--text", TEXT, "--account", "jzy")
        eventually(lambda: states(place) == ["submitted"] * 2)
        eventually(lambda: kept(place))


def kept(place: Place) -> int:
    """How many reports are stored, once all pages with any were read."""
    with place.engine.connect() as connection:
        query = "SELECT count(*), coalesce(sum(rows + damaged), 0) FROM xinshi_inbox"
        pages, rows = connection.exec_driver_sql(query).one()
        reports = connection.exec_driver_sql("SELECT count(*) FROM xinshi_report").scalar()
    return int(reports or 0) + int(rows) + int(pages) if rows >= len(TO) else 0


def reports(place: Place) -> int:
    with place.engine.connect() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM xinshi_report").scalar() or 0)


def test_what_could_not_be_read_is_read_later(
    place: Place, broken: Broken, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dry run says what would change, and changes nothing; the second time nothing changes."""
    broken(lambda page: replace(page, items=(), damaged=page.damaged + len(page.items)))
    collected(place)
    assert reports(place) == 0
    monkeypatch.undo()
    monkeypatch.chdir(place.folder)
    said = place.data("collect", "reparse", "--damaged", "--dry-run")
    assert sum(one["new"] for one in said) == 2
    assert states(place) == ["submitted"] * 2
    assert place.data("collect", "reparse", "--damaged") == said
    assert states(place) == ["delivered"] * 2
    assert reports(place) == 2
    assert place.data("collect", "reparse", "--damaged") == []
    assert place.data("collect", "reparse", "--account", "jzy", "--since", "1h") == []
    assert reports(place) == 2


def test_what_was_read_wrongly_is_corrected_and_counts_once(
    place: Place, broken: Broken, monkeypatch: pytest.MonkeyPatch
) -> None:
    def misread(one: Report) -> Report:
        return replace(one, status=ReportStatus.UNKNOWN, code=f"?{one.code}")

    broken(lambda page: replace(page, items=tuple(map(misread, page.items))))
    collected(place)
    eventually(lambda: reports(place) == 2)
    monkeypatch.undo()
    monkeypatch.chdir(place.folder)
    said = place.data("collect", "reparse")
    assert sum(one["corrected"] for one in said) == 2
    assert sum(one["new"] for one in said) == 0
    assert states(place) == ["delivered"] * 2
    assert reports(place) == 2
    assert place.data("collect", "reparse") == []


def test_a_page_of_an_account_that_is_gone_says_so(place: Place) -> None:
    with place.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO xinshi_inbox (account, kind, body, received_at)"
            " VALUES ('gone', 'reports', x'00', '2026-01-01 00:00:00.000000')"
        )
    (one,) = place.data("collect", "reparse", code=1)
    assert one["problem"] == "its account is not configured"
    assert place.data("collect", "reparse", "--account", "jzy") == []
