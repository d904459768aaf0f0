"""How an account gets out is read with the configuration: what is wrong there is said there."""

from pathlib import Path
from typing import Any

import pytest
import trustme

from producer.cli import environment_checks
from tests.support.stage import LOGINS
from worker.config import secret_places, settings
from worker.domain.errors import ConfigurationError
from worker.gateways.egress import DIRECT, Egress

HTTPS = {"base_url": "https://sms.example.com"}


def account(folder: Path, environ: dict[str, str] | None = None, **more: Any) -> Egress:
    """Return the way out of an account with some settings."""
    raw = {"accounts": {"v1": {**LOGINS["v1"], **HTTPS, **more}}}
    return settings.parse(raw, folder, environ or {}).accounts["v1"].settings.egress


def problem(folder: Path, **more: Any) -> str:
    """Return what is wrong with an account, with its key."""
    with pytest.raises(ConfigurationError) as refused:
        account(folder, **more)
    (fault,) = refused.value.problems
    return str(fault)


def authority(folder: Path) -> str:
    """Write an authority's certificate; return its name."""
    trustme.CA().cert_pem.write_to_path(folder / "ca.pem")
    return "ca.pem"


def test_accounts_that_set_nothing_share_a_way_out(tmp_path: Path) -> None:
    assert account(tmp_path) is DIRECT


@pytest.mark.parametrize("form", ["text", "file", "env"])
def test_a_proxy_is_a_secret_in_all_its_forms(tmp_path: Path, form: str) -> None:
    url = "http://me:p%40ss%3A@proxy.corp:3128"
    (tmp_path / "proxy").write_text(f"{url}\n")
    value: Any = {"text": url, "file": {"file": "proxy"}, "env": {"env": "PROXY"}}[form]
    egress = account(tmp_path, {"PROXY": url}, proxy=value)
    assert egress.proxy is not None
    assert (egress.proxy.host, egress.proxy.port) == ("proxy.corp", 3128)
    assert egress.proxy.authorization == b"Basic bWU6cEBzczo="
    shown = repr(egress) + repr(egress.proxy)
    assert "bWU6" not in shown
    assert "p%40ss" not in shown


def test_a_proxy_whose_variable_is_not_here_is_missed_by_who_calls_alone(tmp_path: Path) -> None:
    """As any other secret: a command that reads tables goes on."""
    raw = {"accounts": {"v1": {**LOGINS["v1"], **HTTPS, "proxy": {"env": "PROXY"}}}}
    made = settings.parse(raw, tmp_path, {})
    (missing,) = secret_places.missing_secrets(made)
    assert missing.where == "accounts.v1.proxy"
    with pytest.raises(ConfigurationError, match=r"accounts\.v1\.proxy"):
        _ = made.accounts["v1"].settings.egress


@pytest.mark.parametrize(
    "url",
    [
        "proxy.corp:3128",
        "http://me:secret@proxy.corp",
        "https://me:secret@proxy.corp:3128",
        "socks5://me:secret@proxy.corp:1080",
        "http://me:secret@proxy.corp:99999",
        "http://me:secret@proxy.corp:3128/path",
        "http://me:secret@proxy.corp:3128/?secret",
        "http://m%3Ae:secret@proxy.corp:3128",
        "http://me:secret%0d%0aX@proxy.corp:3128",
        "http://me:secret@proxy corp:3128",
        "http://:3128",
        "",
    ],
)
def test_a_proxy_that_is_none_is_refused_and_not_repeated(tmp_path: Path, url: str) -> None:
    words = problem(tmp_path, proxy=url)
    assert words.startswith("accounts.v1.proxy: ")
    assert "secret" not in words


def test_a_proxy_with_a_password_makes_the_file_one_with_secrets(tmp_path: Path) -> None:
    file = tmp_path / "xinshi.toml"
    url = "http://me:hunter2@proxy.corp:3128"
    file.write_text(
        f'[accounts.v1]\ngateway = "apiv1"\nbase_url = "https://x.example"\naccount = "a"\n'
        f'password = {{ env = "P" }}\nproxy = "{url}"\n'
    )
    made = settings.load(file, {"P": "x"})
    assert secret_places.files_with_secrets(made) == [file]


def test_an_authority_s_file_is_read_with_the_configuration(tmp_path: Path) -> None:
    """It may be gone afterwards."""
    name = authority(tmp_path)
    made = account(tmp_path, ca_file=name, server_name="gw.example", tls_minimum="1.3")
    assert made.authorities == (tmp_path / name).read_text()
    assert (made.server_name, made.tls_minimum) == ("gw.example", "1.3")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file"),
        (b"", "holds no certificate"),
        (b"-----BEGIN PRIVATE KEY-----\nx\n", "holds no certificate"),
        (b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n", "cannot be read"),
        (b"\x30\x82\xff", "is not a text; convert it to PEM"),
    ],
)
def test_an_authority_s_file_that_is_none_is_refused(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_bytes(content)
    fault = problem(tmp_path, ca_file="ca.pem")
    assert fault.startswith("accounts.v1.ca_file: ")
    assert words in fault


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"server_name": "https://x"}, "accounts.v1.server_name: is a bare name"),
        ({"server_name": "ab:443"}, "accounts.v1.server_name: is a bare name"),
        ({"server_name": ""}, "accounts.v1.server_name: is a bare name"),
        ({"tls_minimum": "off"}, "accounts.v1.tls_minimum: must be 1.2 or 1.3"),
        ({"tls_minimum": "1.1"}, "accounts.v1.tls_minimum: must be 1.2 or 1.3"),
        ({"server_name": "x", "base_url": "http://x"}, "accounts.v1: server_name is about TLS"),
        ({"tls_minimum": "1.3", "base_url": "http://x"}, "accounts.v1: tls_minimum is about TLS"),
    ],
)
def test_what_says_nothing_about_tls_is_refused(
    tmp_path: Path, more: dict[str, str], words: str
) -> None:
    assert words in problem(tmp_path, **more)


def warned_of(folder: Path, environ: dict[str, str], **more: Any) -> list[str]:
    """Return the variables that the doctor warns of."""
    made = settings.parse({"accounts": {"v1": {**LOGINS["v1"], **HTTPS, **more}}}, folder, {})
    checks = list(environment_checks.run_checks(made, environ))
    assert all(check.is_warning and check.advice for check in checks)
    assert "secret" not in "".join(f"{check.problem}{check.advice}" for check in checks)
    return [check.subject for check in checks]


def test_the_doctor_says_what_of_the_environment_is_not_used(tmp_path: Path) -> None:
    url = "http://me:secret@proxy.corp:3128"
    environ = {"https_proxy": url, "ALL_PROXY": url, "SSL_CERT_FILE": "/ca.pem", "HTTP_PROXY": ""}
    assert warned_of(tmp_path, environ) == ["ALL_PROXY", "SSL_CERT_FILE", "https_proxy"]
    assert warned_of(tmp_path, environ, proxy=url) == ["SSL_CERT_FILE"]
    own = {"proxy": url, "ca_file": authority(tmp_path)}
    assert warned_of(tmp_path, environ, **own) == []
    assert warned_of(tmp_path, {"no_proxy": "*", "PATH": "/bin"}) == []
