"""`xinshi migrate`: bring the database's schema to this version."""

import typer

from producer.cli import options, output, session


def register(app: typer.Typer) -> None:
    """Add the command."""
    options.command(app, "xinshi migrate", "xinshi migrate --config prod.toml")(migrate)


def migrate(*, as_json: options.Json = False, config: options.Config = None) -> None:
    """Create Xinshi's tables in the database, or bring them to this version.

    Nothing happens when they are there already. All tables are called xinshi_…, and so is Alembic's
    version table: an application's own are not touched.
    """
    with session.opened(config) as here:
        from worker.store import migrations

        before = migrations.revision(here.engine)
        migrations.migrate(here.engine)
        after = migrations.revision(here.engine)
    if as_json:
        output.as_json({"before": before, "after": after})
    elif before == after:
        output.line(f"the database is at {after} already")
    else:
        output.line(f"the database is at {after} now" + (f", it was at {before}" if before else ""))
