"""The artefacts: the same twice, and the README works with what a stranger installs."""

import hashlib
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.support import documents

pytestmark = pytest.mark.slow

README = documents.read("README.md")


def only(language: str) -> str:
    (block,) = [block.text for block in documents.blocks(README) if block.language == language]
    return block


def build(target: Path) -> dict[str, str]:
    """Build all artefacts; return their names and digests."""
    command = [sys.executable, documents.ROOT / "dev.py", "build", target]
    subprocess.run(command, check=True, capture_output=True)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in target.iterdir()}


@pytest.fixture(scope="module")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (documents.ROOT / ".git").exists():
        pytest.skip("what is built is what is committed: that needs a clone")
    folder = tmp_path_factory.mktemp("artefacts")
    first, second = build(folder / "first"), build(folder / "second")
    assert len(first) == 3
    assert first == second
    return folder / "first"


@pytest.fixture(scope="module")
def installed(artefacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty environment with the wheel and the locked dependencies; its folder of commands."""
    home = tmp_path_factory.mktemp("installed")
    venv.create(home, with_pip=True)
    pip = [home / "bin" / "python", "-m", "pip", "install", "--quiet"]
    lock = documents.ROOT / "requirements.lock"
    (wheel,) = artefacts.glob("*.whl")
    for words in (["--require-hashes", "--requirement", lock], ["--no-deps", wheel]):
        subprocess.run([*pip, *words], check=True, capture_output=True)
    return home / "bin"


def run(bin_folder: Path, folder: Path, *words: str) -> str:
    """Run a command of the environment, with nothing of this one's around it."""
    environment = {
        "PATH": f"{bin_folder}:/usr/bin:/bin",
        "HOME": str(folder),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "IHUYI_API_KEY": "0" * 32,
    }
    ended = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, (words, ended.stdout, ended.stderr)
    return ended.stdout


def test_the_wheel_goes_through_the_readme(installed: Path, tmp_path: Path) -> None:
    """The configuration, the commands and the programs that it shows, in its order."""
    (tmp_path / "xinshi.toml").write_text(only("toml"), "utf-8")
    (tmp_path / "customers.csv").write_text(only("csv"), "utf-8")
    run(installed, tmp_path, "xinshi", "migrate")
    text = "您的验证码是：1234。请不要把验证码泄露给其他人。"
    sending = ("xinshi", "send", "--to", "13800138000", "--text", text, "--class", "otp", "--json")
    sent = json.loads(run(installed, tmp_path, *sending))
    (message,) = sent["messages"]
    assert message["state"] == "queued"
    assert message["id"] in run(installed, tmp_path, "xinshi", "show", message["id"])
    programs = [
        block.text
        for block in documents.blocks(README)
        if block.language == "python" and block.text[:1] != " "
    ]
    for program in programs:
        run(installed, tmp_path, "python", "-c", program)
    states = json.loads(run(installed, tmp_path, "xinshi", "messages", "--json"))
    assert {one["state"] for one in states} == {"queued"}


def test_an_application_that_only_enqueues_needs_no_extras(artefacts: Path, tmp_path: Path) -> None:
    """The wheel asks for no command line, no web framework and no migrations."""
    home = tmp_path / "home"
    venv.create(home, with_pip=True)
    pip = [home / "bin" / "python", "-m", "pip", "install", "--quiet"]
    (wheel,) = artefacts.glob("*.whl")
    constraints = tmp_path / "constraints.txt"
    pins = [
        line.split(" ")[0]
        for line in documents.read("requirements.lock").splitlines()
        if "==" in line and line[0] not in " #"
    ]
    constraints.write_text("\n".join(pins))
    subprocess.run([*pip, "--constraint", constraints, wheel], check=True, capture_output=True)
    listed = run(home / "bin", tmp_path, "python", "-m", "pip", "list", "--format=json")
    names = {one["name"].lower() for one in json.loads(listed)}
    assert "xinshi" in names
    assert not names & {"typer", "rich", "fastapi", "uvicorn", "alembic", "jinja2"}
    run(home / "bin", tmp_path, "python", "-c", "from producer import enqueue, get, ring")
