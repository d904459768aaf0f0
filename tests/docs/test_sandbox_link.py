"""docs/sandbox-link.md: its accounts fit the sandbox, and its numbers do what they are said to."""

import inspect
import re
import tomllib
from pathlib import Path

import pytest

from producer.cli.commands import sandbox as sandbox_command
from tests.support import documents
from tests.support.stage import Stage
from worker.config.settings import parse
from worker.config.web_settings import WebSettings
from worker.sandbox.__main__ import _parser
from worker.sandbox.samples import samples

PAGE = documents.read("docs/sandbox-link.md")
(SHOWN,) = [block.text for block in documents.blocks(PAGE) if block.language == "toml"]
QUICK = {
    "timeout": "2s",
    "sending_hours": "any",
    "collect_reports_every": "0.1s",
    "collect_inbound_every": "0.1s",
}


def test_the_accounts_are_those_of_the_sandbox() -> None:
    """A login that the page shows is one that the sandbox's own sample shows."""
    shown = tomllib.loads(SHOWN)["accounts"]
    known = tomllib.loads(samples("http://127.0.0.1:8025"))["accounts"]
    parse({"accounts": shown}, Path(), {})
    assert shown.keys() == known.keys()
    for name, account in shown.items():
        for key in ("gateway", "base_url", "uid", "account", "username", "from", "password"):
            assert account.get(key) == known[name].get(key)


@pytest.mark.parametrize("page", ["docs/sandbox-link.md", "docs/sandbox.md", "docs/http.md"])
def test_the_port_is_the_command_s_own(page: str) -> None:
    port = str(inspect.signature(sandbox_command.sandbox).parameters["port"].default)
    told = set(re.findall(r"127\.0\.0\.1:(\d+)", documents.read(page)))
    assert port in told
    assert told <= {port, str(WebSettings().port)}


def test_the_flags_are_those_of_both_ways_to_start_it() -> None:
    table = documents.section(documents.read("docs/sandbox.md"), "Starting it")
    told = {flag for row in documents.rows(table) for flag in re.findall(r"--[a-z-]+", row[0])}
    parameters = set(inspect.signature(sandbox_command.sandbox).parameters) - {"as_json"}
    assert told - {"--no-limits"} == {f"--{name.replace('_', '-')}" for name in parameters}
    scripted = set(re.findall(r"--[a-z-]+", _parser().format_help())) - {"--help"}
    assert scripted == told | {"--port-file", "--quiet"}


@pytest.mark.parametrize("kind", ["sqlite"])
def test_the_numbers_do_what_they_are_said_to(stage: Stage) -> None:
    from tests.support.stage import eventually

    shown = tomllib.loads(SHOWN)["accounts"]
    for name, account in shown.items():
        account |= {**QUICK, "base_url": stage.sandbox.url(account["gateway"])}
        if name == "bulk":
            account["rx_spacing"] = "0.1s"
    stage.configure(accounts=shown)
    stage.prove()
    rows = documents.rows(PAGE)
    sent = [
        (stage.enqueue(documents.coded(number), account=documents.coded(account)), told)
        for number, account, told in rows
    ]
    with stage.working():
        for accepted, told in sent:
            first = told.partition(",")[0].strip("`")
            goal = "delivered" if told.startswith(("`delivered`", "a reply")) else first
            if "`delivered` once" in told:
                goal = "delivered"
            eventually(lambda one=accepted, state=goal: stage.states(one) == {state: 1})
        replied = [row for row in rows if row[2].startswith("a reply")]
        assert len(replied) == 1
        eventually(lambda: opted_out(stage) == {documents.coded(replied[0][0])})


def opted_out(stage: Stage) -> set[str]:
    from sqlalchemy import select

    from worker.store.schema.tables import opt_out

    with stage.engine.connect() as connection:
        return set(connection.execute(select(opt_out.c.msisdn)).scalars())
