"""`xinshi callbacks`, and what `key revoke` and `doctor` say of callbacks."""

import pytest

from tests.cli.conftest import Place
from worker.store import keys
from worker.store.db import database
from worker.store.feedback import callbacks

URL = "https://app.example.com/xinshi"
SECRETS = {"callback_secrets": ["a secret of the test's, long enough"]}


@pytest.fixture
def place(place: Place) -> Place:
    """A place that signs."""
    place.configure("bulk", **SECRETS)
    return place


def test_a_second_standing_callback_is_refused_until_it_replaces_the_first(place: Place) -> None:
    first = place.data("callbacks", "add", URL, "--sender", "shop")
    assert first == place.data("callbacks", "add", URL, "--sender", "shop")
    moved = f"{URL}/moved"
    refused = place.fails("callbacks", "add", moved, "--sender", "shop", code=2)
    assert f"callback {first['id']}" in refused
    replaced = place.data("callbacks", "add", moved, "--sender", "shop", "--replace")
    assert (replaced["id"], replaced["secret"]) == (first["id"], first["secret"])
    (listed,) = place.data("callbacks", "list")
    assert listed["url"] == moved
    other = place.fails("callbacks", "add", URL, "--sender", "other", "--replace", code=2)
    assert "none to replace" in other


@pytest.mark.parametrize("url", ["https://10.0.0.1/x", "http://app.example.com/", "https://a..b/"])
def test_a_url_to_which_nothing_is_delivered_is_refused(place: Place, url: str) -> None:
    place.fails("callbacks", "add", url, code=2)


def test_revoking_a_key_names_what_it_added_and_leaves(place: Place) -> None:
    revoked = place.data("key", "create", "shop")["id"]
    other = place.data("key", "create", "shop")["id"]
    with database.writing(place.engine) as connection:
        added = callbacks.add(connection, "shop", f"{URL}/eve", key_id=revoked)
        unknown = callbacks.add(connection, "shop", f"{URL}/before")
        callbacks.add(connection, "shop", f"{URL}/carol", key_id=other)
        callbacks.add(connection, "crm", f"{URL}/crm")
    told = place.run("key", "revoke", str(revoked)).stderr
    assert f"callback {added} ({URL}/eve), which it added, is still told" in told
    assert f"callback {unknown} ({URL}/before), which it may have added, is still told" in told
    assert told.count("is still told") == 2
    assert f"`xinshi callbacks remove {added}`" in told
    assert place.fails("key", "revoke", str(revoked)).count("is still told") == 0


def test_a_key_that_added_nothing_is_revoked_without_a_word_of_callbacks(place: Place) -> None:
    with database.writing(place.engine) as connection:
        key_id = keys.add(connection, "shop", "digest", [], test=False, rate=None)
    assert "callback" not in place.run("key", "revoke", str(key_id)).stderr


def test_doctor_names_senders_with_several_standing_callbacks_and_urls_that_will_not_do(
    place: Place,
) -> None:
    with database.writing(place.engine) as connection:
        first = callbacks.add(connection, "shop", URL)
        second = callbacks.add(connection, "shop", f"{URL}/second")
        plain = callbacks.add(connection, "crm", "http://app.example.com/")
    checks = {
        (check["what"], check["advice"]): check["problem"]
        for check in place.data("doctor", code=1)
        if "callback" in check["what"]
    }
    twice = checks["callbacks", f"leave one: `xinshi callbacks remove {second}`"]
    assert f"{first} and {second}" in twice
    assert "shop" in twice
    (problem,) = [text for (what, _), text in checks.items() if what == f"callback {plain}"]
    assert "https://" in problem
