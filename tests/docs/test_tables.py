"""docs/tables.md has every table and column, and its SQL runs on each database."""

import pytest
from sqlalchemy import Engine, inspect, text

from tests.support import documents
from worker.store.db import database
from worker.store.schema import views
from worker.store.schema.tables import metadata

PAGE = documents.read("docs/tables.md")
COLUMNS = {
    **{name: [column.name for column in table.columns] for name, table in metadata.tables.items()},
    views.VIEW_NAME: [column.name for column in views.view_query().selected_columns],
}
STATEMENTS = [block.text for block in documents.blocks(PAGE) if block.language == "sql"]


@pytest.mark.parametrize("name", COLUMNS)
def test_every_column_is_described_in_its_place_and_no_other(name: str) -> None:
    described = [documents.coded(row[0]) for row in documents.rows(documents.section(PAGE, name))]
    assert described == COLUMNS[name]


def test_no_table_is_described_that_is_not_there() -> None:
    headed = {words for _, words in documents.headings(PAGE) if words.startswith("xinshi_")}
    assert headed == COLUMNS.keys()


def test_a_migrated_database_has_what_is_described(migrated: Engine) -> None:
    there = inspect(migrated)
    for name, columns in COLUMNS.items():
        assert [column["name"] for column in there.get_columns(name)] == columns


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda sql: " ".join(sql.split())[:60])
def test_a_statement_runs(engine: Engine, statement: str) -> None:
    with database.reading(engine) as connection:
        connection.execute(text(statement)).all()


def test_there_are_statements() -> None:
    assert len(STATEMENTS) >= 8
