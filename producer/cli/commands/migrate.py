"""`xinshi migrate`: bring the database's schema to this version."""

import typer

from producer.cli import options, output
from producer.cli.session import open_session


def register(app: typer.Typer) -> None:
    """Add the command."""
    options.command(app, "xinshi migrate", "xinshi migrate --config prod.toml")(migrate)


def migrate(*, as_json: options.Json = False, config: options.Config = None) -> None:
    """Create Xinshi's tables in the database, or bring them to this version.

    Nothing happens when they are there already. All tables are called xinshi_…, and so is Alembic's
    version table: an application's own are not touched.
    """
    with open_session(config) as session:
        from worker.store import migrations

        previous_revision = migrations.revision(session.engine)
        migrations.migrate(session.engine)
        current_revision = migrations.revision(session.engine)
    if as_json:
        output.print_json({"before": previous_revision, "after": current_revision})
    elif previous_revision == current_revision:
        output.print_line(f"the database is at {current_revision} already")
    else:
        output.print_line(
            f"the database is at {current_revision} now"
            + (f", it was at {previous_revision}" if previous_revision else "")
        )
