"""Migrate the schema by Alembic, with a version table of our own, `xinshi_alembic_version`.

So Xinshi's tables can live in an application's database without touching its migrations.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, column, false, inspect, table, text, update

from worker.store.schema import views

VERSION_TABLE = "xinshi_alembic_version"


def migrate(engine: Engine) -> None:
    """Bring the database's schema to this version; do nothing when it has it, or a newer one.

    The view `xinshi_messages` has no history: it is dropped and created by each migration, and by
    the next one if the database's user may not create it.
    """
    with engine.begin() as connection:
        current = _context(connection).get_current_revision()
        if is_newer(current) or (current == newest_revision() and _has_view(connection)):
            return
        config = _config()
        config.attributes["connection"] = connection
        _try_write(connection, config)
        connection.execute(text(f"DROP VIEW IF EXISTS {views.VIEW_NAME}"))
        command.upgrade(config, "head")
        query = views.view_query().compile(
            dialect=connection.dialect, compile_kwargs={"literal_binds": True}
        )
        connection.exec_driver_sql(f"CREATE VIEW {views.VIEW_NAME} AS {query}".replace("%", "%%"))


def _try_write(connection: Connection, config: Config) -> None:
    """Write to the version table, and change no row: it fails where nothing may be written.

    MySQL keeps the tables of a migration that fails. Were they made before it is known that their
    revision cannot be written down, every later migration would find them in its way.
    """
    command.ensure_version(config)
    version = table(VERSION_TABLE, column("version_num"))
    connection.execute(update(version).where(false()).values(version_num=version.c.version_num))


def has_view(engine: Engine) -> bool:
    """Tell whether the view is there; MySQL keeps the tables of a migration that ended before."""
    with engine.connect() as connection:
        return _has_view(connection)


def revision(engine: Engine) -> str | None:
    """Return the schema's revision in the database; None when there is no schema yet."""
    with engine.connect() as connection:
        return _context(connection).get_current_revision()


def newest_revision() -> str | None:
    """Return the revision that this version of Xinshi needs."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def is_newer(revision: str | None) -> bool:
    """Tell whether a schema's revision is none that this version knows: a newer one made it.

    Migrations take nothing away, so the version before runs on it, unless CHANGELOG.md says not.
    """
    if revision is None:
        return False
    known = ScriptDirectory.from_config(_config()).walk_revisions()
    return revision not in {script.revision for script in known}


def _has_view(connection: Connection) -> bool:
    return views.VIEW_NAME in inspect(connection).get_view_names()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def _context(connection: Connection) -> MigrationContext:
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
