"""`send`, `show`, `cancel`, `messages`: from storing a text to knowing what became of it."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from producer.cli import message_wait
from tests.cli.conftest import TEXT, Place
from tests.support.stage import eventually
from worker.store.db import database
from worker.store.schema.tables import request

TO = "13812345678"


def texts_of(place: Place) -> list[str]:
    """Return the texts that were stored, in order."""
    with database.reading(place.engine) as connection:
        return list(connection.execute(select(request.c.text).order_by(request.c.id)).scalars())


def test_a_message_is_stored_and_waits_where_no_worker_runs(place: Place) -> None:
    result = place.run("send", "--to", TO, "--text", TEXT, "--json")
    assert result.exit_code == 0
    assert "no worker heard the bell" in result.stderr
    (found,) = place.data("messages", "--to", f"+86 {TO}")
    assert (found["to"], found["state"], found["class"]) == (TO, "queued", "notice")


def test_numbers_may_be_listed_and_repeated_and_make_one_message_each(place: Place) -> None:
    words = ["--to", f"{TO}，13912345678", "--to", TO, "--text", TEXT]
    found = place.data("send", *words)
    assert [one["to"] for one in found["messages"]] == [TO, "13912345678"]
    assert set(found) == {"messages", "warnings"}


def test_the_text_may_come_from_standard_input(place: Place) -> None:
    place.done("send", "--to", TO, "--text", "-", typed=f"{TEXT}\n")
    assert "UTF-8" in place.fails("send", "--to", TO, "--text", "-", typed=b"\xc4\xe3", code=2)


def test_numbers_and_text_may_both_come_from_standard_input(place: Place) -> None:
    """No other user of the machine sees them then, as a command line is seen by all."""
    lines = f"{TO}\r\n\n 13912345678，13712345678\n"
    found = place.data("send", "--to", "-", "--text", TEXT, typed=lines)
    assert [one["to"] for one in found["messages"]] == [TO, "13912345678", "13712345678"]
    both = f"{TO}, 13912345678\n{TEXT}\n-\n"
    words = ["send", "--to", "-", "--to", "13612345678", "--text", "-", "--account", "v1"]
    found = place.data(*words, typed=both)
    assert [one["to"] for one in found["messages"]] == ["13612345678", TO, "13912345678"]
    assert texts_of(place)[-1] == f"{TEXT}\n-"
    assert "to: is empty" in place.fails("send", "--to", "-", "--text", TEXT, typed="\n", code=2)
    assert "--to: standard input is not UTF-8" in " ".join(
        place.fails("send", "--to", "-", "--text", "-", typed=b"\xc4\xe3", code=2).split()
    )


def test_a_number_to_look_for_may_come_from_standard_input(place: Place) -> None:
    place.done("send", "--to", TO, "--text", TEXT)
    (found,) = place.data("messages", "--to", "-", typed=f"{TO}\n")
    assert found["to"] == TO
    likely = place.data("route", "--to", "-", "--text", "-", typed=f"{TO}\n{TEXT}")
    assert likely["to"] == TO
    assert likely["problems"] == []
    assert place.data("inbound", "--from", "-", typed=TO) == []
    two = place.fails("route", "--to", "-", "--text", TEXT, typed=f"{TO}\n{TO}\n", code=2)
    assert TO not in two


def test_variables_stand_in_for_their_names(place: Place) -> None:
    words = ["send", "--to", TO, "--text", "【信使】你好 {name}", "--dry-run"]
    assert place.data(*words, "--var", "name=安娜")["problems"] == []
    (problem,) = place.data(*words, "--var", "nmae=安娜", code=2)["problems"]
    assert problem["where"] == "variables.name"


def test_what_is_doubtful_in_a_text_is_said_and_what_cannot_be_meant_is_refused(
    place: Place,
) -> None:
    words = ["send", "--to", TO, "--class", "marketing", "--text"]
    (warning,) = place.data(*words, "【信使】周年庆", "--dry-run")["warnings"]
    assert "way out" in warning["what"]
    assert len(place.data(*words, "【信使】周年庆")["warnings"]) == 1
    assert "variables.name" in place.fails(*words, "【信使】{name}", code=2)
    assert "“｛name｝”" in place.fails(*words, "【信使】｛name｝", "--var", "name=x", code=2)
    assert "only whole numbers" in place.fails("messages", "--to", "8000", code=2)


def test_who_wrote_a_reply_is_opted_out_by_a_person(place: Place) -> None:
    place.sandbox.control.reply("jzyyun", TO, "不要再发了")

    def unclear() -> list[dict[str, Any]]:
        place.done("collect", "inbound", "--account", "jzy")
        return list(place.data("inbound", "--unclear"))

    (reply,) = eventually(unclear)
    assert (reply["meaning"], reply["fits"]) == ("near", 0)
    assert "near" in place.done("inbound", "--unclear")
    assert "fit" in place.fails("opt-out", "accept", str(reply["id"]), "13912345678", code=2)
    assert place.data("opt-out", "accept", str(reply["id"])) == {
        "reply": reply["id"],
        "taken_back": [],
    }
    assert place.data("inbound", "--unclear") == []
    assert place.data("inbound")[0]["meaning"] == "out"
    place.fails("opt-out", "accept", "4711", code=1)


def test_the_same_key_stores_nothing_twice_and_another_text_is_refused(place: Place) -> None:
    words = ["send", "--to", TO, "--key", "order-1"]
    first = place.data(*words, "--text", TEXT)
    assert place.data(*words, "--text", TEXT) == first
    assert "key: was used before" in place.fails(*words, "--text", "【信使】别的")
    assert len(place.data("messages")) == 1


def test_a_dry_run_stores_nothing_and_says_who_could_carry_it(place: Place) -> None:
    place.done("account", "hold", "v1")
    found = place.data("send", "--to", TO, "--text", "【信使】" + "长" * 70, "--dry-run")
    assert found["messages"] == 1
    by_name = {one["name"]: one for one in found["accounts"]}
    assert set(by_name) == {"bulk", "codes", "v1", "jzy"}, "one serves nobody unless it is named"
    assert by_name["bulk"]["segments"] == 2
    assert [name for name, one in by_name.items() if one["held"]] == ["v1"]
    assert place.data("messages") == []
    assert "segments" in place.done("send", "--to", TO, "--text", TEXT, "--dry-run")


def test_a_dry_run_says_what_would_be_refused(place: Place) -> None:
    words = ["--to", "1391", "--text", "【信使】😀", "--account", "bulk", "--dry-run"]
    found = place.data("send", *words, code=2)
    assert found["messages"] == 0
    assert "gbk" in found["accounts"][0]["problems"][0]
    said = place.fails("send", *words, code=2)
    assert "4 digits" in said
    assert "1391" not in said


def test_waiting_ends_when_a_report_has_come(place: Place) -> None:
    with place.working():
        words = ["--to", TO, "--text", TEXT, "--account", "jzy", "--wait", "30"]
        (found,) = place.data("send", *words)["messages"]
    assert found["state"] == "delivered"


def test_submitted_is_an_end_where_the_account_has_no_reports(place: Place) -> None:
    with place.working():
        words = ["--to", TO, "--text", TEXT, "--account", "bulk", "--wait", "30"]
        (found,) = place.data("send", *words)["messages"]
    assert found["state"] == "submitted"


@pytest.mark.parametrize(
    ("number", "account", "state"),
    [("19999990100", "jzy", "undelivered"), ("19999993000", "bulk", "unknown")],
)
def test_waiting_for_what_does_not_go_well_ends_with_1(
    place: Place, number: str, account: str, state: str
) -> None:
    with place.working():
        words = ["--to", number, "--text", TEXT, "--account", account, "--wait", "30"]
        (found,) = place.data("send", *words, code=1)["messages"]
    assert found["state"] == state


def test_when_the_time_is_over_the_message_waits_on(place: Place) -> None:
    result = place.run("send", "--to", TO, "--text", TEXT, "--wait", "0")
    assert result.exit_code == 1
    assert "the time is over: 1 queued" in result.stderr
    assert place.data("messages")[0]["state"] == "queued"


def test_ctrl_c_while_waiting_says_that_the_message_goes_on(
    place: Place, monkeypatch: pytest.MonkeyPatch, interrupted: Callable[..., Any]
) -> None:
    monkeypatch.setattr(message_wait, "wait_until_settled", interrupted)
    said = place.fails("send", "--to", TO, "--text", TEXT, "--wait", "9", code=130)
    assert "message 1-0 is stored and on the way" in said
    assert len(place.data("messages")) == 1


def test_a_message_is_shown_with_all_that_happened_to_it(place: Place) -> None:
    with place.working():
        place.done("send", "--to", TO, "--text", TEXT, "--account", "jzy", "--wait", "30")
    found = place.data("show", "1-0")
    (submission,) = found["submissions"]
    assert (submission["account"], submission["state"]) == ("jzy", "accepted")
    assert [one["status"] for one in found["reports"]] == ["delivered"]
    assert isinstance(found["events"], list)
    shown = place.done("show", "1-0")
    assert "report delivered" in shown
    assert TEXT in shown
    assert found["text"] == TEXT


def test_the_text_of_a_code_is_shown_to_nobody(place: Place) -> None:
    place.done("send", "--to", TO, "--text", TEXT, "--account", "jzy", "--class", "otp")
    assert TEXT not in place.done("show", "1-0")
    assert place.data("show", "1-0")["text"] is None


def test_an_unknown_message_shows_the_event(place: Place) -> None:
    with place.working():
        words = ["--to", "19999993000", "--text", TEXT, "--account", "bulk", "--wait", "30"]
        place.done("send", *words, code=1)
    found = place.data("show", "1-0")
    assert "submission.unknown" in [one["name"] for one in found["events"]]


def test_what_waits_can_be_taken_back_and_what_went_cannot(place: Place) -> None:
    place.done("send", "--to", TO, "--text", TEXT, "--account", "jzy")
    assert place.data("cancel", "1-0")["state"] == "cancelled"
    with place.working():
        place.done("send", "--to", TO, "--text", TEXT, "--account", "bulk", "--wait", "30")
    assert "message 2-0 is submitted and cannot be cancelled" in place.fails("cancel", "2-0")


def test_a_message_not_due_yet_waits(place: Place) -> None:
    place.done("send", "--to", TO, "--text", TEXT, "--at", "+1h", "--account", "bulk")
    with place.working():
        place.done("send", "--to", TO, "--text", TEXT, "--account", "bulk", "--wait", "30")
    assert [one["state"] for one in place.data("messages")] == ["submitted", "queued"]


def test_messages_are_found_by_number_state_account_and_time(place: Place) -> None:
    place.done("send", "--to", f"{TO},13912345678", "--text", TEXT, "--account", "bulk")
    place.done("cancel", "1-1")
    assert [one["id"] for one in place.data("messages", "--to", TO)] == ["1-0"]
    assert [one["id"] for one in place.data("messages", "--state", "cancelled")] == ["1-1"]
    assert len(place.data("messages", "--account", "bulk")) == 2
    assert place.data("messages", "--account", "v1") == []
    assert len(place.data("messages", "--since", "1h")) == 2
    assert len(place.data("messages", "--limit", "1")) == 1
    assert TO in place.done("messages")


def test_texts_from_handsets_are_listed(place: Place) -> None:
    place.sandbox.control.reply("jzyyun", TO, "好的，谢谢")

    def collected() -> list[dict[str, Any]]:
        place.done("collect", "inbound", "--account", "jzy")
        return list(place.data("inbound", "--from", TO))

    (found,) = eventually(collected)
    assert set(found) == {"id", "from", "text", "account", "extension", "meaning", "received_at"}
    assert (found["text"], found["account"]) == ("好的，谢谢", "jzy")
    assert place.data("inbound", "--to", "13912345678") == []
    assert "好的" in place.done("inbound")
