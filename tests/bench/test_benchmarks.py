"""Each benchmark measures what it says: at a small size it runs, and proves its own result."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench import kannel
from tests.bench.ground import ROOT
from tests.support import servers

pytestmark = pytest.mark.slow

#: A size at which each takes seconds; a campaign has to outlast the codes beside it.
SIZES = {
    "B1": "--rows=3000",
    "B2": "--rows=200",
    "B3": "--codes=8",
    "B3'": "--rows=20000",
    "B4": "--rows=50",
}


@pytest.mark.parametrize("name", SIZES)
def test_a_benchmark_checks_its_result_and_prints_its_ratio(name: str, tmp_path: Path) -> None:
    """It ends with 1 when a bar is missed, which says nothing at this size, and never otherwise."""
    servers.address("postgresql")
    if name == "B2" and kannel.missing():
        pytest.skip("there is no Kannel on this machine")
    written = tmp_path / "figures.json"
    words = (name, "--pairs=1", "--codes=8", SIZES[name], "--json", str(written))
    run = subprocess.run(
        [sys.executable, "-m", "tests.bench", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert run.returncode in {0, 1}, run.stderr[-2000:]
    found = json.loads(written.read_text("utf-8"))["figures"]
    assert found, run.stdout
    assert all(one["ratio"] > 0 for one in found)
    assert all(one["name"] == name for one in found)


def test_without_kannel_there_is_a_line_and_no_figure(tmp_path: Path) -> None:
    """A baseline that cannot run is said to be missing, not guessed."""
    bare = {"PATH": str(tmp_path)}
    script = (
        "from tests.bench import kannel, singles; kannel.FOLDERS = '';assert singles.b2(None) == []"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=bare,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "this machine has no bearerbox, smsbox" in run.stderr
