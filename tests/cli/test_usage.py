"""Help, exit codes and faults: what everybody meets first."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer

from producer.cli import main, times
from producer.cli.app import app
from tests.cli.conftest import TEXT, Place
from tests.support.stage import eventually

ROOT = Path(__file__).parents[2]
AT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)  # 11:00 in Shanghai


def commands() -> list[list[str]]:
    """Return the words of every command, those of groups included."""
    found: list[list[str]] = [[]]
    top = typer.main.get_command(app)
    for name, command in top.commands.items():  # type: ignore[attr-defined]
        found.append([name])
        found += [[name, below] for below in getattr(command, "commands", ())]
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_explains_itself_with_an_example(place: Place, words: list[str]) -> None:
    said = place.done(*words, "--help")
    assert "Usage: xinshi" in said or "Usage:" in said
    assert "Examples" in said
    assert "\x1b" not in said, "colours are for terminals"
    for type_name in ("<bool>", "<str>", "<int>", " range>"):
        assert type_name not in said, "a value has the name of what it is"


def test_no_gateway_is_named_in_the_command_line() -> None:
    from worker.gateways.registry import gateway_classes

    for file in (ROOT / "producer" / "cli").rglob("*.py"):
        assert not [name for name in gateway_classes() if name in file.read_text("utf-8")], (
            file.name
        )


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["send", "--text", TEXT],
        ["send", "--to", "13812345678", "--text", TEXT, "--class", "urgent"],
        ["send", "--to", "13812345678", "--text", TEXT, "--at", "soon"],
        ["send", "--to", "13812345678", "--text", TEXT, "--at", "2020-01-01 08:00"],
        ["send", "--to", "13812345678", "--text", TEXT, "--var", "name"],
        ["send", "--to", "1381234567", "--text", TEXT],
        ["send", "--to", "13812345678", "--text", TEXT, "--account", "nobody"],
        ["messages", "--to", "1381234567"],
        ["messages", "--state", "lost"],
        ["campaign", "create", "--text", "-", "--recipients", "-"],
        ["collect", "everything"],
        ["collect", "reports", "--account", "bulk"],
        ["balance", "--account", "nobody"],
        ["account", "hold", "nobody"],
    ],
    ids=" ".join,
)
def test_wrong_usage_and_wrong_input_end_with_2(place: Place, words: list[str]) -> None:
    assert place.fails(*words, code=2)


@pytest.mark.parametrize(
    "words",
    [
        ["show", "17-0"],
        ["show", "nonsense"],
        ["cancel", "17-0"],
        ["campaign", "show", "17"],
        ["campaign", "pause", "17"],
        ["campaign", "resume", "17"],
        ["campaign", "cancel", "17"],
        ["campaign", "retry", "17"],
        ["campaign", "export", "17"],
        ["messages", "--campaign", "17"],
        ["campaign", "create", "--text", TEXT, "--recipients", "nowhere.csv"],
    ],
    ids=" ".join,
)
def test_what_is_not_there_ends_with_1_and_one_line(place: Place, words: list[str]) -> None:
    said = place.fails(*words)
    assert said.startswith("error: ")
    assert len(said.splitlines()) == 1


def test_a_misspelt_key_is_named_with_the_nearest(place: Place) -> None:
    file = place.folder / "xinshi.toml"
    file.write_text(file.read_text("utf-8").replace("uid =", "uidd ="), "utf-8")
    said = place.fails("accounts", code=2)
    assert "accounts.bulk.uidd: is unknown; did you mean uid?" in said
    assert "accounts.bulk.uid: is missing" in said
    file.write_text(file.read_text("utf-8").replace("gateway =", "gatway =", 1), "utf-8")
    assert "gatway: is unknown; did you mean gateway?" in place.fails("accounts", code=2)


def test_the_configuration_may_be_named_before_the_command_and_after(place: Place) -> None:
    (place.folder / "xinshi.toml").rename(place.folder / "other.toml")
    assert "there is no such file" in place.fails("accounts", code=2)
    assert place.data("accounts", "--config", "other.toml")
    assert place.data("--config", "other.toml", "accounts")
    assert "there is no such file" in place.fails("accounts", code=2)


def test_a_database_without_tables_says_what_to_run(place: Place) -> None:
    place.configure("bulk", database_url="sqlite:///new.db")
    said = place.fails("messages")
    assert "run `xinshi migrate`" in said
    assert "is at 0" in place.done("migrate")
    assert "already" in place.done("migrate")
    assert place.data("messages") == []


@pytest.mark.parametrize("url", ["sqlite:///:memory:", "postgresql+nonsense://x/y"])
def test_a_database_that_cannot_be_used_is_a_fault_of_the_configuration(
    place: Place, url: str
) -> None:
    place.configure("bulk", database_url=url)
    assert "database_url: " in place.fails("messages", code=2)


def test_a_database_that_does_not_answer_ends_with_1(place: Place) -> None:
    place.configure("bulk", database_url="postgresql+psycopg://u:s3cret@127.0.0.1:1/x")
    said = place.fails("messages")
    assert "does not answer" in said
    assert "s3cret" not in said


def test_without_its_extra_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "producer.cli.app", raising=False)
    monkeypatch.setitem(sys.modules, "typer", None)
    with pytest.raises(SystemExit, match="pip install 'xinshi"):
        main()


def test_the_version_is_printed(place: Place) -> None:
    assert place.done("--version").startswith("xinshi ")


def test_a_time_of_day_is_the_next_one_in_shanghai() -> None:
    assert times.parse_future("12:00", "--at", AT) == AT + timedelta(hours=1)
    assert times.parse_future("08:00", "--at", AT) == AT + timedelta(hours=21)
    assert times.parse_past("12:00", "--since", AT) == AT - timedelta(hours=23)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("+10m", 600),
        ("2026-11-22 11:30", 1800),
        ("2026-11-22T11:30:05", 1805),
        ("2026-11-22T03:30:00Z", 1800),
        ("2026-11-22T12:30:00+09:00", 1800),
    ],
)
def test_a_time_without_a_zone_is_in_shanghai(text: str, seconds: int) -> None:
    assert times.parse_future(text, "--at", AT) == AT + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "hours"), [("2h", 2), ("-2h", 2), ("1d", 24), ("2026-11-22", 11), ("10:00", 1)]
)
def test_a_time_gone_by_may_be_a_span(text: str, hours: int) -> None:
    assert times.parse_past(text, "--since", AT) == AT - timedelta(hours=hours)


@pytest.mark.parametrize("text", ["soon", "25:00", "2026-13-01", "+x", "2026-11-22 10:59"])
def test_what_is_no_time_to_come_is_refused_by_its_option(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="--at: "):
        times.parse_future(text, "--at", AT)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_the_sandbox_prints_a_configuration_that_works(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """As a process of its own: its output is a file that the next command reads."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with (tmp_path / "xinshi.toml").open("wb") as file:
        running = subprocess.Popen(
            [sys.executable, "-m", "producer.cli", "sandbox", "--port", "0", "--ledger", "l.jsonl"],
            cwd=tmp_path,
            env=environment,
            stdout=file,
            stderr=subprocess.PIPE,
        )
    try:
        from worker.config import settings
        from worker.gateways.registry import gateway_classes

        def configured() -> bool:
            text = (tmp_path / "xinshi.toml").read_text("utf-8")
            return all(f"[accounts.{name}]" in text for name in gateway_classes())

        eventually(configured)
        accounts = settings.load(tmp_path / "xinshi.toml", {}).accounts
        assert accounts.keys() == gateway_classes().keys()
    finally:
        running.send_signal(number)
        _, said = running.communicate(timeout=20)
    assert running.returncode == code, said
    assert b"Traceback" not in said
