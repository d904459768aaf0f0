"""What an application says of a request of its own, to find again in answers and callbacks."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the column, and with it the view's."""
    with op.batch_alter_table("xinshi_request") as table:
        table.add_column(sa.Column("metadata", sa.JSON(none_as_null=True), nullable=True))
