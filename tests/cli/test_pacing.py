"""`xinshi accounts` tells an account's limits, what was learned, and who paces it."""

from tests.cli.conftest import Place
from tests.cli.test_accounts import by_name
from tests.support.stage import section
from worker.policy import gcra
from worker.policy.adaptive_rate import LearnedRate
from worker.store.db import database
from worker.store.delivery import account_pace


def test_accounts_show_their_limits(place: Place) -> None:
    slow = section(place.sandbox, "bulk", submissions_per_second=50, concurrency=4)
    place.configure("jzy", more={"bulk": slow})
    one = by_name(place.data("accounts"))["bulk"]["pace"]
    assert one["submissions_per_second"] == one["allowed_per_second"] == 50
    assert (one["concurrency"], one["by"], one["refused_at"]) == (4, "redis", None)
    assert "50 submissions/s, 4 at once" in place.done("accounts")


def test_accounts_show_what_a_gateway_refused_and_that_redis_is_gone(place: Place) -> None:
    with database.writing(place.engine) as connection:
        at = account_pace.lock(connection, ["bulk"])["bulk"].now
        account_pace.write_learned(connection, "bulk", LearnedRate(20.0, at - 3, at + 600))
        account_pace.write(connection, "bulk", gcra.initial_state(round(at * 1_000_000)))
    one = by_name(place.data("accounts"))["bulk"]["pace"]
    assert (one["refused_per_second"], one["allowed_per_second"], one["by"]) == (20, 18, "database")
    assert one["rests_until"]
    shown = place.done("accounts")
    assert "refused 20 submissions a second" in shown
    assert "asked to be left alone until" in shown
    assert "the database paces it" in shown
