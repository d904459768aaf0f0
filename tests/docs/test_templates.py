"""docs/templates.md: what it tells a shell to do works, in its order; its examples are as shown."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

from producer.cli.app import app
from tests.support import documents
from tests.support.stage import Stage, section
from tests.support.web_process import live
from tests.web.conftest import make_key
from worker.domain import limit_syntax, parameter_plans
from worker.domain.enums import PlanKind, RegistrationState, Scope
from worker.store.db import database
from worker.store.templates import usable

PAGE = documents.read("docs/templates.md")
SHELL = [block.text for block in documents.blocks(PAGE) if block.language == "sh"]
BODY = "您的验证码是{code}，{minutes}分钟内有效"
VALUES = {"code": "4711", "minutes": "5"}


@pytest.fixture
def kind() -> str:
    """One database: the page is about the commands."""
    return "sqlite"


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Logs go nowhere: the streams of a command end with it."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.reset_defaults()


def test_its_commands_work_in_their_order(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    accounts = {"main": section(stage.sandbox, "v1"), "cloud": section(stage.sandbox, "codes")}
    with live(stage, accounts) as web:
        said = "".join(done(line) for line in lines("xinshi"))
        assert "【云雀商城】您的验证码是4711，5分钟内有效" in said
        key = make_key(stage, "ops", Scope.OPERATE)
        for line in lines("curl"):
            called = call(line.replace("$XINSHI_KEY", key), web.url)
            assert called.returncode == 0, called.stdout + called.stderr
    with database.reading(stage.engine) as connection:
        assert usable.usable_keys(connection) == {"login": 1, "shipped": 1}
        (main, _) = usable.usable(connection, "login", 1)
    assert main.signature == "云雀商城"


def lines(program: str) -> Iterator[str]:
    """Yield the lines of the page's shell that run a program, each as one."""
    for block in SHELL:
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith(program):
                yield line


def done(line: str) -> str:
    """Run a line of ours that ends well; return what it prints."""
    _, *words = shlex.split(line)
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, (line, result.output)
    return str(result.stdout)


def call(line: str, url: str) -> subprocess.CompletedProcess[str]:
    """Run a line of curl on another address; a call that is refused fails."""
    if shutil.which("curl") is None:
        pytest.skip("there is no curl on the PATH")
    _, *words = shlex.split(re.sub(r"http://127\.0\.0\.1:\d+", url, line))
    command = ["curl", "--silent", "--show-error", "--fail-with-body", *words]
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=False)


def test_each_plan_gives_the_vendor_what_its_row_shows() -> None:
    rows = documents.rows(documents.section(PAGE, "Plans"))
    assert [documents.coded(row[0]) for row in rows] == ["text", "object", "positions", "groups"]
    for kind_name, _, example in rows:
        found = re.findall(r"--parameters (\S+?)`(?: gives `([^`]+)`)?", example)
        for parameters, given in found:
            kind = PlanKind(documents.coded(kind_name))
            plan = parameter_plans.parse(kind, parameters, BODY).parameters(VALUES)
            if given:
                shown = json.loads(given)
                assert shown == (plan if kind is PlanKind.OBJECT else list(plan.values()))


def test_each_rule_of_a_value_is_one() -> None:
    rows = documents.rows(documents.section(PAGE, "Bodies"))
    rules = [rule for row in rows for rule in re.findall(r"`([^`]+)`", row[0])]
    assert len(rules) == 6
    for rule in rules:
        assert limit_syntax.show(limit_syntax.parse("limits.code", rule)) == rule


def test_every_state_is_described() -> None:
    rows = documents.rows(documents.section(PAGE, "States"))
    assert {documents.coded(row[0]) for row in rows} == set(RegistrationState)
