"""`xinshi up --sandbox`: texts without a gateway, and not beside accounts that reach people."""

import json
import re
import signal
import socket
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from producer.local import sandbox_setup
from tests.cli.test_up import XINSHI, clean_environment
from tests.support.faults.servers import free_port
from tests.support.stage import eventually
from worker.config.settings import Settings, parse
from worker.domain.enums import MessageClass
from worker.domain.errors import Refused
from worker.sandbox import configuration as sandbox_configuration
from worker.sandbox.exchange import TakenSubmission
from worker.sandbox.text_printer import text_line

TEXT = "【信使】您的订单已发货"
REAL = {"gateway": "c123", "uid": "1", "password": "1"}


def settings_of(raw: dict[str, Any]) -> Settings:
    return parse(raw, Path(), {})


def test_the_written_configuration_has_an_account_for_each_class_at_the_sandbox(
    tmp_path: Path,
) -> None:
    file = sandbox_setup.write_configuration(tmp_path)
    assert file is not None
    assert file.stat().st_mode & 0o777 == 0o600
    settings = settings_of(tomllib.loads(file.read_text("utf-8")))
    for message_class in MessageClass:
        accounts = settings.accounts.values()
        assert [account for account in accounts if account.settings.serves(message_class)]
    port = sandbox_setup.listening_port(settings, beside_real_accounts=False)
    assert port == sandbox_configuration.PORT
    assert sandbox_setup.write_configuration(tmp_path) is None


def test_a_sandbox_is_refused_beside_a_real_account_unless_it_is_meant() -> None:
    raw = tomllib.loads(sandbox_configuration.CONFIGURATION)
    raw["accounts"]["real"] = REAL
    with pytest.raises(Refused, match="real is no sandbox's"):
        sandbox_setup.listening_port(settings_of(raw), beside_real_accounts=False)
    port = sandbox_setup.listening_port(settings_of(raw), beside_real_accounts=True)
    assert port == sandbox_configuration.PORT


def at(base_url: str) -> Settings:
    return settings_of({"accounts": {"bulk": {**REAL, "base_url": base_url}}})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_gateway_s_path_on_this_machine_is_a_sandbox_s(host: str) -> None:
    settings = at(f"http://{host}:8025/c123")
    assert sandbox_setup.listening_port(settings, beside_real_accounts=False) == 8025


@pytest.mark.parametrize(
    "base_url",
    [
        "http://10.0.0.1:8025/c123",
        "http://127.0.0.1.example.com/c123",
        "http://127.0.0.1:3128/relay",
    ],
)
def test_every_other_address_may_reach_people(base_url: str) -> None:
    with pytest.raises(Refused, match="is no sandbox's"):
        sandbox_setup.listening_port(at(base_url), beside_real_accounts=False)


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"accounts": {"bulk": REAL}},
        {
            "accounts": {
                "a": {**REAL, "base_url": "http://127.0.0.1:1/c123"},
                "b": {**REAL, "base_url": "http://127.0.0.1:2/c123"},
            }
        },
    ],
    ids=["none", "none at a sandbox", "two ports"],
)
def test_where_it_has_to_listen_is_not_guessed(raw: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        sandbox_setup.listening_port(settings_of(raw), beside_real_accounts=True)


def test_a_printed_line_moves_no_cursor() -> None:
    submission = TakenSubmission(["13800138000"] * 5, "a\x1b[2Jb\nc\r", 1)
    line = text_line("apiv1", submission)
    assert line == f"[apiv1] to {', '.join(['13800138000'] * 3)} and 2 more: a\ufffd[2Jb ⏎ c\ufffd"
    assert line.isprintable()


def test_a_port_that_is_taken_is_told_before_anything_is_started() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Refused, match=f"port {port} is taken"):
            sandbox_setup.require_free(port)
    sandbox_setup.require_free(port)


@contextmanager
def running(folder: Path) -> Iterator[Path]:
    """Run `xinshi up --sandbox` in a folder until the block ends; lends the file of its output."""
    printed = folder / "printed.txt"
    with printed.open("wb") as output:
        process = subprocess.Popen(
            [*XINSHI, "up", "--sandbox", "--no-web"],
            cwd=folder,
            env=clean_environment() | {"PYTHONUTF8": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield printed
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=40)


@pytest.mark.slow
def test_in_an_empty_folder_texts_arrive_and_are_printed_where_it_runs(tmp_path: Path) -> None:
    port = free_port()
    text = sandbox_configuration.CONFIGURATION.replace(str(sandbox_configuration.PORT), str(port))
    (tmp_path / "xinshi.toml").write_text(text, "utf-8")
    with running(tmp_path) as printed:
        wait_for(printed, "Xinshi is up")
        done = subprocess.run(
            [*XINSHI, "send", "--to", "13800138000", "--text", TEXT, "--wait", "30", "--json"],
            cwd=tmp_path,
            env=clean_environment() | {"PYTHONUTF8": "1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        wait_for(printed, f"[jzyyun] to 13800138000: {TEXT}")
    logged = [line for line in printed.read_text("utf-8").splitlines() if line.startswith("{")]
    assert not any(TEXT in line for line in logged)
    assert json.loads(done.stdout)["messages"][0]["account"] == "notices"


@pytest.mark.slow
def test_beside_a_real_account_nothing_is_started(tmp_path: Path) -> None:
    lines = ["[accounts.bulk]", *(f"{name} = {json.dumps(value)}" for name, value in REAL.items())]
    (tmp_path / "xinshi.toml").write_text("\n".join(lines), "utf-8")
    done = subprocess.run(
        [*XINSHI, "up", "--sandbox"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "--beside-real-accounts" in re.sub(r"\s+", " ", done.stderr)


def wait_for(file: Path, words: str) -> None:
    """Wait until a file holds some words."""
    eventually(lambda: words in file.read_text("utf-8", "replace"), within=40, every=0.05)
