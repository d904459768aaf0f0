"""Migrate the schema by Alembic, with a version table of our own, `xinshi_alembic_version`.

So Xinshi's tables can live in an application's database without touching its migrations.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from worker.store.schema import views

VERSION_TABLE = "xinshi_alembic_version"


def migrate(engine: Engine) -> None:
    """Bring the database's schema to this version; do nothing when it has it, or a newer one.

    The view `xinshi_messages` has no history: it is dropped and created by each migration.
    """
    with engine.begin() as connection:
        current = _context(connection).get_current_revision()
        if current == newest_revision() or is_newer(current):
            return
        connection.execute(text(f"DROP VIEW IF EXISTS {views.VIEW_NAME}"))
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        query = views.view_query().compile(
            dialect=connection.dialect, compile_kwargs={"literal_binds": True}
        )
        connection.exec_driver_sql(f"CREATE VIEW {views.VIEW_NAME} AS {query}".replace("%", "%%"))


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


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def _context(connection: Connection) -> MigrationContext:
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
