"""The first schema."""

from alembic import op
from sqlalchemy import text

from worker import views
from worker.tables import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create all tables and the view."""
    bind = op.get_bind()
    metadata.create_all(bind)
    query = views.described().compile(dialect=bind.dialect, compile_kwargs={"literal_binds": True})
    bind.execute(text(f"CREATE VIEW {views.NAME} AS {query}".replace(":", "\\:")))
