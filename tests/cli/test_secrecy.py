"""What others could read: the doctor warns of it, and secrets of our own are long."""

import re
from pathlib import Path
from typing import Any

import pytest

from producer.cli import secrecy_checks
from tests.cli.conftest import Place
from tests.support.stage import LOGINS
from worker.config import settings
from worker.domain.errors import ConfigurationError

LONG = "f7Qk2mX9vB4nL8cR1tZ6"


def warnings(raw: dict[str, Any]) -> dict[str, str]:
    """Return what is warned of, by the subject."""
    checks = list(secrecy_checks.run_checks(settings.parse(raw, Path("/srv/shop"), {})))
    assert all(check.is_warning and check.advice for check in checks)
    return {check.subject: str(check.problem) for check in checks}


def test_a_new_secret_is_printed_and_can_be_used_for_everything(place: Place) -> None:
    first, second = (place.done("secret").strip() for _ in range(2))
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", first)
    assert first != second
    account = {**LOGINS["v1"], "base_url": "https://x.example", "push_tokens": [first]}
    raw = {"callback_secrets": [second], "web": {"session_secret": first}}
    settings.parse({**raw, "accounts": {"v1": account}}, Path("/"), {})


@pytest.mark.parametrize("short", ["", "x", LONG[1:]])
@pytest.mark.parametrize("key", ["callback_secrets", "web.session_secret"])
def test_a_short_secret_of_our_own_is_refused_and_not_repeated(key: str, short: str) -> None:
    def raw(secret: str) -> dict[str, Any]:
        web = {"session_secret": secret}
        return {"callback_secrets": [secret]} if key == "callback_secrets" else {"web": web}

    settings.parse(raw(LONG), Path("/"), {})
    with pytest.raises(ConfigurationError) as refusal:
        settings.parse(raw(short), Path("/"), {})
    (problem,) = refusal.value.problems
    assert problem.where.startswith(key)
    assert f"has {len(short)} characters" in problem.what
    assert "`xinshi secret`" in problem.what
    assert not short or short not in problem.what.split()


@pytest.mark.parametrize(
    ("name", "more", "is_plain"),
    [
        ("bulk", {}, True),
        ("bulk", {"base_url": "https://http.c123.com"}, False),
        ("bulk", {"base_url": "http://127.0.0.1:8900/c123"}, False),
        ("jzy", {}, True),
        ("jzy", {"base_url": "https://x.example", "report_base_url": "http://y.example"}, True),
        ("codes", {}, False),
        ("v1", {"base_url": "http://10.1.2.3"}, True),
    ],
)
def test_a_login_that_travels_in_clear_is_warned_of(
    name: str,
    more: dict[str, Any],
    is_plain: bool,  # noqa: FBT001 - what the law says
) -> None:
    found = warnings({"accounts": {name: {**LOGINS[name], **more}}})
    assert (f"account {name}" in found) is is_plain


@pytest.mark.parametrize(
    ("web", "is_warned"),
    [
        ({}, False),
        ({"host": "0.0.0.0"}, True),
        ({"session_secret": LONG}, True),
        ({"trusted_proxies": ["10.0.0.0/8"]}, True),
        ({"host": "0.0.0.0", "public_url": "https://sms.example.com"}, False),
        ({"host": "0.0.0.0", "public_url": "http://sms.example.com"}, True),
        ({"public_url": "http://localhost:8000"}, False),
    ],
)
def test_a_web_process_that_others_reach_without_https_is_warned_of(
    web: dict[str, Any],
    is_warned: bool,  # noqa: FBT001 - what the law says
) -> None:
    assert ("web.public_url" in warnings({"web": web})) is is_warned


@pytest.mark.parametrize(
    "written",
    [
        '[accounts.a]\npassword = "hunter2"',
        'database_url = "mysql+pymysql://u:hunter2@db/x"\n[accounts.a]\npassword = { env = "PW" }',
        f'callback_secrets = ["{LONG}"]\n[accounts.a]\npassword = {{ env = "PW" }}',
    ],
)
@pytest.mark.parametrize(("mode", "is_warned"), [(0o644, True), (0o640, False), (0o600, False)])
def test_a_configuration_with_a_secret_that_all_may_read_is_warned_of(
    tmp_path: Path,
    written: str,
    mode: int,
    is_warned: bool,  # noqa: FBT001 - what the law says
) -> None:
    file = tmp_path / "xinshi.toml"
    file.write_text(f'{written}\ngateway = "c123"\nuid = "1"\nbase_url = "https://x.example"\n')
    file.chmod(mode)
    made = settings.load(file, {"PW": "hunter2"})
    checks = list(secrecy_checks.run_checks(made))
    assert [check.subject for check in checks] == ([str(file)] if is_warned else [])
    assert "hunter2" not in str(checks)


def test_a_file_of_a_secret_that_all_may_read_is_warned_of_and_one_without_any_is_not(
    tmp_path: Path,
) -> None:
    secret, file = tmp_path / "bulk", tmp_path / "xinshi.toml"
    secret.write_text("hunter2")
    file.write_text(
        '[accounts.a]\ngateway = "c123"\nuid = "1"\nbase_url = "https://x.example"\n'
        'password = { file = "bulk" }\n'
    )
    for path in (file, secret):
        path.chmod(0o644)
    made = settings.load(file, {})
    assert [check.subject for check in secrecy_checks.run_checks(made)] == [str(secret)]
    secret.chmod(0o600)
    assert list(secrecy_checks.run_checks(made)) == []


def test_a_warning_is_shown_and_is_no_failure(place: Place) -> None:
    """Whoever watches the doctor's exit code is not woken for a gateway that has no TLS."""
    (place.folder / "xinshi.toml").chmod(0o644)
    found = place.data("doctor", code=1)
    (warned,) = [row for row in found if row["what"].endswith("xinshi.toml")]
    assert warned["ok"]
    assert "chmod 600" in warned["advice"]
    assert "warning" in place.done("doctor", code=1)
