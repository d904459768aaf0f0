"""The doctor tells a transaction pooler that the configuration does not name."""

import pytest

from tests.cli.conftest import Place
from tests.support import pgbouncer
from tests.support.servers import Databases


@pytest.mark.parametrize("named", [False, True])
def test_the_doctor_tells_a_pooler_that_was_not_named(
    place: Place, databases: Databases, *, named: bool
) -> None:
    with databases.fresh("postgresql") as direct, pgbouncer.before(direct) as url:
        place.configure("bulk", database_url=url, database_pooler=named)
        found = {check["what"]: check for check in place.data("doctor", code=1)}
    assert ("database_pooler" in found) != named
    if not named:
        assert "database_pooler = true" in found["database_pooler"]["advice"]
