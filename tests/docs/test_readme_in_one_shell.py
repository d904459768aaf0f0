"""The README's commands from top to bottom in one shell, as somebody would who types them."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import documents
from tests.support.stage import LOGINS
from worker.sandbox import Sandbox

pytestmark = pytest.mark.slow

README = documents.read("README.md")
#: What no shell of a test does: it installs, runs the suites, or runs what `xinshi up` runs.
LEFT_OUT = re.compile(r"^(python3 dev\.py|pip install|celery |xinshi web$|xinshi up$)")
#: Acts on an unknown submission, of which there is none.
WITHOUT_CASE = re.compile(r"^xinshi settle (submitted|not-sent|resend) 17 ")
START = """
xinshi up & UP=$!
trap 'kill -INT $UP; wait $UP' EXIT
for _ in $(seq 100); do
  curl -sf "http://127.0.0.1:$PORT/healthz" > /dev/null && break; sleep 0.2
done
"""
#: Takes a campaign's id out of what `create --json` printed.
ID = "grep -m1 -o '\"id\": [0-9]*' | cut -d' ' -f2"


def commands() -> list[str]:
    """Return the commands of all blocks, each in a line."""
    blocks = [block.text for block in documents.blocks(README) if block.language == "sh"]
    return "\n".join(blocks).replace("\\\n", " ").splitlines()


def script(port: int) -> str:
    """Return what is typed, with the ids that were printed in the place of those it shows."""
    lines = ["set -euo pipefail"]
    for command in commands():
        line = command.replace("127.0.0.1:8026", f"127.0.0.1:{port}")
        line = line.replace("the key from your console", LOGINS["codes"]["api_key"])
        if command == "xinshi up":
            lines.append(START)
        elif LEFT_OUT.match(command):
            continue
        elif WITHOUT_CASE.match(command):
            lines.append(f"{line} && exit 9 || true")
        elif command == "xinshi key create shop":
            lines.append(f"export XINSHI_KEY=$({command}) XINSHI_URL=http://127.0.0.1:{port}")
        elif command.startswith("xinshi campaign create"):
            lines.append(f"CAMPAIGN=$({command} --json | {ID})")
        elif command.startswith("xinshi campaign pause"):
            # By then it may be done.
            lines.append(f"{numbered(line)} || true")
        else:
            lines.append(numbered(line))
        lines.append(f"echo 'done: {command.split(' --')[0]}'")
    return "\n".join(lines)


def numbered(line: str) -> str:
    return re.sub(r"^(xinshi campaign \w+) 1\b", r"\1 $CAMPAIGN", line)


def only(language: str) -> str:
    (block,) = [block.text for block in documents.blocks(README) if block.language == language]
    return block


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_from_top_to_bottom(sandbox: Sandbox, tmp_path: Path) -> None:
    port = free_port()
    lines = [
        'callback_secrets = ["a secret of more than twenty letters"]',
        only("toml").replace("C12345678", LOGINS["codes"]["account"]),
        f'base_url = "{sandbox.url("ihuyi")}"',
        'classes = ["otp", "notice"]',
        "[accounts.offers]",
        'gateway = "jzyyun"',
        f'base_url = "{sandbox.url("jzyyun")}"',
        *(f'{name} = "{LOGINS["jzy"][name]}"' for name in ("username", "password")),
        'sending_hours = "any"',
        "[web]",
        f"port = {port}",
    ]
    (tmp_path / "xinshi.toml").write_text("\n".join(lines), "utf-8")
    (tmp_path / "customers.csv").write_text(only("csv"), "utf-8")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("XINSHI_")
    }
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    ended = subprocess.run(
        ["bash", "-c", script(port)],
        cwd=tmp_path,
        env=environment | {"PATH": path, "PORT": str(port)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert ended.returncode == 0, f"{ended.stdout[-3000:]}\n{ended.stderr[-3000:]}"
    taken = {(message.msisdn, message.text) for message in sandbox.taken()}
    assert ("13800138000", "【信使】小明，春装上新，回T退订") in taken
    assert ("13800138000", "【信使】您的订单已发货") in taken
    assert any("验证码" in text for _, text in taken)
