"""The configuration: every fault at once, each with its key; secrets never shown."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.stage import LOGINS
from worker.celery import application
from worker.config import secret_places, settings
from worker.domain.enums import Advice, MessageClass, Outcome
from worker.domain.errors import ConfigurationError
from worker.gateways.base import Content, OutgoingSubmission

SECRET = "hunter2-hunter2"
BASE: dict[str, Any] = {"base_url": "http://127.0.0.1:9"}


def parse(raw: dict[str, Any], environ: dict[str, str] | None = None) -> settings.Settings:
    return settings.parse(raw, Path("/srv/shop"), environ or {})


def faults(raw: dict[str, Any], environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        parse(raw, environ)
    assert SECRET not in str(refused.value)
    return list(map(str, refused.value.problems))


def test_every_fault_is_told_at_once_with_its_key() -> None:
    found = faults(
        {
            "look_every": "soon",
            "lok_every": "1s",
            "broker_url": "kafka://x",
            "database_url": "oracle://x",
            "log_level": "LOUD",
            "accounts": {
                "bulk": {**BASE, "gateway": "c123", "uid": "1", "password": [SECRET]},
                "b": {**BASE, "gateway": "c132"},
                "c": {**BASE, "gateway": "c123", "uidd": "1", "password": SECRET},
                "bad name": {**BASE, "gateway": "c123"},
                "d": SECRET,
                "e": {**BASE, **LOGINS["v1"], "sending_hours": "8 to 9", "timeout": "1h"},
                "f": {**LOGINS["v1"], "base_url": f"http://u:{SECRET}@host/"},
            },
        }
    )
    keys = [fault.partition(":")[0] for fault in found]
    for key in (
        "look_every", "lok_every", "broker_url", "database_url", "log_level",
        "accounts.bulk.password", "accounts.b.gateway", "accounts.c.uidd", "accounts.c.uid",
        "accounts.bad name", "accounts.d", "accounts.e.sending_hours", "accounts.e.timeout",
        "accounts.f.base_url",
    ):  # fmt: skip
        assert key in keys, found


def test_a_misspelt_name_comes_with_the_nearest() -> None:
    (top,) = faults({"broker_ulr": "embedded"})
    assert "did you mean broker_url?" in top
    (gateway,) = faults({"accounts": {"a": {"gateway": "ihuy"}}})
    assert "did you mean ihuyi?" in gateway


def test_the_environment_wins_and_goes_down_by_double_underscores(tmp_path: Path) -> None:
    file = tmp_path / "xinshi.toml"
    file.write_text(
        'look_every = "5s"\n[accounts.bulk]\ngateway = "c123"\nuid = "1"\npassword = "a"'
    )
    environ = {
        "XINSHI_LOOK_EVERY": "7s",
        "XINSHI_ACCOUNTS__BULK__PASSWORD": "b",
        "XINSHI_TEST_REDIS": "redis://x",
        "XINSHI_CONFIG": str(file),
        "HOME": "/",
    }
    made = settings.load(None, environ)
    assert made.top.look_every == 7
    assert made.accounts["bulk"].settings.password.get_secret_value() == "b"  # type: ignore[attr-defined]
    assert made.directory == tmp_path
    assert settings.load(file, {}).top.look_every == 5


def test_a_file_that_is_not_there_or_is_no_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.toml.*no such file"):
        settings.load(tmp_path / "none.toml", {})
    (tmp_path / "bad.toml").write_text("a = = b")
    with pytest.raises(ConfigurationError, match=r"bad\.toml: is not TOML"):
        settings.load(tmp_path / "bad.toml", {})


@pytest.mark.parametrize("how", ["plain", "env", "file"])
@pytest.mark.parametrize("name", sorted(LOGINS))
def test_a_secret_is_shown_nowhere(tmp_path: Path, how: str, name: str) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    given = {"plain": SECRET, "env": {"env": "MINE"}, "file": {"file": "secret"}}[how]
    key = "api_key" if name == "codes" else "password"
    raw = {"accounts": {name: {**BASE, **LOGINS[name], key: given}}}
    made = settings.parse(raw, tmp_path, {"MINE": SECRET})
    account = made.accounts[name]
    assert getattr(account.settings, key).get_secret_value() == SECRET
    for shown in (
        repr(made),
        str(made),
        repr(account),
        str(account.settings),
        repr(account.gateway),
    ):
        assert SECRET not in shown
    assert SECRET not in account.settings.model_dump_json()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"env": "A", "file": "b"}, "exactly one key"),
        ({"evn": "A"}, "exactly one key"),
        (5, "write a secret as"),
    ],
)
def test_a_secret_that_is_written_wrongly_says_how(given: Any, said: str) -> None:
    (fault,) = faults({"accounts": {"v1": {**BASE, **LOGINS["v1"], "password": given}}})
    assert said in fault


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"env": "MISSING"}, "MISSING is not set"),
        ({"file": "/no/such/file"}, "/no/such/file cannot be read"),
    ],
)
@pytest.mark.parametrize("name", sorted(LOGINS))
def test_a_secret_that_is_not_there_is_missed_by_whoever_uses_it(
    given: Any, reason: str, name: str
) -> None:
    key = "api_key" if name == "codes" else "password"
    raw = {"accounts": {name: {**BASE, **LOGINS[name], key: given}}}
    made = settings.parse(raw, Path(), {})
    account = made.accounts[name]
    assert name not in made.logins.fingerprints
    assert account.gateway.capabilities
    submission = OutgoingSubmission(("13800138000",), Content("【信使】好"), "0" * 32)
    with pytest.raises(ConfigurationError, match=rf"^accounts\.{name}\.{key}: .*{reason}"):
        account.gateway.submit_request(submission, datetime.now(UTC))


def test_all_missing_secrets_are_named_at_once(tmp_path: Path) -> None:
    missing = {"env": "MISSING"}
    raw = {
        "callback_secrets": [missing, "x" * 20],
        "web": {"session_secret": {"file": "gone"}},
        "accounts": {
            "bulk": {**BASE, **LOGINS["bulk"], "password": missing},
            "codes": {**BASE, **LOGINS["codes"], "push_tokens": ["t" * 20, missing]},
        },
    }
    made = settings.parse(raw, tmp_path, {})
    with pytest.raises(ConfigurationError) as error:
        secret_places.require_secrets(made)
    assert [problem.where for problem in error.value.problems] == [
        "callback_secrets.0",
        "web.session_secret",
        "accounts.bulk.password",
        "accounts.codes.push_tokens.1",
    ]
    assert str(tmp_path / "gone") in str(error.value)
    with pytest.raises(ConfigurationError, match=r"accounts\.bulk\.password"):
        application(made)


@pytest.mark.parametrize(
    ("url", "resolved"),
    [
        ("sqlite:///xinshi.db", "sqlite:////srv/shop/xinshi.db"),
        ("sqlite:///data/xinshi.db", "sqlite:////srv/shop/data/xinshi.db"),
        ("sqlite:////var/x.db", "sqlite:////var/x.db"),
        ("postgresql+psycopg://u@h/x", "postgresql+psycopg://u@h/x"),
    ],
)
def test_an_sqlite_file_lies_beside_the_configuration(url: str, resolved: str) -> None:
    assert parse({"database_url": url}).database_url == resolved


def test_codes_of_an_account_lie_over_its_gateways() -> None:
    codes = {
        "112": "rejected",
        "999": {"outcome": "account_held", "hold": "10m"},
        "/余额/": {"outcome": "throttled", "advice": "slow_down"},
    }
    raw = {"accounts": {"bulk": {**BASE, **LOGINS["bulk"], "codes": codes}}}
    table = parse(raw).accounts["bulk"].gateway.table
    assert table.read("112").outcome is Outcome.REJECTED
    assert table.read("112").fault is None, "the account's own replaces the whole entry"
    assert (table.read("999").outcome, table.read("999").hold) == (Outcome.ACCOUNT_HELD, 600)
    assert table.read("x", "账户余额不足").advice is Advice.SLOW_DOWN
    assert table.read("100").outcome is Outcome.ACCEPTED
    unmapped = table.read("777", "什么")
    assert (unmapped.outcome, unmapped.mapped) == (Outcome.UNKNOWN, False)


@pytest.mark.parametrize("said", ["not_sent", "sent", {"outcome": "rejected", "foult": "text"}])
def test_a_code_that_says_what_no_gateway_can_say_is_refused(said: Any) -> None:
    raw = {"accounts": {"bulk": {**BASE, **LOGINS["bulk"], "codes": {"1": said}}}}
    assert faults(raw)[0].startswith("accounts.bulk.codes")


def test_a_pattern_that_cannot_be_read_is_refused() -> None:
    raw = {"accounts": {"bulk": {**BASE, **LOGINS["bulk"], "codes": {"/(/": "rejected"}}}}
    assert faults(raw)[0].startswith("accounts.bulk.codes")


def test_validity_is_by_class() -> None:
    made = parse({"valid_otp": "90s"})
    assert [made.valid_seconds(one) for one in MessageClass] == [90, 86400, 86400]
