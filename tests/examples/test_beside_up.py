"""Each example runs beside `xinshi up` as its README says, and what it orders is sent."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from tests.support.stage import eventually
from worker.config.web_settings import WebSettings
from worker.sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
#: The ports that Django, uvicorn and gunicorn, and Flask take unless they are told another.
FRAMEWORK_PORTS = {8000, 5000}
#: How each is started, on a port.
STARTS = {
    "django": ("python", "manage.py", "runserver", "--noreload", "{port}"),
    "flask": ("python", "-m", "flask", "run", "--port", "{port}"),
    "fastapi": ("python", "-m", "uvicorn", "app:app", "--port", "{port}"),
}


def test_the_default_port_is_none_of_the_frameworks() -> None:
    assert WebSettings().port not in FRAMEWORK_PORTS


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def running(folder: Path, words: Sequence[str]) -> Iterator[None]:
    """Run a program of this environment in a folder until the block ends."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("XINSHI_")
    }
    with (folder / f"{words[0]}.log").open("wb") as log:
        process = subprocess.Popen(
            [BIN / words[0], *words[1:]], cwd=folder, env=environment, stdout=log, stderr=log
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=30)


def xinshi(folder: Path, *words: str) -> str:
    """Run a command of Xinshi's in a folder."""
    command = [BIN / "xinshi", *words]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def order(port: int, number: str) -> bool:
    """Order something, once the shop answers."""
    body = urlencode({"number": number, "item": "tea"}).encode()
    try:
        with urlopen(f"http://127.0.0.1:{port}/orders", body, timeout=5) as answer:
            return bool(answer.status < 300)
    except URLError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("framework", STARTS)
def test_what_is_ordered_is_sent(framework: str, sandbox: Sandbox, tmp_path: Path) -> None:
    folder = tmp_path / framework
    shutil.copytree(
        ROOT / "examples" / framework, folder, ignore=shutil.ignore_patterns("*.db*", "__py*")
    )
    configuration = (folder / "xinshi.toml").read_text("utf-8")
    at_sandbox = configuration.replace("http://127.0.0.1:8025/apiv1", sandbox.url("apiv1"))
    assert at_sandbox != configuration
    (folder / "xinshi.toml").write_text(at_sandbox, "utf-8")
    xinshi(folder, "migrate")
    if framework == "django":
        subprocess.run([BIN / "python", "manage.py", "migrate"], cwd=folder, check=True)
    port = free_port()
    shop = [word.format(port=port) for word in STARTS[framework]]
    with running(folder, ["xinshi", "up", "--web-port", "0"]), running(folder, shop):
        eventually(lambda: order(port, "13800138000"), within=30, every=0.2)

        def states() -> list[str]:
            return [
                message["state"] for message in json.loads(xinshi(folder, "messages", "--json"))
            ]

        eventually(lambda: states() == ["delivered"], within=60, every=0.5)
    assert [message.msisdn for message in sandbox.taken()] == ["13800138000"]
