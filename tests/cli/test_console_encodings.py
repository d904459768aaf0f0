"""Terminals, pipes and locales that are not UTF-8, as processes of their own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from producer.cli import console_encoding
from tests.cli.conftest import Place

ROOT = Path(__file__).parents[2]
#: GBK lacks the last two, Latin-1 and ASCII nearly all of it.
TEXT = "【信使】你好 𠮷 😀"
#: Runs one command after another, as `xinshi` does, and prints the exit code of each.
RUN = """
import sys
from producer.cli import main
for line in sys.argv[1].split("|"):
    sys.argv[1:] = line.split()
    code = 0
    try:
        main()
    except SystemExit as exit:
        code = exit.code
    sys.stdout.flush()
    sys.stderr.write(f"{line} ended with {code}\\n")
"""
COMMANDS = {
    "campaign create --text - --recipients 春天😀.csv --account v1": 0,
    "campaign create --text 【信使】春装😀 --account v1 --recipients 春天😀.csv --dry-run": 0,
    "messages": 0,
    "show 1-0": 0,
    "campaign list": 0,
    "campaign show 2": 0,
    "events": 0,
    "events --json": 0,
    "accounts": 0,
    "inbound": 0,
    "opt-out list": 0,
    "campaign show 99": 1,
    "send --to 13800138001 --text 【信使】😀😀 --account v1": 0,
    "send --to 1 --text 【信使】{姓名}": 2,
    "send --help": 0,
    "--help": 0,
}


def python(
    place: Place, *words: str | bytes, typed: str = "", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=place.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        input=typed.encode(),
        capture_output=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def filled(place: Place) -> Place:
    """A place with a message whose text few encodings carry, and a list."""
    place.done("send", "--to", "13800138000", "--text", TEXT, "--account", "v1")
    place.write("春天😀.csv", "手机号\n13800138000\n")
    return place


@pytest.mark.parametrize("encoding", ["gbk", "ascii:strict"])
def test_output_that_is_not_utf_8_ends_no_command(filled: Place, encoding: str) -> None:
    ended = python(
        filled, "-c", RUN, "|".join(COMMANDS), typed=TEXT, PYTHONIOENCODING=encoding, COLUMNS="100"
    )
    said = ended.stderr.decode(encoding.partition(":")[0])
    codes = [line.rpartition(" ")[2] for line in said.splitlines() if " ended with " in line]
    assert codes == list(map(str, COMMANDS.values())), said
    assert "Traceback" not in said


@pytest.mark.parametrize("encoding", ["cp936", "latin-1"])
def test_json_is_json_in_every_encoding_and_says_the_same(filled: Place, encoding: str) -> None:
    filled.done(
        "campaign",
        "create",
        "--text",
        TEXT,
        "--recipients",
        "春天😀.csv",
        "--paused",
        "--account",
        "v1",
    )
    ended = python(
        filled, "-m", "producer.cli", "campaign", "list", "--json", PYTHONIOENCODING=encoding
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout.decode(encoding.partition(":")[0]))[0]["name"] == "春天😀"


def test_a_reader_that_goes_away_gets_no_traceback(filled: Place) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "producer.cli", "--help"],
        cwd=filled.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stdout is not None
        running.stdout.close()
        assert running.stderr is not None
        said = running.stderr.read()
    assert b"Traceback" not in said, said


def test_arguments_that_the_locale_cannot_read_are_refused_and_nothing_is_stored(
    filled: Place,
) -> None:
    text = "【信使】春天".encode("gbk")
    words: list[str | bytes] = ["-m", "producer.cli", "send", "--to", "13800138001", "--text", text]
    ended = python(filled, *words, LC_ALL="C.UTF-8")
    assert ended.returncode == 2
    assert b"error: --text: it holds bytes that are not utf-8" in ended.stderr
    ended = python(filled, "-m", "producer.cli", "show", text, LC_ALL="C.UTF-8")
    assert b"error: argument 2: it holds bytes that are not utf-8" in ended.stderr
    assert len(filled.data("messages")) == 1


@pytest.mark.parametrize(
    ("locale", "charset"), [("zh_CN", "GBK"), ("en_US", "ISO-8859-1"), ("zh_TW", "BIG5")]
)
def test_utf_8_on_a_locale_that_is_none_is_refused_and_what_is_the_locales_own_is_sent(
    filled: Place, locale: str, charset: str
) -> None:
    localedef = shutil.which("localedef")
    if localedef is None:
        pytest.skip("there is no localedef")
    name = f"{locale}.{charset}"
    made = subprocess.run(
        [localedef, "-i", locale, "-f", charset, str(filled.folder / name)],
        capture_output=True,
        check=False,
    )
    if made.returncode > 1:
        pytest.skip("localedef has no source of this locale")
    text = "【信使】café" if charset == "ISO-8859-1" else "【信使】春天"
    words: list[str | bytes] = ["-m", "producer.cli", "send", "--to", "13800138001", "--json"]
    setup = {"LC_ALL": name, "LOCPATH": str(filled.folder), "PYTHONUTF8": "0"}
    ended = python(filled, *words, f"--text={text}".encode(), **setup)
    assert (ended.returncode, ended.stdout) == (2, b""), ended.stderr
    assert b"error: --text: it holds bytes " in ended.stderr
    if charset != "ISO-8859-1":
        ended = python(filled, *words, f"--text={text}".encode(charset), **setup)
        assert ended.returncode == 0, ended.stderr
        stored = filled.data("show", "2-0")
        assert stored["to"] == "13800138001"


def test_an_argument_is_named_and_never_shown() -> None:
    broken = os.fsdecode("【信使】密码4711".encode("gbk"))
    for words in (["send", "--text", broken], ["send", f"--text={broken}"]):
        problem = console_encoding.argument_problem(words)
        assert problem is not None
        assert problem.startswith("--text: it holds bytes")
        assert "4711" not in problem
    assert console_encoding.argument_problem(["send", "--text", "【信使】春天 😀"]) is None
