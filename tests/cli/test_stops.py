"""`xinshi stop` and `resume`: one command at night, and every place that says so."""

from tests.cli.conftest import TEXT, Place
from tests.support.stage import eventually

TO = "13812345678"
WHY = "wrong price"


def test_a_stop_is_made_told_and_ended(place: Place) -> None:
    assert "xinshi resume marketing" in place.done("stop", "marketing", "--why", WHY)
    assert "already" in place.done("stop", "marketing")
    assert place.data("stop", "--all")["stopped"] == ["otp", "notice"]
    assert place.data("resume", "otp", "notice")["resumed"] == ["otp", "notice"]
    assert "was not stopped" in place.done("resume", "otp")
    stopped, *_ = place.data("events", "--name", "class")[::-1]
    assert (stopped["name"], stopped["detail"]) == (
        "class.stopped",
        {"class": "marketing", "why": WHY},
    )
    assert stopped["who"]
    place.done("resume", "--all")
    assert place.data("events", "--name", "class.resumed")[0]["detail"] == {"class": "marketing"}


def test_it_has_to_be_said_what_is_stopped(place: Place) -> None:
    assert "--all" in place.fails("stop", code=2)
    assert "--all" in place.fails("stop", "otp", "--all", code=2)
    assert "--all" in place.fails("resume", code=2)


def test_whoever_looks_or_waits_is_told_that_a_class_is_stopped(place: Place) -> None:
    place.done("stop", "notice", "--why", WHY)
    sent = place.run("send", "--to", TO, "--text", TEXT, "--wait", "0.1")
    assert sent.exit_code == 1
    assert "waits: notice is stopped since" in sent.stderr
    assert WHY in sent.stderr
    (message,) = place.data("messages")
    assert WHY in place.done("show", message["id"])
    (reason,) = place.data("show", message["id"])["waits_for"]
    assert reason["kind"] == "stopped"
    assert WHY in reason["what"]
    assert WHY in place.run("messages").stderr
    assert WHY in place.done("accounts")
    assert place.data("accounts")[0]["stopped"] == ["notice"]
    checks = {check["what"]: check for check in place.data("doctor", code=1)}
    assert WHY in checks["class notice"]["problem"]
    assert "xinshi resume notice" in checks["class notice"]["advice"]
    assert WHY in place.run("route", "--to", TO, "--text", TEXT).stderr
    assert place.run("route", "--to", TO, "--text", TEXT).exit_code == 1
    place.done("resume", "notice")
    assert WHY not in place.done("show", message["id"])


def test_a_campaign_says_that_it_waits_for_its_class(place: Place) -> None:
    place.write("people.csv", f"number\n{TO}\n")
    place.done("stop", "marketing", "--why", WHY)
    words = ["campaign", "create", "--text", f"{TEXT} 回T退订", "--recipients", "people.csv"]
    campaign = place.data(*words, "--yes")
    shown = place.done("campaign", "show", str(campaign["id"]))
    assert WHY in shown
    assert "xinshi resume marketing" in shown


def test_a_stopped_class_is_not_late_to_the_probe(place: Place) -> None:
    place.data("send", "--to", TO, "--text", TEXT)
    words = ("doctor", "--probe", "--late", "0.05", "--class", "notice")
    eventually(lambda: place.run(*words).exit_code == 1)
    place.done("stop", "notice", "--why", WHY)
    (check,) = [check for check in place.data(*words) if check["what"] == "notice"]
    assert check["problem"] is None
    assert WHY in check["advice"]
