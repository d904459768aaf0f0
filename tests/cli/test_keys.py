"""`xinshi key` and `xinshi account push-url`: what is shown once, and never again."""

from tests.cli.conftest import Place
from worker.domain import api_keys
from worker.domain.enums import Scope
from worker.store import keys
from worker.store.db import database

TOKEN = "first-token-0123456789"


def test_a_key_is_shown_once_and_its_hash_is_kept(place: Place) -> None:
    key = place.done("key", "create", "shop").strip()
    assert api_keys.is_well_formed(key)
    with database.reading(place.engine) as connection:
        found = keys.find_by_digest(connection, api_keys.digest(key))
    assert found is not None
    assert (found.name, found.scopes) == ("shop", {Scope.SEND, Scope.READ})
    listed = place.done("key", "list") + place.done("key", "list", "--json")
    assert "shop" in listed
    assert key not in listed
    assert api_keys.digest(key) not in listed
    assert key.encode() not in (place.folder / "xinshi.db").read_bytes()


def test_a_revoked_key_is_worthless(place: Place) -> None:
    made = place.data("key", "create", "shop", "--scope", "operate", "--rate", "5")
    assert place.data("key", "list")[0]["scopes"] == ["operate"]
    place.done("key", "revoke", str(made["id"]))
    with database.reading(place.engine) as connection:
        assert keys.find_by_digest(connection, api_keys.digest(made["key"])) is None
    assert place.data("key", "list")[0]["revoked_at"]
    assert "revoked before" in place.fails("key", "revoke", str(made["id"]))


def test_test_keys_and_others_never_share_a_name(place: Place) -> None:
    """They would share idempotency keys, and see each other's messages."""
    assert place.done("key", "create", "ci", "--test").startswith(api_keys.TEST_PREFIX)
    place.done("key", "create", "ci", "--test")
    assert "test keys" in place.fails("key", "create", "ci", code=2)
    for bad in ("a b", "", "celery", "x" * 65):
        place.fails("key", "create", bad, code=2)


def test_a_push_url_holds_each_token_and_no_name_that_is_not_ours(place: Place) -> None:
    tokens = [TOKEN, TOKEN[::-1]]
    more = {"codes": {**CODES, "base_url": place.sandbox.url("ihuyi"), "push_tokens": tokens}}
    place.configure("bulk", "v1", more=more)
    with (place.folder / "xinshi.toml").open("a", encoding="utf-8") as file:
        file.write('\n[web]\npublic_url = "https://sms.example.com/"\n')
    assert place.data("account", "push-url", "codes") == [
        f"https://sms.example.com/push/codes/{one}" for one in tokens
    ]
    assert "pushes nothing" in place.fails("account", "push-url", "bulk")
    said = place.run("account", "push-url", "v1")
    assert said.exit_code == 1
    assert "push_tokens = [" in said.stdout


CODES = {"gateway": "ihuyi", "account": "cf_demo", "api_key": "0" * 32}


def test_a_token_that_can_be_guessed_is_refused(place: Place) -> None:
    more = {"codes": {**CODES, "push_tokens": ["secret"]}}
    place.configure(more=more)
    assert "push_tokens" in place.fails("accounts", code=2)
    place.configure(
        more={"bulk2": {"gateway": "c123", "uid": "1", "password": "1", "push_tokens": [TOKEN]}}
    )
    assert "pushes nothing" in place.fails("accounts", code=2)
