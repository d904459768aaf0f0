"""A shell without the gateways' secrets: what reads the database works, what calls says why not."""

import subprocess
import sys

import pytest

from tests.cli.conftest import TEXT, Place
from tests.support import documents
from worker.config import settings
from worker.store import accounts
from worker.store.db import database

TO = "13812345678"
LOGIN = "a" * 64


@pytest.fixture
def plain(place: Place) -> Place:
    """Take two secrets out of the configuration: a variable and a file that are not here."""
    login = {"base_url": "http://127.0.0.1:1"}
    place.configure(
        more={
            "mass": {**login, "gateway": "c123", "uid": "9999"},
            "v2": {**login, "gateway": "apiv1", "account": "demo"},
        }
    )
    file = place.folder / "xinshi.toml"
    text = file.read_text("utf-8")
    text = text.replace('uid = "9999"', 'uid = "9999"\npassword = { env = "MASS_PASSWORD" }')
    text = text.replace('account = "demo"', 'account = "demo"\npassword = { file = "gone" }')
    file.write_text(text, "utf-8")
    return place


@pytest.mark.parametrize(
    "words",
    [
        ["accounts"],
        ["messages"],
        ["migrate"],
        ["settle", "list"],
        ["events"],
        ["verify"],
        ["campaign", "list"],
        ["opt-out", "list"],
        ["account", "hold", "mass"],
        ["route", "--to", TO, "--text", TEXT, "--class", "otp"],
    ],
)
def test_what_calls_no_gateway_needs_no_secret(plain: Place, words: list[str]) -> None:
    plain.done(*words)


def test_a_message_is_sent_and_shown_without_a_secret(plain: Place) -> None:
    (message,) = plain.data("send", "--to", TO, "--text", TEXT)["messages"]
    assert message["id"] in plain.done("show", message["id"])


def test_what_calls_a_gateway_names_the_secret_that_it_lacks(plain: Place) -> None:
    (answer,) = plain.data("balance", "--account", "mass", code=1)
    assert "accounts.mass.password: the environment variable MASS_PASSWORD" in answer["problem"]
    (collected,) = plain.data("collect", "reports", "--account", "v2", code=1)
    assert f"accounts.v2.password: the file {plain.folder / 'gone'}" in collected["problem"]


def test_the_doctor_names_what_is_missing_and_does_not_call_it_wrong(plain: Place) -> None:
    checks = {check["what"]: check for check in plain.data("doctor", code=1)}
    for key, reason in (("mass", "MASS_PASSWORD is not set"), ("v2", "gone cannot be read")):
        check = checks[f"configuration: accounts.{key}.password"]
        assert check["ok"] is True
        assert reason in check["problem"]
    assert checks["account mass"]["problem"] is None


@pytest.mark.parametrize("words", [["up"], ["web", "--port", "0"]])
def test_what_runs_refuses_to_start_and_names_all(plain: Place, words: list[str]) -> None:
    said = plain.fails(*words, code=2)
    assert "accounts.mass.password" in said
    assert "accounts.v2.password" in said


@pytest.mark.parametrize("role", ["notice", "beat"])
def test_a_worker_and_beat_refuse_to_start_and_name_all_in_a_line_each(
    plain: Place, role: str
) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "worker", role],
        cwd=plain.folder,
        env={"PYTHONPATH": str(documents.ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert process.returncode == 2
    mass, v2 = process.stderr.splitlines()
    assert "accounts.mass.password: the environment variable MASS_PASSWORD is not set" in mass
    assert "accounts.v2.password" in v2


def test_a_hold_of_a_login_that_cannot_be_known_here_stands(
    plain: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is released for all that are held for it, after a question; a known login is compared."""
    with database.writing(plain.engine) as connection:
        for name in ("mass", "v2"):
            accounts.hold(connection, name, "101", "wrong password", None, LOGIN)
    held = {account["name"]: account["held"] for account in plain.data("accounts")}
    assert held == {"mass": True, "v2": True}
    monkeypatch.setenv("MASS_PASSWORD", "another")
    held = {account["name"]: account["held"] for account in plain.data("accounts")}
    assert held == {"mass": False, "v2": True}
    monkeypatch.delenv("MASS_PASSWORD")
    asked = plain.run("account", "release", "mass", typed="n\n")
    assert asked.exit_code == 1
    assert "cannot be known here" in asked.output
    plain.done("account", "release", "mass", "--yes")
    assert not any(account["held"] for account in plain.data("accounts"))
    assert "mass" not in settings.load().logins.fingerprints
