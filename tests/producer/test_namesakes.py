"""An application that has a `worker` of its own is told which file is in the way."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import producer

ROOT = Path(producer.__file__).parent.parent


def run(folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, with our packages behind it in the path."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text("from producer import enqueue\nprint('well')\n", "utf-8")
    return tmp_path


def write(shop: Path, name: str, text: str = "") -> Path:
    path = shop / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("name", ["worker.py", "worker/__init__.py"])
def test_the_file_in_the_way_is_named_with_what_to_do(shop: Path, name: str) -> None:
    path = write(shop, name)
    for words in (["app.py"], ["-m", "producer.cli", "doctor"], ["-c", "import producer.web"]):
        ended = run(shop, *words)
        assert ended.returncode
        last = ended.stderr.strip().splitlines()[-1]
        assert last.startswith(f"ImportError: {path} is called worker"), ended.stderr
        assert "rename it" in last


def test_it_goes_on_where_nothing_looks_into_the_current_directory(shop: Path) -> None:
    write(shop, "worker.py")
    ended = run(shop, "-c", "from producer import enqueue; print('well')", PYTHONSAFEPATH="1")
    assert ended.stdout == "well\n"


def test_a_folder_without_modules_is_in_nobody_s_way(shop: Path) -> None:
    """Python prefers our package to a namespace of that name."""
    write(shop, "worker/notes.txt")
    assert run(shop, "app.py").stdout == "well\n"


def test_celery_that_has_loaded_the_shop_s_worker_is_told(shop: Path) -> None:
    """Celery puts the current directory into the path by itself."""
    path = write(
        shop,
        "worker.py",
        "from celery import Celery\napp = Celery('shop', broker='memory://')\n"
        "from producer import enqueue\n",
    )
    ended = run(shop, "-m", "celery", "-A", "worker", "report", PYTHONSAFEPATH="1")
    assert ended.returncode
    assert f"{path} is called worker" in ended.stderr + ended.stdout


def test_python_itself_names_a_producer_in_the_way(shop: Path) -> None:
    path = write(shop, "producer.py")
    ended = run(shop, "app.py")
    assert str(path) in ended.stderr.splitlines()[-1]
