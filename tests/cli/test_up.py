"""`xinshi up` on one machine: it says how to look at it once it can be looked at, and stops."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import httpx
import pytest

from tests.support.metrics_ports import free_ports, scrape
from tests.support.stage import eventually

XINSHI = (sys.executable, "-m", "producer.cli")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    lines = [f'database_url = "sqlite:///{tmp_path}/xinshi.db"', 'broker_url = "embedded"']
    (tmp_path / "xinshi.toml").write_text("\n".join(lines), "utf-8")
    return tmp_path


@contextmanager
def running(home: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `xinshi up`, and give it with all that it said until it was up."""
    process = subprocess.Popen(
        [*XINSHI, "up", "--web-port", "0"],
        cwd=home,
        env=clean_environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if line.startswith("  pages"):
                break
        yield process, "".join(lines)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("XINSHI_")}


def test_what_it_says_last_is_where_it_can_be_looked_at_and_that_is_so(home: Path) -> None:
    with running(home) as (process, text):
        *log, first, accounts, api, pages = text.splitlines()
        assert first.startswith("Xinshi is up")
        assert "none: messages will wait" in accounts
        assert all(line.startswith("{") for line in log), "no banner, nothing that is not the log"
        (address,) = re.findall(r"http://[\d.:]+(?=/, )", pages)
        assert f"{address}/v1/" in api
        with urlopen(f"{address}/healthz", timeout=5) as answer:
            assert answer.status == 200
    assert process.returncode == 0


def test_each_of_its_processes_shows_its_metrics_on_the_next_port(home: Path) -> None:
    port = free_ports(4)
    with (home / "xinshi.toml").open("a", encoding="utf-8") as config:
        config.write(f"\nmetrics_port = {port}\n")
    with running(home):
        for nth in range(4):
            assert eventually(lambda nth=nth: shown(port + nth))


def shown(port: int) -> bool:
    try:
        return any(name == "xinshi_build_info" for name, _ in scrape(port))
    except httpx.HTTPError:
        return False


def test_a_second_in_the_same_place_never_says_that_it_is_up(home: Path) -> None:
    with running(home):
        second = subprocess.run(
            [*XINSHI, "up", "--web-port", "0"],
            cwd=home,
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert second.returncode == 1
    assert "another" in second.stderr
    assert "is up" not in second.stderr
