"""What was read is shown before it is sent: the dry run, and the question on a terminal."""

import json
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, insert, select

from producer.cli import output
from tests.cli.conftest import Place
from tests.support.stage import mobiles, section
from worker.domain.timezone import SHANGHAI
from worker.store.db import database
from worker.store.db.clock import now
from worker.store.schema.tables import left_out_row, metadata, opt_out

TEXT = "【店】{name}，大促 回T退订"
FIRST, SECOND, GONE = mobiles(3)


def people(place: Place) -> str:
    """Write a list of two who are sent to, one bad row, one double, one who opted out."""
    with database.writing(place.engine) as connection:
        connection.execute(insert(opt_out).values(msisdn=GONE, since=now(), why="a test"))
    rows = [(FIRST, "安" * 60), ("138", "乙"), (SECOND, "丙"), (FIRST, "丁"), (GONE, "戊")]
    return place.write("people.csv", "phone,name\n" + "".join(f"{n},{name}\n" for n, name in rows))


def words(file: str, *more: str) -> tuple[str, ...]:
    return ("campaign", "create", "--text", TEXT, "--recipients", file, *more)


def row_count(place: Place) -> int:
    """Count the rows of all tables that a campaign could be in."""
    tables = [
        metadata.tables[f"xinshi_{name}"] for name in ("request", "campaign", "message", "event")
    ]
    with database.reading(place.engine) as connection:
        return sum(
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (*tables, left_out_row)
        )


def test_a_dry_run_says_what_a_campaign_would_be_and_stores_nothing(place: Place) -> None:
    file = people(place)
    before = row_count(place)
    # As `create` itself: with a bad row nothing would be sent.
    preview = place.data(*words(file, "--dry-run"), code=1)
    printed = place.done(*words(file, "--dry-run", "--skip-bad"))
    assert row_count(place) == before
    assert preview["left_out"] == {"invalid": 1, "repeated": 1, "suppressed": 1}
    assert [row["row"] for row in preview["bad_rows"]] == ["row 3"]
    assert preview["file"]["column"] == "phone"
    created = place.data(*words(file, "--skip-bad", "--paused"))
    for field in ("total", "text", "segments", "samples", "left_out"):
        assert preview[field] == created[field]
    assert preview["segments"] == {"1": 1, "2": 1}
    assert [sample["row"] for sample in preview["samples"]] == [2, 4]
    assert "1: 1 · 2: 1 = 3" in printed
    assert "【店】丙，大促" in printed


def test_a_dry_run_says_who_can_carry_it_and_why_others_cannot(place: Place) -> None:
    accounts = place.data(*words(people(place), "--dry-run", "--skip-bad", "--account", "bulk"))[
        "accounts"
    ]
    problems = {account["name"]: account["problems"] for account in accounts}
    assert problems.pop("bulk") == []
    assert problems
    assert all(reasons[0] == "bulk was named" for reasons in problems.values())


@pytest.mark.parametrize(
    ("typed", "code", "state"), [("y\n", 0, "running"), ("n\n", 1, "ready"), ("", 130, "ready")]
)
def test_a_terminal_is_asked_before_the_first_text_goes(
    place: Place, monkeypatch: pytest.MonkeyPatch, typed: str, code: int, state: str
) -> None:
    monkeypatch.setattr(output, "is_attended", lambda: True)
    result = place.run(*words(people(place), "--skip-bad"), typed=typed)
    assert result.exit_code == code, result.output
    assert "Send 2 texts (3 segments)?" in result.output
    assert result.output.index("丙") < result.output.index("Send 2 texts")
    if state == "ready":
        assert "campaign resume 1" in result.output
    assert place.data("campaign", "show", "1")["state"] == state


@pytest.mark.parametrize("more", [("--yes",), ("--json",)])
def test_programs_are_not_asked(
    place: Place, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    monkeypatch.setattr(output, "is_attended", lambda: True)
    place.done(*words(people(place), "--skip-bad", *more))
    assert place.data("campaign", "show", "1")["state"] == "running"


def test_the_same_text_and_list_within_a_day_are_warned_about_and_not_refused(place: Place) -> None:
    file = people(place)
    first = place.run(*words(file, "--skip-bad", "--name", "may"))
    other = place.run(*words(file, "--skip-bad", "--extension", "7"))
    again = place.run(*words(file, "--skip-bad"))
    assert "has the same text" not in first.stderr + other.stderr
    assert "warning: recipients: campaign 1 (may)" in again.stderr
    assert place.data("campaign", "show", "3")["state"] == "running"


def test_the_text_and_the_first_rows_of_a_campaign_are_shown(place: Place) -> None:
    place.done(*words(people(place), "--skip-bad", "--paused"))
    shown = place.data("campaign", "show", "1")
    assert shown["text"] == TEXT
    assert shown["samples"][1] == {"row": 4, "text": "【店】丙，大促 回T退订"}
    printed = place.done("campaign", "show", "1")
    assert TEXT in printed
    assert "1: 1 · 2: 1 = 3" in printed
    assert FIRST not in printed + json.dumps(shown)


def test_times_outside_of_all_sending_hours_are_refused_or_said(place: Place) -> None:
    file = people(place)
    now = datetime.now(SHANGHAI)
    shut = f"{now + timedelta(hours=3):%H:%M}-{now + timedelta(hours=4):%H:%M}"
    bulk = section(place.sandbox, "bulk", sending_hours=shut)
    named_only = section(place.sandbox, "v1", classes=[])
    place.configure(more={"bulk": bulk, "v1": named_only})
    window = ("--at", "+10m", "--until", "+1h")
    for options in (window, (*window, "--dry-run"), (*window, "--account", "bulk")):
        said = place.fails(*words(file, "--skip-bad", *options), code=2)
        assert f"sending hours in Asia/Shanghai: bulk {shut}" in said
    ad = ("send", "--class", "marketing", "--to", FIRST, "--text", "【店】促 回T退订")
    assert f"bulk {shut}" in place.fails(*ad, *window, code=2)
    assert place.data("campaign", "list") == []
    # An end alone is said and holds nothing up, in a dry run too.
    for command in (words(file, "--skip-bad", "--until", "+1h"), (*ad, "--until", "+1h")):
        for options in (("--dry-run",), ()):
            warning = place.data(*command, *options)["warnings"][-1]
            assert f"bulk {shut}" in warning["what"]
    assert place.data(*words(file, "--skip-bad", *window, "--account", "v1", "--dry-run"))["total"]
