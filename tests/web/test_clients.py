"""The clients of `examples/http`: each sends once, however often it is run with the same key."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.web.conftest import Served

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "http"
CLIENTS = {
    "curl": ["sh", "send.sh"],
    "python": [sys.executable, "send.py"],
    "node": ["node", "send.mjs"],
    "java": ["java", "-Dfile.encoding=UTF-8", "Send.java"],
}
TEXT = "【信使】您的订单已发货"


def run(served: Served, client: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = CLIENTS[client]
    for program in (client if client == "curl" else command[0], command[0]):
        if shutil.which(program) is None:
            pytest.skip(f"there is no {program} on the PATH")
    environment = {
        "PATH": os.environ["PATH"],
        "LC_ALL": "C.UTF-8",
        "XINSHI_URL": served.url,
        "XINSHI_KEY": served.key(),
    }
    return subprocess.run(
        [*command, *words],
        cwd=FOLDER,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_sends_once_and_says_what_was_refused(served: Served, client: str) -> None:
    first = run(served, client, "13800138000", TEXT, "order-1001")
    assert first.returncode == 0, first.stderr
    found = re.search(r"\d+-0", first.stdout)
    assert found
    assert served.stage.message(found[0]).to == "13800138000"
    assert found[0] in run(served, client, "13800138000", TEXT, "order-1001").stdout
    refused = run(served, client, "13800138000", " ", "order-1002")
    assert refused.returncode != 0
    assert "is empty" in refused.stdout + refused.stderr


def test_every_client_is_run() -> None:
    written = {path.name for path in FOLDER.iterdir() if path.is_file()}
    assert written == {words[-1] for words in CLIENTS.values()}
