"""docs/operating.md has every event that the program logs or stores, and its SQL runs."""

import ast
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, Engine, insert, select, text, update

from tests.docs.test_commands import check
from tests.support import documents
from worker.domain.enums import Outcome
from worker.store.db import database
from worker.store.schema import tables as schema

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


def first_table(page: str) -> list[list[str]]:
    """Return the rows of the table that a page begins with."""
    return documents.rows(documents.read(page).partition("\n## ")[0])


def test_the_first_screen_has_ten_symptoms_each_with_one_command_in_both_languages() -> None:
    english, chinese = first_table("docs/operating.md"), first_table("docs/operating.zh-CN.md")
    assert len(english) == len(chinese) == 10
    for row, chinese_row in zip(english, chinese, strict=True):
        command = documents.coded(row[2])
        assert row[2] == f"`{command}`"
        assert command.startswith("xinshi ")
        assert documents.coded(chinese_row[2]) == command
        check(shlex.split(command))


@pytest.mark.parametrize(
    "block",
    [block.text for block in documents.blocks(PAGE) if block.language == "sql"],
    ids=lambda sql: " ".join(sql.split())[:60],
)
def test_statements_run(engine: Engine, block: str) -> None:
    with database.writing(engine) as connection:
        for statement in block.split(";\n"):
            connection.execute(text(statement))


#: Old requests: the state of the submission, the idempotency key, whether the page's SQL keeps it.
OLD_REQUESTS = {
    1: ("accepted", None, False),
    2: ("planned", None, True),
    3: ("in_flight", None, True),
    4: ("unknown", None, True),
    5: ("accepted", "order 4711", True),
    6: ("rejected", None, False),
    7: ("accepted", None, True),
    8: ("accepted", None, True),
}


def test_no_statement_of_the_page_loses_what_is_unknown_waits_or_has_a_key(
    migrated: Engine,
) -> None:
    """An old request that has ended goes with all its rows; 8 was gathered into one of 7's."""
    written = [
        block.text
        for block in documents.blocks(PAGE)
        if block.language == "sql" and re.search("DELETE|UPDATE", block.text)
    ]
    assert written
    with database.writing(migrated) as connection:
        for one, (state, key, _) in OLD_REQUESTS.items():
            connection.execute(
                insert(schema.request).values(
                    id=one,
                    message_class="notice",
                    key=key,
                    text="x",
                    kinds="mobile",
                    total=1,
                    next_n=1,
                    created_at=datetime(2020, 1, 1, tzinfo=UTC),
                )
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
        connection.execute(
            update(schema.message)
            .where(schema.message.c.request_id == 8)
            .values(submission_id=select_submission_of(connection, 7))
        )
        for block in written:
            for statement in block.split(";\n"):
                connection.execute(text(statement))
        kept = [one for one, (_, _, stays) in OLD_REQUESTS.items() if stays]
        for table in ("request", "submission", "message"):
            column = "id" if table == "request" else "request_id"
            left = connection.execute(text(f"SELECT {column} FROM xinshi_{table} ORDER BY 1"))
            assert left.scalars().all() == kept


def select_submission_of(connection: Connection, request_id: int) -> int:
    query = select(schema.submission.c.id).where(schema.submission.c.request_id == request_id)
    return int(connection.execute(query).scalar_one())
