"""`xinshi settle` and `xinshi verify`: a person ends a doubt, and the promise is checked."""

import pytest

from tests.cli.conftest import TEXT, Place
from tests.support.stage import eventually, section

TO = "13812345678"


@pytest.fixture
def doubtful(place: Place) -> int:
    """A place with one submission that the gateway took and did not answer; its id."""
    # Without a counter that tells: only a person can end this doubt.
    place.configure(more={"me": section(place.sandbox, "me", concurrency=1)})
    place.sandbox.control.rule("take_then_close", gateway="fetion", count=1)
    with place.working():
        place.data("send", "--to", TO, "--text", TEXT, "--account", "me")
        (one,) = eventually(lambda: place.data("settle", "list"))
    return int(one["id"])


def state(place: Place) -> str:
    return str(place.data("messages", "--to", TO)[0]["state"])


def test_an_unknown_submission_is_listed_with_its_evidence(place: Place, doubtful: int) -> None:
    (one,) = place.data("settle", "list")
    assert (one["id"], one["account"], one["messages"]) == (doubtful, "me", 1)
    assert [event["name"] for event in one["evidence"]] == ["submission.unknown"]
    assert "OutcomeUnknown" in place.done("settle", "list")
    assert place.data("settle", "list", "--account", "other") == []


def test_a_person_says_that_it_was_taken(place: Place, doubtful: int) -> None:
    place.done("settle", "submitted", str(doubtful), "--why", "in the console", "--who", "li")
    assert state(place) == "submitted"
    assert "nothing is unknown" in place.run("settle", "list").output
    history = place.data("show", place.data("messages", "--to", TO)[0]["id"])
    (event,) = [one for one in history["events"] if one["name"] == "settle.submitted"]
    assert (event["who"], event["detail"]["why"]) == ("li", "in the console")


def test_a_person_says_that_it_was_not_sent_and_it_goes_out(place: Place, doubtful: int) -> None:
    place.done("settle", "not-sent", str(doubtful), "--why", "no trace of it")
    assert state(place) == "queued"
    with place.working():
        eventually(lambda: state(place) == "submitted")


def test_a_person_has_it_sent_once_more_and_only_once(place: Place, doubtful: int) -> None:
    place.done("settle", "resend", str(doubtful), "--why", "better twice than never")
    assert state(place) == "unknown"
    said = place.fails("settle", "resend", str(doubtful), "--why", "again")
    assert "sent once more already" in said
    with place.working():
        eventually(lambda: state(place) == "submitted")


def test_what_is_not_unknown_cannot_be_settled(place: Place) -> None:
    place.done("migrate")
    words = ("settle", "submitted", "4711", "--why", "so")
    assert "there is no submission 4711" in place.fails(*words)


def test_what_was_settled_says_how_it_stands(place: Place, doubtful: int) -> None:
    place.done("settle", "submitted", str(doubtful), "--why", "the console shows it")
    refusal = place.fails("settle", "not-sent", str(doubtful), "--why", "second thoughts")
    assert f"submission {doubtful} is accepted, and not unknown" in refusal


def test_verify_finds_the_promise_kept(place: Place) -> None:
    place.configure("v1")
    with place.working():
        place.data("send", "--to", TO, "--text", TEXT, "--wait", "20")
    found = place.data("verify", "--ledger", str(place.sandbox.ledger))
    assert found["counts"]["enqueued"] == found["counts"]["taken"] == 1
    assert not any(one["broken"] for one in found["invariants"])
    assert "ok" in place.done("verify")


def test_verify_names_what_is_lost(place: Place) -> None:
    place.configure("v1")
    with place.working():
        place.data("send", "--to", TO, "--text", TEXT, "--wait", "20")
    empty = place.write("empty.jsonl", "")
    said = place.fails("verify", "--ledger", empty)
    assert "I2: 1-0: 1 submitted, 0 in the ledger" in said


def test_a_restored_backup_s_messages_are_put_aside(place: Place) -> None:
    """With who and why; a person may then say what became of them."""
    place.data("send", "--to", TO, "--text", TEXT, "--account", "me")
    told = ("--since", "0s", "--why", "the disk died", "--who", "me")
    assert place.data("settle", "restored", *told, "--dry-run")["messages"] == 1
    assert state(place) == "queued"
    found = place.data("settle", "restored", *told)
    assert found["messages"] == 1
    assert state(place) == "unknown"
    (line,) = place.data("settle", "list")
    assert line["code"] == "restored"
    (event,) = line["evidence"]
    assert (event["name"], event["who"]) == ("settle.restored", "me")
    assert event["detail"]["why"] == "the disk died"
    with place.working():
        place.done("settle", "not-sent", str(line["id"]), "--why", "no trace of it")
        eventually(lambda: state(place) in {"submitted", "delivered"})
    eventually(lambda: place.run("settle", "restored", *told).exit_code == 0)
    assert state(place) in {"submitted", "delivered"}


def test_restoring_waits_until_no_worker_runs(place: Place) -> None:
    told = ("settle", "restored", "--since", "1h", "--why", "a drill")
    with place.working():
        eventually(lambda: place.run(*told).exit_code == 1)
        assert "stop all of them first" in place.fails(*told)


def test_outcomes_of_the_lost_database_have_to_go_first(place: Place) -> None:
    spool = place.folder / ".xinshi" / "spool"
    spool.mkdir(parents=True)
    (spool / "somebody.jsonl").touch()
    said = place.fails("settle", "restored", "--since", "1h", "--why", "a drill")
    assert "move them away" in said


@pytest.mark.parametrize("login", ["", "u" * 100])
def test_whoever_settles_is_recorded_also_without_a_login_or_with_a_long_one(
    place: Place, doubtful: int, monkeypatch: pytest.MonkeyPatch, login: str
) -> None:
    """A container's user may have no name, and a directory's a long one."""

    def name() -> str:
        if not login:
            raise OSError
        return login

    monkeypatch.setattr("getpass.getuser", name)
    place.done("settle", "submitted", str(doubtful), "--why", "in the console")
    history = place.data("show", place.data("messages", "--to", TO)[0]["id"])
    (event,) = [row for row in history["events"] if row["name"] == "settle.submitted"]
    assert event["who"] == (login[:60] or "somebody")
