"""Accounts: what is left, who is held and why, passwords, and what the doctor finds."""

from typing import Any

import pytest

from producer.cli import doctor_checks, server_deeds
from producer.local.embedded_valkey import EmbeddedServer
from tests.cli.conftest import TEXT, Place
from tests.support.stage import section
from worker.config import settings
from worker.store import accounts, ticks
from worker.store.db import database
from worker.store.delivery import account_doubts

TO = "13812345678"


def by_name(found: list[dict[str, Any]], key: str = "name") -> dict[str, dict[str, Any]]:
    """Return rows by the account that they are about."""
    return {one[key]: one for one in found}


def refused(place: Place) -> None:
    """Configure an account with a wrong password."""
    place.configure("jzy", more={"bulk": section(place.sandbox, "bulk", password="wrong")})


def test_accounts_are_listed_with_what_they_serve(place: Place) -> None:
    found = by_name(place.data("accounts"))
    assert list(found) == ["bulk", "codes", "v1", "jzy", "me"]
    assert found["bulk"]["classes"] == ["otp", "notice", "marketing"]
    assert found["me"]["classes"] == []
    assert not any(one["held"] for one in found.values())
    assert "only by name" in place.done("accounts")


def test_a_person_holds_and_releases_an_account(place: Place) -> None:
    place.done("account", "hold", "bulk", "--why", "contract under review")
    one = by_name(place.data("accounts"))["bulk"]
    assert one["held"] is True
    assert one["why"] == "by hand contract under review"
    assert one["since"]
    assert one["until"] is None
    shown = place.done("accounts")
    assert "held: by hand contract under review" in shown
    assert "xinshi account release bulk" in shown
    place.done("account", "release", "bulk")
    assert by_name(place.data("accounts"))["bulk"]["held"] is False
    assert "was not held" in place.done("account", "release", "bulk")


def test_a_hold_by_hand_outlasts_one_of_minutes(place: Place) -> None:
    with database.writing(place.engine) as connection:
        accounts.hold(connection, "bulk", "114", "locked", 600)
    shown = place.done("accounts")
    assert "goes on by itself at" in shown
    place.done("account", "hold", "bulk")
    assert by_name(place.data("accounts"))["bulk"]["until"] is None


def test_an_account_that_is_gone_can_still_be_released(place: Place) -> None:
    place.done("account", "hold", "bulk")
    place.configure("jzy")
    assert "goes on" in place.done("account", "release", "bulk")


def test_the_balance_is_asked_for_and_kept(place: Place) -> None:
    found = by_name(place.data("balance"), "account")
    assert set(found) == {"bulk", "codes", "v1", "jzy"}
    (pool,) = found["bulk"]["pools"]
    assert pool["remaining"] > 0
    assert pool["postpaid"] is False
    assert found["bulk"]["sent"] == 0
    assert len(found["jzy"]["pools"]) == 3
    assert by_name(place.data("accounts"))["bulk"]["balance"]["pools"] == [pool]
    assert [one["account"] for one in place.data("balance", "--account", "v1")] == ["v1"]
    assert "me has no balance" in place.fails("balance", "--account", "me", code=2)


def test_a_wrong_password_holds_the_account_at_the_first_refusal(place: Place) -> None:
    refused(place)
    found = by_name(place.data("balance", code=1), "account")
    assert found["bulk"]["problem"].startswith("refused: 101")
    assert found["jzy"]["problem"] is None
    assert by_name(place.data("accounts"))["bulk"]["held"] is True
    calls = place.sandbox.control.state()["calls"]["c123"]
    assert "held" in place.done("balance")
    assert place.sandbox.control.state()["calls"]["c123"] == calls, "it is not asked again"


def test_what_to_do_about_a_hold_is_said_in_plain_words(place: Place) -> None:
    refused(place)
    place.data("balance", "--account", "bulk", code=1)
    one = by_name(place.data("accounts"))["bulk"]
    assert one["why"] == "101 验证失败"
    assert "correct them in the configuration" in one["advice"]
    assert "with another login" in one["advice"]
    assert one["until"] is None


