"""The schema: from nothing to the newest, again without effect, and beside an application's own."""

from collections.abc import Iterator
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, create_engine, inspect, text

from tests.support.servers import Databases
from worker.store import migrations
from worker.store.db import database
from worker.store.schema.tables import metadata


@pytest.fixture
def bare(kind: str, databases: Databases) -> Iterator[Engine]:
    """Connections to a database without any table."""
    with databases.bare(kind) as url:
        engine = database.connect(url)
        yield engine
        engine.dispose()


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


def test_from_nothing_to_the_newest_and_again_without_effect(bare: Engine) -> None:
    assert migrations.revision(bare) is None
    migrations.migrate(bare)
    assert migrations.revision(bare) == migrations.newest_revision()
    before = tables(bare)
    assert {table.name for table in metadata.sorted_tables} < before
    migrations.migrate(bare)
    assert tables(bare) == before
    with bare.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM xinshi_messages")).scalar() == 0


def test_the_migrated_schema_is_what_the_code_says(bare: Engine) -> None:
    migrations.migrate(bare)

    def ours(_object: Any, name: str | None, kind: str, *_: Any) -> bool:
        return kind != "table" or str(name) != migrations.VERSION_TABLE

    with bare.connect() as connection:
        options = {"include_object": ours, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_an_application_s_own_tables_and_versions_are_left_alone(bare: Engine) -> None:
    with bare.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('theirs')"))
        connection.execute(text("CREATE TABLE orders (id INTEGER)"))
    migrations.migrate(bare)
    with bare.connect() as connection:
        assert connection.execute(text("SELECT * FROM alembic_version")).all() == [("theirs",)]
    others = {name for name in tables(bare) if not name.startswith("xinshi_")}
    assert others == {"alembic_version", "orders"}


def test_a_schema_of_a_newer_version_is_left_as_it_is(bare: Engine) -> None:
    migrations.migrate(bare)
    with bare.begin() as connection:
        connection.execute(text("UPDATE xinshi_alembic_version SET version_num = '9999'"))
    assert migrations.is_newer(migrations.revision(bare))
    migrations.migrate(bare)
    assert migrations.revision(bare) == "9999"


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_step_takes_nothing_away_and_adds_nothing_that_has_to_be_filled(bare: Engine) -> None:
    """So the version before runs on the newer schema."""
    columns: dict[str, dict[str, Any]] = {}
    scripts = migrations.ScriptDirectory.from_config(migrations._config()).walk_revisions()
    for script in reversed(list(scripts)):
        with bare.begin() as connection:
            config = migrations._config()
            config.attributes["connection"] = connection
            command.upgrade(config, script.revision)
        inspector = inspect(bare)
        for table in tables(bare):
            new = {column["name"]: column for column in inspector.get_columns(table)}
            for name, column in new.items():
                if table in columns and name not in columns[table]:
                    assert column["nullable"] or column["default"] is not None, (table, name)
            assert columns.get(table, {}).keys() <= new.keys(), (script.revision, table)
            columns[table] = new
        assert columns.keys() <= tables(bare), script.revision


def test_who_opted_out_with_a_trunk_zero_has_opted_out_as_the_mobile(bare: Engine) -> None:
    with bare.begin() as connection:
        config = migrations._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        connection.execute(
            text("INSERT INTO xinshi_opt_out VALUES (:msisdn, '2026-11-01 00:00:00', 'a test')"),
            [
                {"msisdn": msisdn}
                for msisdn in ("013800000001", "013800000002", "13800000002", "02185418874")
            ],
        )
    migrations.migrate(bare)
    with bare.connect() as connection:
        query = "SELECT msisdn FROM xinshi_opt_out ORDER BY msisdn"
        assert list(connection.execute(text(query)).scalars()) == [
            *("013800000001", "013800000002", "02185418874"),
            *("13800000001", "13800000002"),
        ]


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_database_without_tables_is_told_apart_from_one_that_is_away(bare: Engine) -> None:
    from worker.domain.errors import Unavailable
    from worker.store.accounts import held_names

    with pytest.raises(Unavailable, match="xinshi migrate"), database.reading(bare) as connection:
        held_names(connection)
    away = create_engine("postgresql+psycopg://nobody@127.0.0.1:9/x")
    with pytest.raises(Unavailable, match="does not answer"), database.reading(away):
        pytest.fail("nobody listens there")
    away.dispose()
