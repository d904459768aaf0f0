"""`xinshi route`: what would be chosen, why not the others, and that nothing comes of asking."""

from typing import Any

import pytest

from tests.cli.conftest import TEXT, Place
from tests.support.stage import section
from worker.config import settings
from worker.domain.enums import Carrier
from worker.policy.account_health import Health
from worker.store import accounts
from worker.store.db import database
from worker.store.delivery import account_doubts
from worker.store.schema.tables import message, request, submission

TO = "13812345678"


@pytest.fixture(autouse=True)
def _proven(place: Place) -> None:
    """All logins have been accepted before."""
    with database.writing(place.engine) as connection:
        for name, login in settings.load().logins.fingerprints.items():
            accounts.ensure(connection, name)
            account_doubts.prove_login(connection, name, login)


ASKED = ["route", "--to", TO, "--text", TEXT]


def routed(place: Place, *more: str, code: int = 0) -> dict[str, dict[str, Any]]:
    """Return what is said of each account, by its name."""
    return {one["name"]: one for one in place.data(*ASKED, *more, code=code)["accounts"]}


def ill(place: Place, name: str, share: float, **carriers: float) -> None:
    """Let an account have this share, and these at carriers."""
    by = {Carrier(carrier): part for carrier, part in carriers.items()}
    with database.writing(place.engine) as connection:
        accounts.write_health(
            connection, name, Health(share, share, by, "9 of 20 calls failed", "2026-11-24T00:00Z")
        )


def test_every_account_is_named_with_its_chance_or_why_not(place: Place) -> None:
    found = routed(place)
    assert list(found) == ["bulk", "codes", "v1", "jzy", "me"]
    assert [one["chance"] for one in found.values()] == [0.25, 0.25, 0.25, 0.25, 0.0]
    assert (found["me"]["out"], found["me"]["why"]) == ("class", "does not serve notice")
    shown = place.done(*ASKED)
    assert "25%" in shown
    assert "does not serve notice" in shown


def test_what_cannot_carry_it_says_so(place: Place) -> None:
    data = place.data("route", "--to", TO, "--text", "好😀")
    found = {one["name"]: one for one in data["accounts"]}
    assert found["bulk"]["out"] == "cannot"
    assert "U+1F600" in found["bulk"]["why"]
    assert found["v1"]["chance"] == 1.0
    assert data["likely"] == "v1"


def test_a_share_moves_what_would_be_chosen_and_is_explained(place: Place) -> None:
    place.configure(
        more={
            "bulk": section(place.sandbox, "bulk", priority=1),
            "v1": section(place.sandbox, "v1"),
        }
    )
    assert routed(place)["bulk"]["chance"] == 1.0
    ill(place, "bulk", 0.2)
    found = routed(place)
    assert (found["bulk"]["chance"], found["v1"]["chance"]) == (0.2, 0.8)
    assert found["bulk"]["why"] == "9 of 20 calls failed"
    assert "9 of 20 calls failed" in place.done(*ASKED)


def test_the_carrier_of_the_number_counts(place: Place) -> None:
    place.configure("bulk", "v1")
    ill(place, "bulk", 1.0, china_unicom=0.05)
    assert routed(place)["bulk"]["chance"] == 0.5
    unicom = place.data("route", "--to", "13012345678", "--text", TEXT)
    assert unicom["accounts"][0]["share"] == 0.05
    assert unicom["likely"] == "v1"


def test_where_all_are_held_it_would_wait(place: Place) -> None:
    place.configure("bulk", "v1")
    place.done("account", "hold", "bulk", "--why", "contract under review")
    assert routed(place)["v1"]["chance"] == 1.0
    place.done("account", "hold", "v1")
    found = routed(place, code=1)
    assert found["bulk"]["why"] == "held: by hand contract under review"
    assert place.data(*ASKED, code=1)["likely"] is None


