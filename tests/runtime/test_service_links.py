"""Every process goes on in a pod that Kubernetes gave its links to our own Services."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import service_links
from tests.support.faults.forked_processes import end_with_parent
from tests.support.stage import eventually
from tests.support.worker_processes import ROOT, OwnRedis, own_redis

pytestmark = pytest.mark.slow

#: Each process of the manifests: its command, and what it says when it runs.
RUNNING = {
    "worker": (
        ["celery", "-A", "worker", "worker", "-Q", "otp", "--pool", "solo"],
        "worker.started",
    ),
    "beat": (["celery", "-A", "worker", "beat"], "environment.not_read"),
    "web": (["producer.cli", "web", "--port", "0"], "web.listening"),
}


class Pod:
    """A folder with a configuration, and the environment that Kubernetes would make."""

    def __init__(self, folder: Path, broker: OwnRedis) -> None:
        self.folder = folder
        (folder / "xinshi.toml").write_text(
            f'database_url = "sqlite:///xinshi.db"\nbroker_url = "{broker.url}"\n', "utf-8"
        )
        self.environ = {
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": str(ROOT),
            "XINSHI_KEY": "xinshi_live_x",
            **service_links.of_manifests(),
            **service_links.of_service("xinshi", http=80),
        }

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a module with arguments; it writes to `log`."""
        with self.log.open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-m", *words],
                cwd=self.folder,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=end_with_parent,  # noqa: PLW1509 - it calls prctl and nothing else
            )

    @property
    def log(self) -> Path:
        """What it wrote."""
        return self.folder / "log"

    def said(self, words: str) -> bool:
        """Tell whether it wrote something."""
        return words in self.log.read_text("utf-8")


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Pod]:
    with own_redis(tmp_path) as broker:
        yield Pod(tmp_path, broker)


@pytest.mark.parametrize("name", RUNNING)
def test_a_process_runs_and_says_once_what_it_does_not_read(pod: Pod, name: str) -> None:
    assert pod.start("producer.cli", "migrate").wait(30) == 0, pod.log.read_text("utf-8")
    command, running = RUNNING[name]
    process = pod.start(*command)
    eventually(lambda: pod.said(running) or process.poll() is not None)
    assert process.poll() is None, pod.log.read_text("utf-8")
    process.kill()
    process.wait(10)
    printed = pod.log.read_text("utf-8")
    assert printed.count("enableServiceLinks") == 1, printed
    assert "Traceback" not in printed


@pytest.mark.parametrize("command", ["migrate", "messages"])
def test_a_command_is_done_and_says_once_what_it_does_not_read(pod: Pod, command: str) -> None:
    assert pod.start("producer.cli", "migrate").wait(30) == 0
    assert pod.start("producer.cli", command).wait(30) == 0
    assert pod.log.read_text("utf-8").count("enableServiceLinks") == 1


def test_doctor_finds_the_configuration_well(pod: Pod) -> None:
    assert pod.start("producer.cli", "migrate").wait(30) == 0
    pod.start("producer.cli", "doctor", "--json").wait(30)
    printed = pod.log.read_text("utf-8")
    checks = json.loads(printed[printed.index("[\n") :])
    assert {"what": "configuration", "ok": True, "problem": None, "advice": None} in checks
    assert printed.count("enableServiceLinks") == 1
