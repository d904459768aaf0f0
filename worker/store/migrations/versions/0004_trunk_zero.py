"""A trunk 0 before a mobile is no landline: who opted out under it has opted out as that mobile."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the mobile of each opt-out that was stored with a 0 before it.

    No area code begins with 013 to 019, so nothing else has this form.
    """
    op.execute(
        "INSERT INTO xinshi_opt_out (msisdn, since, why)"
        " SELECT substr(written.msisdn, 2), written.since, written.why"
        " FROM xinshi_opt_out AS written"
        " WHERE written.msisdn >= '013' AND written.msisdn < '02' AND length(written.msisdn) = 12"
        " AND NOT EXISTS (SELECT 1 FROM xinshi_opt_out AS mobile"
        " WHERE mobile.msisdn = substr(written.msisdn, 2))"
    )
