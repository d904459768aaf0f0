"""docs/operating.md has every event that the program logs or stores, and its SQL runs."""

import ast
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from tests.support import documents
from worker.domain.enums import Outcome
from worker.store.db import database

PAGE = documents.read("docs/operating.md")
#: Loggers are called `log` everywhere; `say` is one of its methods.
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}


def calls() -> Iterator[ast.Call]:
    for package in ("worker", "producer"):
        for path in (documents.ROOT / package).rglob("*.py"):
            if "sandbox" not in path.parts:
                tree = ast.parse(path.read_text("utf-8"))
                yield from (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def logged() -> set[str]:
    """Return the name of each event that is logged; those of outcomes are put together there."""
    found = {f"submission.{outcome.value}" for outcome in Outcome}
    for call in calls():
        match call:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="log"), attr=level),
                args=[ast.Constant(value=str(name)), *_],
            ) if level in LEVELS:
                found.add(name)
    return found


def stored() -> set[str]:
    """Return the name of each event that is appended to the table."""
    found = set()
    for call in calls():
        match call:
            case (
                ast.Call(
                    func=ast.Attribute(
                        value=ast.Name(id="events"), attr="add" | "add_for_submissions"
                    ),
                    args=[_, named, *_],
                )
                | ast.Call(func=ast.Name(id="_Decision"), args=[_, named, *_])
                | ast.Call(func=ast.Name(id="_add_event"), args=[_, _, named, *_])
            ):
                words = (node for node in ast.walk(named) if isinstance(node, ast.Constant))
                found |= {str(word.value) for word in words}
    return found


def described(heading: str) -> set[str]:
    return {documents.coded(row[0]) for row in documents.rows(documents.section(PAGE, heading))}


def test_every_logged_event_is_described_and_no_other() -> None:
    assert described("The log") == logged()


def test_every_stored_event_is_described_and_no_other() -> None:
    assert described("Events in the table") == stored()
    assert len(stored()) >= 5


@pytest.mark.parametrize(
    "block",
    [block.text for block in documents.blocks(PAGE) if block.language == "sql"],
    ids=lambda sql: " ".join(sql.split())[:60],
)
def test_statements_run(engine: Engine, block: str) -> None:
    with database.writing(engine) as connection:
        for statement in block.split(";\n"):
            connection.execute(text(statement))


def test_retention_forgets_what_has_ended_and_nothing_that_waits(migrated: Engine) -> None:
    """An old request that has ended goes with all its rows; an old one that waits stays."""
    (block,) = [one.text for one in documents.blocks(documents.section(PAGE, "Retention"))]
    with database.writing(migrated) as connection:
        for one, state in ((1, "accepted"), (2, "planned")):
            connection.execute(
                text(
                    "INSERT INTO xinshi_request (id, sender, class, text, personal, kinds, total,"
                    " next_n, rest, created_at) VALUES (:one, '', 'notice', 'x', 0, 'mobile', 1,"
                    " 1, 'queued', '2020-01-01 00:00:00.000000')"
                ),
                {"one": one},
            )
            connection.execute(
                text(
                    "INSERT INTO xinshi_submission (account, class, state, request_id, lo, hi,"
                    " size, segments, fence, attempts, created_at) VALUES ('a', 'notice', :state,"
                    " :one, 0, 1, 1, 1, 1, 1, '2020-01-01 00:00:00.000000')"
                ),
                {"one": one, "state": state},
            )
            connection.execute(
                text("INSERT INTO xinshi_message (request_id, n, msisdn) VALUES (:one, 0, 'x')"),
                {"one": one},
            )
        for statement in block.split(";\n"):
            connection.execute(text(statement))
        for table in ("request", "submission", "message"):
            column = "id" if table == "request" else "request_id"
            left = connection.execute(text(f"SELECT {column} FROM xinshi_{table}"))
            assert left.scalars().all() == [2]