def test_a_release_with_the_login_that_was_refused_is_asked_back(place: Place) -> None:
    """With another one there is nothing to ask, nor anything to release."""
    refused(place)
    place.data("balance", "--account", "bulk", code=1)
    asked = place.run("account", "release", "bulk", typed="n\n")
    assert asked.exit_code == 1
    assert "refused its login" in asked.output
    assert "wrong" not in asked.output
    assert by_name(place.data("accounts"))["bulk"]["held"] is True
    assert "asks first" in place.done("account", "release", "bulk", "--yes")
    place.data("balance", "--account", "bulk", code=1)
    place.configure("bulk")
    assert by_name(place.data("accounts"))["bulk"]["held"] is False
    assert "was not held" in place.done("account", "release", "bulk")
    assert place.data("balance", "--account", "bulk")[0]["problem"] is None


def test_a_call_waits_for_the_one_that_proves_the_login(place: Place) -> None:
    """And leaves the account alone when it does not come to an end."""
    slow = section(place.sandbox, "bulk", timeout="0.2s")
    place.configure(more={"bulk": slow})
    here = settings.load()
    with database.writing(place.engine) as connection:
        assert account_doubts.take_probe(connection, "bulk", 60, here.logins.fingerprints["bulk"])
    (found,) = place.data("balance", "--account", "bulk")
    assert "finding out" in found["problem"]
    assert "c123" not in place.sandbox.control.state()["calls"]


def test_a_held_account_is_not_asked_for_reports(place: Place) -> None:
    place.done("account", "hold", "jzy")
    (found,) = place.data("collect", "reports", "--account", "jzy")
    assert "held" in found["problem"]
    assert "jzyyun" not in place.sandbox.control.state()["calls"]


def test_reports_are_collected_by_all_that_have_them(place: Place) -> None:
    assert {one["account"] for one in place.data("collect", "reports")} == {"v1", "jzy"}
    assert "jzy" in place.done("collect", "reports")


def test_an_account_that_wants_to_be_asked_rarely_says_when_it_may_be(place: Place) -> None:
    words = ["collect", "inbound", "--account", "bulk"]
    assert place.data(*words)[0]["pages"] == 1
    (found,) = place.data(*words)
    assert found["pages"] == 0
    assert 500 < found["wait"] <= 600
    assert "may run again at" in place.done(*words)


def test_an_account_that_a_worker_is_asking_is_left_alone(place: Place) -> None:
    with database.writing(place.engine) as connection:
        ticks.ensure(connection, {"reports:jzy"})
        ticks.take(connection, "reports:jzy", "other", every=1, lease=60, force=True)
    (found,) = place.data("collect", "reports", "--account", "jzy")
    assert found["pages"] == 0
    assert "a worker is asking it now" in found["problem"]


def test_a_gateway_that_does_not_answer_fails_the_collection(place: Place) -> None:
    dead = section(place.sandbox, "jzy", base_url="http://127.0.0.1:1")
    place.configure(more={"jzy": dead})
    (found,) = place.data("collect", "reports", code=1)
    assert "did not answer" in found["problem"]


def test_a_password_is_changed_at_the_gateway(place: Place) -> None:
    """Also while a person holds the account, so that nothing goes out meanwhile."""
    place.done("account", "hold", "jzy")
    result = place.run("account", "password", "jzy", typed="n3wsecret\nn3wsecret\n")
    assert result.exit_code == 0, result.output
    assert "accounts.jzy.password" in result.stdout
    assert "n3wsecret" not in result.output
    changed = section(place.sandbox, "jzy", password="n3wsecret")
    place.configure(more={"jzy": changed})
    place.done("account", "release", "jzy")
    assert place.data("balance")[0]["problem"] is None


def test_a_password_is_not_changed_where_it_cannot_be(place: Place) -> None:
    assert "has no call for that" in place.fails("account", "password", "bulk")
    with database.writing(place.engine) as connection:
        accounts.hold(connection, "jzy", "9", "locked", 600)
    assert "is held" in place.fails("account", "password", "jzy")
    dead = section(place.sandbox, "jzy", base_url="http://127.0.0.1:1")
    place.configure(more={"far": dead})
    said = place.fails("account", "password", "far", typed="a\na\n")
    assert "the old password holds" in said


def wrong(place: Place) -> dict[str, dict[str, Any]]:
    """Return what the doctor finds wrong, by what it looked at."""
    found = place.data("doctor", code=1)
    assert all(set(one) == {"what", "ok", "problem", "advice"} for one in found)
    assert all(one["advice"] for one in found if not one["ok"])
    return {one["what"]: one for one in found if not one["ok"]}


