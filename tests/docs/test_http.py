"""docs/http.md: what it tells a shell to do works, in its order and with the key that it makes."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import documents
from tests.web.conftest import Served, accounts, kind, served, web

__all__ = ["accounts", "kind", "served", "web"]

PAGE = documents.read("docs/http.md")
SHELL = [block.text for block in documents.blocks(PAGE) if block.language == "sh"]
#: A call that is refused ends the shell.
STRICT = 'set -e\ncurl() { command curl --silent --show-error --fail-with-body "$@"; echo; }\n'


def test_its_calls_work_with_the_key_that_it_makes(served: Served, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("there is no curl on the PATH")
    calls = [text for text in SHELL if "curl" in text]
    assert "key create" in calls[0]
    assert any("/v1/campaigns" in text for text in calls)
    script = STRICT + re.sub(r"http://127\.0\.0\.1:\d+", served.url, "\n".join(calls))
    database_url = served.stage.settings.database_url
    (tmp_path / "xinshi.toml").write_text(f"database_url = {database_url!r}\n", "utf-8")
    (tmp_path / "customers.csv").write_text("to,name\n13800138000,小明\n", "utf-8")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={"PATH": path, "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
