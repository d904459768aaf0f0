"""`xinshi init`: the first configuration is one that loads once its gaps are filled."""

import re
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest
from typer.testing import CliRunner

from producer.cli.app import app
from worker.config import settings
from worker.gateways.registry import gateway_classes


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path) -> Iterator[None]:
    with chdir(tmp_path):
        yield


@pytest.mark.parametrize("gateway", gateway_classes())
def test_what_it_writes_loads_once_its_gaps_are_filled(
    gateway: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = CliRunner().invoke(app, ["init", gateway])
    assert result.exit_code == 0, result.output
    assert "xinshi up" in result.stdout
    file = tmp_path / "xinshi.toml"
    text = file.read_text("utf-8")
    filled = re.sub(r'base_url = "…"', 'base_url = "https://sms.example.com"', text)
    file.write_text(filled.replace("…", "13800138000"), "utf-8")
    for variable in re.findall(r"export (\w+)=", result.stdout):
        monkeypatch.setenv(variable, "a secret")
    assert list(settings.load().accounts) == ["main"]


def test_a_file_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "xinshi.toml").write_text("mine", "utf-8")
    result = CliRunner().invoke(app, ["init", next(iter(gateway_classes()))])
    assert result.exit_code == 2
    assert (tmp_path / "xinshi.toml").read_text("utf-8") == "mine"


@pytest.mark.parametrize("words", [(), ("nobody",)])
def test_without_a_gateway_all_are_named(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, ["init", *words])
    assert result.exit_code == 2
    assert all(name in result.stderr for name in gateway_classes())
