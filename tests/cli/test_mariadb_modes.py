"""Modes of a MariaDB in which some statements are refused: said in words, or met."""

from collections.abc import Iterator

import pytest

from tests.cli.conftest import Place
from tests.support.faults import servers
from tests.support.stage import eventually, mobiles
from worker.sandbox import numbers_taken

pytestmark = pytest.mark.slow


class Replicated(servers.MariaDB):
    """A primary that writes a log of its statements, and keeps tables to what can be replicated."""

    more = (
        *("--log-bin=log", "--server-id=1", "--binlog-format=STATEMENT"),
        *("--innodb-force-primary-key=ON", "--innodb-autoinc-lock-mode=2"),
    )


@pytest.fixture
def server() -> Iterator[Replicated]:
    with servers.folder() as folder:
        started = Replicated(folder)
        started.prepare()
        started.execute("CREATE DATABASE shop CHARACTER SET utf8mb4")
        yield started
        started.kill()


def test_statements_in_the_log_are_refused_in_words_and_leave_nothing_in_the_way(
    place: Place, server: Replicated
) -> None:
    """Then, with rows in the log and a primary key asked of each table, a campaign runs."""
    place.configure("bulk", database_url=server.url("shop"))
    assert "set it to ROW or MIXED" in place.fails("migrate")
    server.execute("SET GLOBAL binlog_format = 'ROW'")
    place.done("migrate")
    server.execute("SET GLOBAL binlog_format = 'STATEMENT'")
    checks = {check["what"]: check for check in place.data("doctor", code=1)}
    assert "set it to ROW or MIXED" in checks["writing"]["problem"]
    assert "set it to ROW or MIXED" in place.fails(
        "send", "--to", "13800138000", "--text", "【信使】您好"
    )
    server.execute("SET GLOBAL binlog_format = 'MIXED'")
    numbers = place.write("numbers.csv", "\n".join(["手机", *mobiles(200)]))
    place.done("send", "--to", "13800138000", "--text", "【信使】您好")
    text = "【信使】上新，拒收请回复R"
    place.done("campaign", "create", "--recipients", numbers, "--text", text, "--yes")
    with place.working():
        eventually(lambda: numbers_taken(str(place.sandbox.ledger)).total() == 201)
