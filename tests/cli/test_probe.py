"""`xinshi doctor --probe`: progress, not processes; a queue that moves is never late."""

from tests.cli.conftest import TEXT, Place
from tests.support.stage import eventually, section
from worker.policy import gcra
from worker.store import accounts, ticks
from worker.store.db import database
from worker.store.delivery import account_pace

TO = "13812345678"


def probe(place: Place, *words: str, code: int = 0) -> dict[str, str | None]:
    found = place.data("doctor", "--probe", *words, code=code)
    return {one["what"]: one["problem"] for one in found}


def test_nothing_to_do_is_well(place: Place) -> None:
    assert probe(place) == dict.fromkeys(("otp", "notice", "marketing", "ticks"))


def test_due_work_that_nobody_takes_is_late(place: Place) -> None:
    """Of its class only."""
    place.data("send", "--to", TO, "--text", TEXT, "--class", "notice")

    def late() -> bool:
        words = ("doctor", "--probe", "--late", "0.05", "--class", "notice")
        return place.run(*words).exit_code == 1

    eventually(late)
    assert probe(place, "--late", "0.05", "--class", "otp") == {"otp": None}
    assert probe(place, "--late", "1h")["notice"] is None
    with place.working():
        eventually(lambda: not late())


def test_work_that_waits_on_purpose_is_not_late(place: Place) -> None:
    """For its time, or for an account that is held or gone."""
    place.data("send", "--to", TO, "--text", TEXT, "--at", "+10m")
    place.data("send", "--to", TO, "--text", TEXT, "--account", "jzy")
    place.data("send", "--to", TO, "--text", TEXT, "--account", "me")
    place.done("account", "hold", "jzy")
    place.configure("bulk", "jzy")
    assert probe(place, "--late", "0") == dict.fromkeys(("otp", "notice", "marketing", "ticks"))


def test_marketing_that_waits_for_redis_is_not_late(place: Place) -> None:
    """A restart of its worker would not bring Redis back."""
    place.data("send", "--to", TO, "--text", TEXT, "--class", "marketing", "--account", "jzy")
    eventually(lambda: place.run("doctor", "--probe", "--late", "0.05").exit_code == 1)
    with database.writing(place.engine) as connection:
        accounts.ensure(connection, "jzy")
        account_pace.write(connection, "jzy", gcra.initial_state(0))
    assert probe(place, "--late", "0.05", "--class", "marketing") == {"marketing": None}


def test_what_is_under_way_moves(place: Place) -> None:
    """However long its queue is."""
    place.configure(more={"jzy": section(place.sandbox, "jzy", concurrency=1)})
    place.sandbox.control.rule("latency", args={"seconds": 2.0})
    with place.working():
        for number in ("13812345678", "13812345679", "13812345670"):
            place.data("send", "--to", number, "--text", TEXT)
        eventually(lambda: place.data("messages", "--state", "submitting"))
        assert probe(place, "--late", "0.1", "--class", "notice") == {"notice": None}


def test_ticks_that_nobody_runs_are_late(place: Place) -> None:
    with database.writing(place.engine) as connection:
        ticks.ensure(connection, {"sweep"})
    eventually(lambda: place.run("doctor", "--probe", "--late", "0.05").exit_code == 1)
    assert probe(place, "--late", "0.05", code=1)["ticks"]


def test_a_database_that_is_away_is_no_worker_s_fault(place: Place) -> None:
    place.configure("jzy", database_url="postgresql+psycopg://nobody@127.0.0.1:1/none")
    assert probe(place) == {"database": None}


def test_a_word_that_is_no_class_is_refused(place: Place) -> None:
    place.fails("doctor", "--probe", "--class", "sms", code=2)
    place.fails("doctor", "--probe", "--late", "soon", code=2)