def test_marketing_outside_of_hours_says_when(place: Place) -> None:
    place.configure(more={"bulk": section(place.sandbox, "bulk", sending_hours="08:00-08:00")})
    assert routed(place, "--class", "marketing")["bulk"]["out"] is None
    from datetime import UTC, datetime, timedelta

    from worker.domain.timezone import SHANGHAI

    here = datetime.now(UTC).astimezone(SHANGHAI)
    closed = [f"{(here + timedelta(hours=hours)).hour:02}:00" for hours in (6, 8)]
    shut = section(place.sandbox, "bulk", sending_hours="-".join(closed))
    place.configure(more={"bulk": shut})
    found = routed(place, "--class", "marketing", code=1)["bulk"]
    assert found["out"] == "hours"
    assert "its sending hours begin in" in found["why"]


def test_a_named_account_is_asked_alone(place: Place) -> None:
    found = routed(place, "--account", "me")
    assert found["me"]["chance"] == 1.0
    assert found["bulk"]["why"] == "me was named"


@pytest.mark.parametrize(
    "words",
    [
        ["--to", "1381234567", "--text", TEXT],
        ["--to", TO, "--text", ""],
        ["--to", TO, "--text", TEXT, "--account", "nobody"],
        ["--to", TO, "--text", "好😀", "--account", "bulk"],
    ],
    ids=" ".join,
)
def test_what_could_never_be_sent_ends_with_2(place: Place, words: list[str]) -> None:
    assert place.fails("route", *words, code=2)


def test_an_account_in_doubt_would_get_it_as_its_probe(place: Place) -> None:
    place.configure("v1")
    with database.writing(place.engine) as connection:
        for _ in range(3):
            account_doubts.add(connection, "v1", None)
            account_doubts.release_probe(connection, "v1")
    found = routed(place)["v1"]
    assert (found["out"], found["probe"]) == ("doubt", True)
    assert found["why"] == "its last calls ended in doubt: the next one is its probe"
    with database.writing(place.engine) as connection:
        assert account_doubts.take_probe(connection, "v1", 60)
    assert routed(place, code=1)["v1"]["probe"] is False


def test_where_no_login_was_accepted_yet_the_first_message_finds_out(place: Place) -> None:
    place.configure(more={"v1": section(place.sandbox, "v1", password="another")})
    assert routed(place)["v1"]["why"].startswith("its login was not accepted yet: the next one")
    assert "its login was not accepted yet" in place.done(*ASKED)


def test_nothing_comes_of_it(place: Place) -> None:
    routed(place)
    with database.reading(place.engine) as connection:
        for table in (request, message, submission):
            assert connection.execute(table.select()).first() is None
    assert not list(place.sandbox.entries())


def test_accounts_show_their_share_and_why(place: Place) -> None:
    ill(place, "bulk", 0.5, china_unicom=0.2)
    found = {one["name"]: one for one in place.data("accounts")}
    assert found["bulk"]["share"] == 0.5
    assert found["bulk"]["share_why"] == "9 of 20 calls failed"
    assert found["bulk"]["carriers"] == {"china_unicom": 0.2}
    assert (found["v1"]["share"], found["v1"]["share_why"]) == (1.0, None)
    shown = place.done("accounts")
    assert "bulk: gets 50% of its traffic, 20% of china_unicom's since" in shown
    assert "9 of 20 calls failed" in shown


def test_why_an_account_was_chosen_is_shown_with_its_message(place: Place) -> None:
    place.configure("v1", "jzy")
    ill(place, "jzy", 0.5)
    with place.working():
        (sent,) = place.data("send", "--to", TO, "--text", TEXT, "--wait", "30")["messages"]
    found = place.data("show", sent["id"])
    (event,) = [one for one in found["events"] if one["name"] == "submission.routed"]
    assert event["account"] == sent["account"]
    assert event["detail"] == {"chances": {"v1": 0.667, "jzy": 0.333}, "shares": {"jzy": 0.5}}
    assert "chances (jzy 0.333, v1 0.667)" in place.done("show", sent["id"]) or (
        "chances (v1 0.667, jzy 0.333)" in place.done("show", sent["id"])
    )
