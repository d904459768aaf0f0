"""A database that refuses something is told with what to do, by `migrate` and by the doctor."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import make_url, text

from tests.cli.conftest import Place
from tests.support.servers import Databases


@contextmanager
def user(databases: Databases, kind: str, url: str, *grants: str) -> Iterator[str]:
    """Make a user with some rights on a database, and give the URL by which it comes in."""
    name = f"xinshi_test_{secrets.token_hex(4)}"
    schema = make_url(url).database
    made = f"'{name}'@'%'" if kind == "mysql" else name
    identified = "IDENTIFIED BY 'x'" if kind == "mysql" else "LOGIN PASSWORD 'x'"
    with databases.admin(kind).connect() as admin:
        admin.execute(text(f"CREATE USER {made} {identified}"))
        for grant in grants:
            admin.execute(text(grant.format(user=made, database=schema)))
    try:
        comes_in = make_url(url).set(username=name, password="x")
        yield comes_in.render_as_string(hide_password=False)
    finally:
        with databases.admin(kind).connect() as admin:
            admin.execute(text(f"DROP USER {made}"))


def wrong(place: Place) -> dict[str, str]:
    return {one["what"]: one["problem"] for one in place.data("doctor", code=1) if not one["ok"]}


def test_mysql_without_create_view_is_told_and_the_next_migration_makes_it(
    place: Place, databases: Databases
) -> None:
    rights = "CREATE, ALTER, DROP, INDEX, REFERENCES, SELECT, INSERT, UPDATE, DELETE"
    with (
        databases.bare("mysql") as url,
        user(databases, "mysql", url, "GRANT " + rights + " ON {database}.* TO {user}") as own,
    ):
        place.configure("bulk", database_url=own)
        assert "CREATE VIEW" in place.fails("migrate")
        assert "xinshi_messages is missing" in wrong(place)["migrations"]
        place.configure("bulk", database_url=url)
        place.done("migrate")
        assert "migrations" not in wrong(place)
        assert "already" in place.done("migrate")


def test_postgresql_without_rights_on_public_is_told(place: Place, databases: Databases) -> None:
    with (
        databases.bare("postgresql") as url,
        user(databases, "postgresql", url) as own,
    ):
        place.configure("bulk", database_url=own)
        said = place.fails("migrate")
        assert "lacks a right" in said
        assert "no tables of Xinshi yet" not in said


def test_postgresql_that_is_read_only_is_told(place: Place, databases: Databases) -> None:
    with databases.fresh("postgresql") as migrated, databases.bare("postgresql") as bare:
        for url in (migrated, bare):
            name = make_url(url).database
            with databases.admin("postgresql").connect() as admin:
                admin.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
        place.configure("bulk", database_url=migrated)
        assert "takes no writes" in wrong(place)["writing"]
        place.configure("bulk", database_url=bare)
        assert "takes no writes" in place.fails("migrate")
