"""Who did what, and why: every act of a person leaves an event."""

import getpass

import pytest

from tests.cli.conftest import Place
from tests.support.stage import mobiles


@pytest.fixture(autouse=True)
def a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "alice")


def campaign(place: Place) -> str:
    file = place.write("numbers.csv", "\n".join(mobiles(3)))
    given = ["--text", "【店】大促 回T退订", "--recipients", file, "--paused"]
    return str(place.data("campaign", "create", *given)["id"])


def test_every_act_on_a_campaign_says_who_did_it_and_why(place: Place) -> None:
    number = campaign(place)
    place.data("campaign", "start", number)
    place.data("campaign", "pause", number, "--why", "the text is wrong")
    place.data("campaign", "resume", number)
    place.data("campaign", "cancel", number, "--why", "made anew")
    rows = place.data("events", "--campaign", number)
    assert {(row["who"], row["request_id"]) for row in rows} == {("alice", int(number))}
    assert [(row["name"], (row["detail"] or {}).get("why")) for row in reversed(rows)] == [
        ("campaign.created", None),
        ("campaign.started", None),
        ("campaign.paused", "the text is wrong"),
        ("campaign.resumed", None),
        ("campaign.cancelled", "made anew"),
    ]


def test_a_message_that_was_taken_back_says_by_whom(place: Place) -> None:
    (message,) = place.data("send", "--to", "13800138000", "--text", "【店】在途")["messages"]
    place.data("cancel", message["id"], "--why", "a double")
    (row,) = place.data("events", "--name", "message")
    assert (row["name"], row["who"], row["detail"]) == (
        "message.cancelled",
        "alice",
        {"why": "a double"},
    )


def test_the_reason_of_a_hold_outlives_its_release(place: Place) -> None:
    place.run("account", "hold", "bulk", "--why", "contract")
    place.run("account", "release", "bulk")
    released, held = place.data("events", "--account", "bulk", "--limit", "2")
    assert (released["name"], held["name"]) == ("account.released", "account.held")
    assert held["detail"]["why"] == "contract"


def test_events_are_found_by_name_person_and_time(place: Place) -> None:
    campaign(place)
    assert place.data("events", "--name", "campaign.created")
    assert place.data("events", "--who", "alice", "--since", "1h")
    assert place.data("events", "--who", "bob") == []
    assert place.data("events", "--name", "camp") == []
