"""The Procfile as honcho starts it: all that it names runs, a text goes out, TERM ends it."""

import json
import os
import signal
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stage import LOGINS, eventually
from tests.support.worker_processes import ROOT, OwnRedis, own_redis
from worker.sandbox import Sandbox

pytestmark = pytest.mark.slow

PACKAGE = "honcho==2.0.0"
PROCESSES = ("worker_otp", "worker_notice", "worker_marketing", "beat", "web")


@pytest.fixture(scope="session")
def honcho(request: pytest.FixtureRequest) -> Path:
    """The runner in an environment of its own, kept from run to run; skipped where pip cannot."""
    folder = Path(request.config.cache.mkdir("honcho"))
    stamp = folder / "installed"
    if not stamp.exists() or stamp.read_text() != PACKAGE:
        venv.create(folder, with_pip=True, clear=True)
        command = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", PACKAGE]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
        if ended.returncode:
            pytest.skip(f"honcho cannot be installed: {ended.stderr[-200:]}")
        stamp.write_text(PACKAGE)
    return folder / "bin/honcho"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[OwnRedis]:
    folder = tmp_path / "redis"
    folder.mkdir()
    with own_redis(folder) as server:
        yield server


def test_what_it_names_runs_and_ends(
    honcho: Path, broker: OwnRedis, sandbox: Sandbox, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    lines = [
        'database_url = "sqlite:///xinshi.db"',
        f'broker_url = "{broker.url}"',
        "[web]",
        "port = 0",
        "[accounts.codes]",
        f'base_url = "{sandbox.url("ihuyi")}"',
        *(f'{name} = "{value}"' for name, value in LOGINS["codes"].items()),
    ]
    (home / "xinshi.toml").write_text("\n".join(lines), "utf-8")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("XINSHI_")
    } | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

    def xinshi(*words: str) -> str:
        command = [sys.executable, "-m", "producer.cli", *words]
        ended = subprocess.run(
            command, cwd=home, env=environment, check=True, capture_output=True, text=True
        )
        return str(ended.stdout)

    xinshi("migrate")
    log = tmp_path / "honcho.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [honcho, "--procfile", ROOT / "Procfile", "--app-root", home, "start", "--no-colour"],
            cwd=home,
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        eventually(lambda: log.read_text().count("worker.started") == 3, within=60)
        eventually(lambda: "web.listening" in log.read_text(), within=60)
        text = "您的验证码是：1234。请不要把验证码泄露给其他人。"
        xinshi("send", "--to", "13800138000", "--text", text, "--class", "otp")

        def states() -> list[str]:
            return [message["state"] for message in json.loads(xinshi("messages", "--json"))]

        eventually(lambda: states() in (["submitted"], ["delivered"]), within=60, every=0.5)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
    said = log.read_text()
    assert all(f"{name}.1" in said or name in said for name in PROCESSES)
    assert said.count('"clean": true') == 3
    assert [message.msisdn for message in sandbox.taken()] == ["13800138000"]
