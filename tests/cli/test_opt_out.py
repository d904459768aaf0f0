"""`xinshi opt-out`: numbers opt out and in by a person's word, and each change stays told."""

import csv

from tests.cli.conftest import Place
from tests.support.stage import mobiles
from worker.config import settings
from worker.domain.enums import ReportStatus
from worker.feedback import inbound, reports
from worker.gateways.results import InboundMessage, Report
from worker.store.db import database
from worker.store.feedback import inbox as inbox_store

ONE, OTHER, THIRD = mobiles(3)


def test_a_number_opts_out_once_and_is_told_with_its_history(place: Place) -> None:
    place.configure("v1")
    adding = ("opt-out", "add", ONE, "--why", "by telephone", "--evidence", "ticket 7")
    assert place.data(*adding) == {"added": 1, "changed": 0, "kept": 0, "scope": "marketing"}
    assert place.data(*adding) == {"added": 0, "changed": 0, "kept": 1, "scope": "marketing"}
    shown = place.data("opt-out", "show", "-", typed=f"+86 {ONE}\n")
    assert (shown["scope"], shown["source"], shown["why"]) == (
        "marketing",
        "person",
        "by telephone",
    )
    assert place.data("opt-out", "remove", ONE, "--why", "asked again")["removed"] == 1
    shown = place.data("opt-out", "show", ONE)
    assert not shown["opted_out"]
    assert [(line["act"], line["why"]) for line in shown["history"]] == [
        ("added", "by telephone"),
        ("removed", "asked again"),
    ]
    assert shown["history"][0]["evidence"] == "ticket 7"
    assert "removed" in place.done("opt-out", "show", ONE)
    assert "has not opted out" in place.done("opt-out", "show", OTHER)


def test_a_reason_is_needed(place: Place) -> None:
    place.configure("v1")
    assert "--why" in place.fails("opt-out", "add", ONE, code=2)
    for act in ("add", "remove"):
        assert "why: is missing" in place.fails("opt-out", act, ONE, "--why", " ", code=2)
    assert place.data("opt-out", "show", ONE)["history"] == []


def test_an_opt_out_of_everything_is_taken_back_by_its_own_word_alone(place: Place) -> None:
    place.configure("v1")
    with database.writing(place.engine) as connection:
        inbox_id = inbox_store.add_page(connection, "v1", "inbound", b"")
        inbound.take_pages(
            connection, settings.load(), "v1", [(inbox_id, InboundMessage(ONE, "T"))]
        )
    changed = place.data("opt-out", "add", ONE, "--scope", "all", "--why", "a stranger's number")
    assert changed == {"added": 0, "changed": 1, "kept": 0, "scope": "all"}
    with database.writing(place.engine) as connection:
        inbound.take_pages(
            connection, settings.load(), "v1", [(inbox_id, InboundMessage(ONE, "START"))]
        )
    assert place.data("opt-out", "undo", "--account", "v1")["removed"] == 0
    removal = place.data("opt-out", "remove", ONE, "--why", "asked again")
    assert removal == {"removed": 0, "kept": 1}
    assert place.data("opt-out", "show", ONE)["scope"] == "all"
    assert place.data("opt-out", "remove", ONE, "--scope", "all", "--why", "ok")["removed"] == 1
    acts = [line["act"] for line in place.data("opt-out", "show", ONE)["history"]]
    assert acts == ["added", "changed", "removed"]


def test_numbers_come_from_standard_input_and_a_wrong_one_is_told_masked(place: Place) -> None:
    place.configure("v1")
    typed = f"{ONE}\n{OTHER}\n"
    assert place.data("opt-out", "add", "-", "--why", "old list", typed=typed)["added"] == 2
    problem = place.fails("opt-out", "add", ONE, "12345678901", "--why", "x", code=2)
    assert "NUMBER 2" in problem
    assert "12345678901" not in problem


def test_a_file_is_imported_as_a_campaign_s_list_is_read_and_again_without_effect(
    place: Place,
) -> None:
    place.configure("v1")
    file = place.write(
        "out.csv", f"姓名,手机号\n甲,+86 {ONE}\n乙,12\n丙,{OTHER}\n丁,{ONE}\n", "gbk"
    )
    tried = place.data("opt-out", "import", file, "--dry-run")
    assert (tried["added"], tried["invalid"]) == (2, 1)
    assert not place.data("opt-out", "show", ONE)["opted_out"]
    imported = place.data("opt-out", "import", file, "--why", "from the old system")
    assert (imported["added"], imported["kept"], imported["invalid"]) == (2, 0, 1)
    assert imported["bad_rows"][0]["row"] == 3
    again = place.data("opt-out", "import", file)
    assert (again["added"], again["kept"]) == (0, 2)
    shown = place.data("opt-out", "show", OTHER)
    assert (shown["source"], shown["scope"], shown["evidence"]) == (
        "import",
        "marketing",
        "out.csv",
    )
    assert "FILE" in place.fails("opt-out", "import", "missing.csv", code=2)


def test_an_export_is_its_owner_s_alone_comes_in_again_and_is_kept_in_mind(place: Place) -> None:
    place.configure("v1")
    place.done("opt-out", "add", ONE, OTHER, "--why", "=1+1")
    place.done("opt-out", "add", THIRD, "--scope", "all", "--why", "by letter")
    place.done("opt-out", "export", "--output", "out.csv")
    file = place.folder / "out.csv"
    assert file.stat().st_mode & 0o777 == 0o600
    rows = list(csv.DictReader(file.read_text("utf-8").splitlines()))
    assert [(row["to"], row["scope"]) for row in rows] == [
        (ONE, "marketing"),
        (OTHER, "marketing"),
        (THIRD, "all"),
    ]
    assert rows[0]["why"] == "'=1+1"
    assert THIRD not in place.done("opt-out", "export", "--scope", "marketing")
    names = [event["name"] for event in place.data("events", "--name", "opt_outs.exported")]
    assert len(names) == 2
    imported = place.data("opt-out", "import", "out.csv")
    assert (imported["kept"], imported["invalid"]) == (3, 0)


def test_what_vendors_call_blacklisted_is_suggested_once_and_stops_nothing(place: Place) -> None:
    place.configure("v1")
    pages = [
        Report(ONE, ReportStatus.UNDELIVERED, "MBBLACK", gateway_id="1"),
        Report(ONE, ReportStatus.UNDELIVERED, "MBBLACK", gateway_id="2"),
        Report(OTHER, ReportStatus.UNDELIVERED, "0", gateway_id="3", words="黑名单号码"),
        Report(THIRD, ReportStatus.UNDELIVERED, "UNDELIV", gateway_id="4"),
    ]
    with database.writing(place.engine) as connection:
        inbox_id = inbox_store.add_page(connection, "v1", "reports", b"")
        reports.take_page(connection, ["v1"], inbox_id, pages)
    suggested = place.data("opt-out", "suggestions")
    assert {row["to"] for row in suggested} == {ONE, OTHER}
    assert len(suggested) == 2
    assert not place.data("opt-out", "show", ONE)["opted_out"]
    place.done("opt-out", "add", ONE, "--source", "vendor", "--why", "blacklisted")
    assert [row["to"] for row in place.data("opt-out", "suggestions")] == [OTHER]
    assert "黑名单号码" in place.done("opt-out", "suggestions")
    assert "--source" in place.fails(
        "opt-out", "add", ONE, "--source", "reply", "--why", "x", code=2
    )
