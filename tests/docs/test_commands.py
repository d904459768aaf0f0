"""Every command that a page or a deployment file shows exists, with the options that it shows."""

import importlib.util
import itertools
import re
import shlex
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support import documents
from worker.domain.enums import MessageClass
from worker.runtime.broker import TICKS_QUEUE

QUEUES = {*MessageClass, TICKS_QUEUE}
#: Pages of others are looked at as well.
PAGES = [str(path.relative_to(documents.ROOT)) for path in documents.pages()]


@cache
def tree() -> Any:
    """Return the command line as click sees it."""
    typer_main = pytest.importorskip("typer.main")
    from producer.cli.app import app

    return typer_main.get_command(app)


def check_xinshi(words: list[str], *, whole: bool) -> None:
    """Follow the words into the command tree; with `whole` the arguments have to be complete."""
    command, rest = tree(), words
    while rest and getattr(command, "commands", None):
        assert rest[0] in command.commands, f"xinshi {' '.join(words)}"
        command, rest = command.commands[rest[0]], rest[1:]
    if whole:
        assert not getattr(command, "commands", None), f"xinshi {' '.join(words)}: says too little"
        with command.make_context("xinshi", list(rest)):
            return


def check_celery(words: list[str]) -> None:
    """Check a worker's or beat's words against Celery's own."""
    from celery.bin import beat, worker

    assert words[:2] == ["-A", "worker"], words
    command = {"worker": worker.worker, "beat": beat.beat}[words[2]]
    known = {name for param in command.params for name in param.opts}
    given = [word for word in words[3:] if word.startswith("-")]
    assert set(given) <= known, words
    if words[2] == "worker":
        where = next(at for at, word in enumerate(words) if word in {"-Q", "--queues"})
        assert set(words[where + 1].split(",")) <= QUEUES, words


def check(words: list[str]) -> None:
    """Check a command of ours or of Celery; others are not ours to check."""
    words = [word.rpartition("/bin/")[2] or word for word in words]
    if words[:1] == ["env"]:
        words = list(itertools.dropwhile(lambda word: "=" in word, words[1:]))
    match words:
        case ["xinshi", *rest]:
            check_xinshi(rest, whole=True)
        case ["celery", *rest]:
            check_celery(rest)
        case ["python3" | "python", "dev.py", verb, *_]:
            assert verb in runner().VERBS
        case ["pip", "install", *wanted]:
            check_extras(wanted)
        case _:
            return


@cache
def runner() -> Any:
    """Return dev.py as a module."""
    spec = importlib.util.spec_from_file_location("dev", documents.ROOT / "dev.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_extras(wanted: list[str]) -> None:
    project = tomllib.loads(documents.read("pyproject.toml"))["project"]
    for word in wanted:
        name, _, extras = word.partition("[")
        if name == project["name"] and extras:
            assert set(extras.rstrip("]").split(",")) <= set(project["optional-dependencies"])


def lines(page: str) -> Iterator[list[str]]:
    """Yield the commands in a page's blocks for the shell."""
    for block in documents.blocks(documents.read(page)):
        if block.language in {"sh", "bash", "console", ""}:
            for line in block.text.splitlines():
                for part in re.split(r" && | \| ", line.removeprefix("$ ")):
                    try:
                        words = shlex.split(part, comments=True)
                    except ValueError:
                        continue
                    if words:
                        yield words


@pytest.mark.parametrize("page", PAGES)
def test_a_command_in_a_block_exists_with_its_options(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("ledger.jsonl", "customers.csv"):
        (tmp_path / name).touch()
    for words in lines(page):
        check(words)


@pytest.mark.parametrize("page", PAGES)
def test_a_command_in_a_sentence_exists(page: str) -> None:
    for said in re.findall(r"`xinshi ((?:[a-z-]+ ?)+)", documents.prose(documents.read(page))):
        check_xinshi(said.split(), whole=False)


def test_the_readme_shows_every_group_of_commands() -> None:
    """Whoever reads the pages meets each command once."""
    everything = " ".join(documents.read(page) for page in PAGES)
    for name in tree().commands:
        assert f"xinshi {name}" in everything, name


def processes() -> dict[str, list[str]]:
    found = {}
    for line in documents.read("Procfile").splitlines():
        name, _, command = line.partition(":")
        found[name] = shlex.split(command)
    return found


def test_the_procfile_has_a_process_for_each_class_beat_and_web() -> None:
    found = processes()
    assert set(found) == {*(f"worker_{one}" for one in MessageClass), "beat", "web"}
    for words in found.values():
        check(words)
    served = [words[words.index("--queues") + 1] for words in found.values() if "--queues" in words]
    assert sorted(",".join(served).split(",")) == sorted(QUEUES)
