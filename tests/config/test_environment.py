"""The environment: others write there too; a slip is an error, a stranger a warning."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from producer import ConfigurationError, Producer
from tests.support import service_links
from worker.config import settings
from worker.config.web_settings import WebSettings

FILE = """
database_url = "sqlite:///xinshi.db"
[accounts.bulk]
gateway = "c123"
uid = "1"
password = "a"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "xinshi.toml"
    path.write_text(FILE, "utf-8")
    return path


def warnings(file: Path, **environ: str) -> list[str]:
    return list(map(str, settings.load(file, environ).warnings))


def faults(file: Path, **environ: str) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        settings.load(file, environ)
    return list(map(str, refused.value.problems))


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("XINSHI_LOGLEVEL", "XINSHI_LOG_LEVEL"),
        ("XINSHI_DATABASE_URI", "XINSHI_DATABASE_URL"),
        ("XINSHI_WEB_PORT", "XINSHI_WEB__PORT"),
        ("XINSHI_ACCOUNTS_BULK_PASSWORD", "XINSHI_ACCOUNTS__BULK__PASSWORD"),
    ],
)
def test_a_slip_is_an_error_that_names_the_variable(file: Path, variable: str, meant: str) -> None:
    (fault,) = faults(file, **{variable: "8080"})
    assert fault == f"{variable} (environment): is no setting; did you mean {meant}?"


@pytest.mark.parametrize(
    "variable", ["XINSHI_HOME", "XINSHI_IMAGE_TAG", "XINSHI_REPLICAS", "XINSHI_FOO__BAR"]
)
def test_a_stranger_is_a_warning_that_names_it(file: Path, variable: str) -> None:
    (warning,) = warnings(file, **{variable: "hunter2"})
    assert warning.startswith(f"{variable} (environment): is no setting, and is not read")
    assert "hunter2" not in warning


def test_what_clients_and_tests_are_told_is_no_matter_of_ours(file: Path) -> None:
    clients = {"XINSHI_KEY": "xinshi_live_x", "XINSHI_URL": "http://127.0.0.1:8000"}
    assert warnings(file, **clients, XINSHI_TEST_REDIS="redis://x", XINSHI_CONFIG="x") == []


def test_a_wrong_value_names_the_variable_that_holds_it(file: Path) -> None:
    found = faults(
        file,
        XINSHI_LOOK_EVERY="soon",
        XINSHI_WEB__NOPE="1",
        XINSHI_ACCOUNTS__BULK__TIMEOUT="1h",
        XINSHI_LOGLEVEL="INFO",
    )
    assert {fault.partition(":")[0] for fault in found} == {
        "XINSHI_LOOK_EVERY (environment)",
        "XINSHI_WEB__NOPE (environment)",
        "XINSHI_ACCOUNTS__BULK__TIMEOUT (environment)",
        "XINSHI_LOGLEVEL (environment)",
    }


def test_a_text_where_a_table_has_to_be_is_a_fault_and_no_defect(file: Path) -> None:
    assert any(
        "XINSHI_WEB " in fault for fault in faults(file, XINSHI_WEB="1", XINSHI_WEB__PORT="2")
    )


def test_the_file_stays_strict(file: Path) -> None:
    file.write_text(f'home = "/srv"\n{FILE}', "utf-8")
    assert any(fault.startswith("home: is unknown") for fault in faults(file))


@pytest.mark.parametrize(
    "links",
    [
        service_links.of_manifests(),
        service_links.of_service("xinshi", http=80),
        service_links.of_service("xinshi-web", http=80, metrics=9100),
        service_links.of_service("xinshi-log-level", http=80),
        # Docker's links name no host.
        {"XINSHI_WEB_PORT": "tcp://172.17.0.2:80", "XINSHI_WEB_PORT_80_TCP_ADDR": "172.17.0.2"},
        {"XINSHI_PORT": "udp://172.17.0.2:53", "XINSHI_PORT_53_UDP_PROTO": "udp"},
    ],
)
def test_links_to_services_are_one_warning(file: Path, links: dict[str, str]) -> None:
    (warning,) = warnings(file, **links)
    assert "Kubernetes" in warning
    assert "enableServiceLinks" in warning


def test_our_manifests_have_a_service_whose_links_are_like_settings() -> None:
    assert "XINSHI_WEB_PORT" in service_links.of_manifests()


def test_a_setting_beside_links_is_read(file: Path) -> None:
    links = service_links.of_service("xinshi-web", http=80)
    made = settings.load(file, {**links, "XINSHI_WEB__PORT": "8123"})
    assert made.top.web.port == 8123
    assert len(made.warnings) == 1


def test_an_environment_of_strangers_alone_is_no_configuration(tmp_path: Path) -> None:
    (fault,) = faults_without_file(tmp_path, XINSHI_HOME="/", XINSHI_KEY="x")
    assert "no such file" in fault
    (fault,) = faults_without_file(tmp_path, XINSHI_LOGLEVEL="INFO")
    assert "did you mean XINSHI_LOG_LEVEL?" in fault


def faults_without_file(folder: Path, **environ: str) -> list[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        with pytest.raises(ConfigurationError) as refused:
            settings.load(None, environ)
    return list(map(str, refused.value.problems))


def test_python_is_warned_and_goes_on(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in {**service_links.of_manifests(), "XINSHI_HOME": "/"}.items():
        monkeypatch.setenv(variable, value)
    with capture_logs() as logged:
        producer = Producer.from_file(file)
    assert [entry["event"] for entry in logged] == ["environment.not_read"] * 2
    assert producer.settings.top.web.port == WebSettings().port
