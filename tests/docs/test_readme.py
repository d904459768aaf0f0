"""The README's code works, and the Chinese README has the same sections and the same code."""

import tomllib
from pathlib import Path

import pytest
from sqlalchemy import text

import producer
from tests.support import documents, example_runner
from worker.config.settings import parse
from worker.domain.enums import MessageState
from worker.gateways.base import Gateway
from worker.gateways.registry import gateway_classes
from worker.store.db import database

ENGLISH, CHINESE = documents.read("README.md"), documents.read("README.zh-CN.md")
LISTED = documents.read("docs/gateways.md")
BLOCKS = documents.blocks(ENGLISH)
#: The frameworks' excerpts are indented: they stand in a function of the examples.
PROGRAMS = [block.text for block in BLOCKS if block.language == "python" and block.text[:1] != " "]
EXCERPTS = [block.text for block in BLOCKS if block.language == "python" and block.text[:1] == " "]


def only(language: str) -> str:
    (block,) = [block.text for block in BLOCKS if block.language == language]
    return block


def test_both_readmes_have_the_same_sections() -> None:
    levels = [level for level, _ in documents.headings(ENGLISH)]
    assert [level for level, _ in documents.headings(CHINESE)] == levels


def test_both_readmes_have_the_same_code() -> None:
    assert documents.blocks(CHINESE) == BLOCKS


def test_both_readmes_have_the_same_tables_in_code_words() -> None:
    ours = [row[0] for row in documents.rows(ENGLISH) if row[0].startswith(("`", "["))]
    theirs = [row[0].replace("、", ", ") for row in documents.rows(CHINESE)]
    assert [row for row in theirs if row.startswith(("`", "["))] == ours


def test_the_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Block by block, with the configuration and the file of recipients that are shown."""
    monkeypatch.setenv("IHUYI_API_KEY", "0" * 32)
    example_runner.prepare(tmp_path, only("toml"), monkeypatch, **{"customers.csv": only("csv")})
    for nth, code in enumerate(PROGRAMS):
        example_runner.run(code, f"README.md, program {nth}")
    with database.reading(producer.configure().engine) as connection:
        states = connection.execute(
            text("SELECT state, count(*) FROM xinshi_messages GROUP BY state")
        ).all()
    example_runner.finish()
    assert [tuple(row) for row in states] == [("queued", 7)]


def test_the_first_configuration_has_six_lines() -> None:
    assert len(only("toml").splitlines()) == 6
    made = parse(tomllib.loads(only("toml")), Path(), {"IHUYI_API_KEY": "x"})
    assert list(made.accounts) == ["codes"]


@pytest.mark.parametrize(
    ("file", "excerpt"),
    [
        ("examples/django/shop/orders.py", EXCERPTS[0]),
        ("examples/flask/app.py", EXCERPTS[1]),
        ("examples/fastapi/app.py", EXCERPTS[2]),
    ],
)
def test_an_excerpt_stands_in_its_example(file: str, excerpt: str) -> None:
    assert excerpt in documents.read(file)


def test_every_state_is_told() -> None:
    states = [f"`{state.value}`" for state in MessageState]
    assert [row[0] for row in documents.rows(documents.section(ENGLISH, "States"))] == states


def capability_row(kind: type[Gateway]) -> list[str]:
    """Return a gateway's row of the table, from what it says itself with usual settings."""
    from datetime import UTC, datetime

    from tests.support import recorded_cases

    of = recorded_cases.gateway(kind.name)
    can = of.capabilities
    pushes = kind.read_push is not Gateway.read_push
    pulled = of.inbound_request(datetime.now(UTC)) is not None
    reports = [{"push": "push ¹"}.get(way, way) for way in sorted(can.reports)]
    replies = ["pull"] * pulled + ["push ¹"] * pushes
    return [
        f"`{kind.name}`",
        str(can.batch_cap),
        can.charset,
        ", ".join(sorted(can.kinds)),
        ", ".join(reports) or "–",
        ", ".join(replies) or "–",
        *("✓" if one else "–" for one in (can.balance, can.extension, can.templates)),
    ]


@pytest.mark.parametrize("name", sorted(gateway_classes()))
@pytest.mark.parametrize("page", [ENGLISH, CHINESE, LISTED], ids=["README", "zh", "gateways"])
def test_what_a_gateway_can_do_is_what_it_says_itself(page: str, name: str) -> None:
    row = next(row for row in documents.rows(page) if row[0] == f"`{name}`" and len(row) == 9)
    assert row == capability_row(gateway_classes()[name])


def test_every_gateway_has_its_section() -> None:
    headed = {words for _, words in documents.headings(LISTED)}
    assert set(gateway_classes()) <= headed


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md", "CHANGELOG.md"])
def test_numbers_are_test_numbers(page: str) -> None:
    import re

    found = set(re.findall(r"\b1[3-9]\d{9}\b", documents.read(page)))
    assert found <= {"13800138000", "13900000000"}