def test_a_schema_of_a_newer_version_is_a_warning(place: Place) -> None:
    with place.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE xinshi_alembic_version SET version_num = '9999'")
    checks = {check["what"]: check for check in place.data("doctor", code=1)}
    assert checks["migrations"]["ok"] is True
    assert "newer version" in checks["migrations"]["problem"]
    assert "account jzy" in checks, "and the checks go on"


def test_the_doctor_finds_nothing_where_everything_runs(place: Place) -> None:
    with EmbeddedServer(settings.load()), place.working():
        # A worker is only seen once it has looked.
        place.done("send", "--to", TO, "--text", TEXT, "--account", "bulk", "--wait", "30")
        found = place.data("doctor")
        assert "problem" in place.done("doctor")
    assert all(one["ok"] for one in found), found
    assert {"configuration", "broker", "redis", "database", "migrations", "worker", "codes"} < {
        one["what"] for one in found
    }


def test_the_doctor_misses_broker_redis_and_workers(place: Place) -> None:
    found = wrong(place)
    assert set(found) == {"broker", "doorbell", "redis", "worker"}
    assert "xinshi up" in found["broker"]["advice"]


def test_the_doctor_waits_for_no_server_for_long(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    never = threading.Event()
    monkeypatch.setattr(doctor_checks, "SERVER_TIMEOUT", 0.05)
    monkeypatch.setattr(server_deeds, "use_queue", lambda _here: never.wait(20))
    assert "did not answer within" in wrong(place)["broker"]["problem"]
    never.set()


def test_the_doctor_names_every_fault_of_the_configuration(place: Place) -> None:
    place.configure("bulk", loook_every="1s", log_level="LOUD")
    assert set(wrong(place)) == {"configuration: loook_every", "configuration: log_level"}


def test_the_doctor_says_that_nothing_can_pace(place: Place) -> None:
    place.configure("bulk", broker_url="amqp://guest:s3cret@127.0.0.1:1//")
    found = wrong(place)
    assert "configuration: redis_url" in found
    assert "s3cret" not in str(found)


def test_the_doctor_wants_the_newest_schema(place: Place) -> None:
    place.configure("bulk", database_url="sqlite:///new.db")
    assert "run `xinshi migrate`" in place.fails("messages")
    assert "no tables" in wrong(place)["migrations"]["problem"]


def test_the_doctor_misses_the_database(place: Place) -> None:
    place.configure("bulk", database_url="postgresql+psycopg://u:s3cret@127.0.0.1:1/x")
    found = wrong(place)
    assert "database" in found
    assert "s3cret" not in str(found)


def test_the_doctor_names_codes_that_no_table_has_until_one_has(place: Place) -> None:
    place.sandbox.control.rule("refuse", gateway="c123", call="submit", args={"code": "777"})
    with place.working():
        words = ["--to", TO, "--text", TEXT, "--account", "bulk", "--wait", "30"]
        place.done("send", *words, code=1)
    found = wrong(place)["codes of bulk"]
    assert "777" in found["problem"]
    assert "[accounts.bulk.codes]" in found["advice"]
    mapped = section(place.sandbox, "bulk")
    place.configure(more={"bulk": mapped})
    with (place.folder / "xinshi.toml").open("a") as file:
        file.write('\n[accounts.bulk.codes]\n"777" = "rejected"\n')
    assert "codes of bulk" not in wrong(place)


def test_the_doctor_names_an_account_that_messages_wait_for(place: Place) -> None:
    place.done("send", "--to", TO, "--text", TEXT, "--account", "bulk")
    place.configure("jzy")
    assert "1 request(s) wait for it" in wrong(place)["account bulk"]["problem"]


def test_the_doctor_says_what_is_wrong_with_each_account(place: Place) -> None:
    refused(place)
    assert "101" in wrong(place)["account bulk"]["problem"]
    calls = place.sandbox.control.state()["calls"]["c123"]
    found = wrong(place)["account bulk"]
    assert found["problem"].startswith("held since")
    assert "xinshi account release bulk" in found["advice"]
    assert place.sandbox.control.state()["calls"]["c123"] == calls, "a held account is not asked"


def test_the_doctor_says_what_is_used_up_and_what_cannot_be_reached(place: Place) -> None:
    place.sandbox.control.account("c123", "9999", "9999", funds=0)
    dead = section(place.sandbox, "jzy", base_url="http://127.0.0.1:1")
    place.configure("bulk", more={"far": dead})
    found = wrong(place)
    assert "nothing is left" in found["account bulk"]["problem"]
    assert "did not answer" in found["account far"]["problem"]
    assert "network" in found["account far"]["advice"]
