"""A client that is generated from our description sends, lists, uploads and verifies callbacks."""

import json
import os
import subprocess
import venv
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.feedback.test_callbacks import ALLOWED, Application, application
from tests.support.stage import TEXT, eventually
from tests.web.conftest import Served
from worker.feedback import callback_signatures
from worker.store.db import database
from worker.store.feedback import callbacks

#: What an integrator installs; the releases that this was written against.
PACKAGES = ("openapi-python-client==0.29.1", "standardwebhooks==1.1.0")
SCRIPT = Path(__file__).with_name("generated_client.py")


@pytest.fixture(scope="session")
def tools(request: pytest.FixtureRequest) -> Path:
    """An environment with the generator, kept from run to run; skipped where pip cannot make it."""
    folder = Path(request.config.cache.mkdir("generated-client-tools"))
    stamp = folder / "installed"
    if not stamp.exists() or stamp.read_text() != " ".join(PACKAGES):
        venv.create(folder, with_pip=True, clear=True)
        command = [folder / "bin/python", "-m", "pip", "install", "--quiet", *PACKAGES]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
        if done.returncode:
            pytest.skip(f"openapi-python-client cannot be installed: {done.stderr[-200:]}")
        stamp.write_text(" ".join(PACKAGES))
    return folder


def generate(tools: Path, served: Served, folder: Path) -> None:
    """Make the package `xinshi_client` in a folder, of what the server describes."""
    description = folder / "openapi.json"
    description.write_bytes(served.client().get("/openapi.json").content)
    done = subprocess.run(
        [
            *(tools / "bin/openapi-python-client", "generate", "--fail-on-warning"),
            *("--path", description, "--meta", "none"),
            *("--output-path", folder / "xinshi_client"),
        ],
        env={"PATH": f"{tools / 'bin'}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    models = {path.stem for path in (folder / "xinshi_client/models").glob("*.py")}
    assert not {name for name in models if "type_" in name or name.endswith(("_input", "_output"))}


def told_lines(served: Served, app: Application) -> list[str]:
    """Return what the receiver was told, a line each, as the script reads it."""
    with database.reading(served.stage.engine) as connection:
        (callback,) = callbacks.list_callbacks(connection)
    secret = callback_signatures.derive_secret(str(ALLOWED["callback_secrets"][0]), callback.id)
    return [
        json.dumps({"secret": secret, "headers": headers, "body": body.decode()})
        for headers, body in app.got
    ]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_generated_client_works(tools: Path, served: Served, tmp_path: Path) -> None:
    generate(tools, served, tmp_path)
    (tmp_path / "customers.csv").write_text("to,name\n13800138000,小明\n13900000000,小红\n")
    script = subprocess.Popen(
        [tools / "bin/python", SCRIPT, served.url, served.key(), tmp_path / "customers.csv"],
        env={"PYTHONPATH": str(tmp_path), "PATH": os.environ["PATH"]},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert script.stdout is not None
    facts = script.stdout.readline()
    served.stage.configure("v1", **ALLOWED)
    with application() as app, served.stage.working():
        served.stage.enqueue("13700000000", TEXT, callback_url=app.url)
        eventually(lambda: app.states() == {"delivered": 1})
        lines = told_lines(served, app)
    verified, _ = script.communicate("\n".join(lines), timeout=60)
    assert script.returncode == 0
    assert json.loads(facts) == {
        "messages": 1,
        "refused": "to",
        "listed": True,
        "year": datetime.now(UTC).year,
        "metadata": {"order": "1001"},
        "total": 2,
    }
    assert {number for line in verified.splitlines() for number in json.loads(line)} == {
        "13700000000"
    }
