"""The doctor says which of queues, doorbell and throttle a Redis does not give us."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.conftest import Place
from tests.support.faults import servers


class Cluster(servers.Redis):
    """A Redis Cluster of one server."""

    more = ("--cluster-enabled", "yes")


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[servers.Redis]:
    """A Redis of the test's own, of a kind."""
    with servers.folder() as folder:
        made = getattr(request, "param", servers.Redis)(folder)
        made.start()
        yield made
        made.kill()


def checks(place: Place, url: str) -> dict[str, dict[str, Any]]:
    place.configure("bulk", broker_url=url)
    return {check["what"]: check for check in place.data("doctor", code=1)}


def wrong(found: dict[str, dict[str, Any]]) -> set[str]:
    return {name for name in ("broker", "doorbell", "redis") if not found[name]["ok"]}


def test_a_server_that_gives_all_has_nothing_left_behind(
    place: Place, server: servers.Redis
) -> None:
    found = checks(place, f"redis://127.0.0.1:{server.port}/0")
    assert not wrong(found)
    with server.client() as client:
        left = {key.decode() for key in client.scan_iter()}
    assert not [key for key in left if "doctor" in key or "pace" in key]


@pytest.mark.parametrize("server", [Cluster], indirect=True)
def test_a_cluster_gives_none(place: Place, server: servers.Redis) -> None:
    with server.client() as client:
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 8191)
    found = checks(place, f"redis://127.0.0.1:{server.port}/0")
    assert wrong(found) == {"broker", "doorbell", "redis"}
    assert "Redis Cluster" in found["redis"]["problem"]


@pytest.mark.parametrize(
    ("rights", "missing"),
    [
        (("+@all", "-@scripting"), {"doorbell", "redis"}),
        (("+@all", "-zadd"), {"broker"}),
        (("+@all", "-hset"), {"broker", "redis"}),
    ],
)
def test_a_user_without_some_rights_is_refused_that_part(
    place: Place, server: servers.Redis, rights: tuple[str, ...], missing: set[str]
) -> None:
    with server.client() as client:
        client.acl_setuser("shop", enabled=True, passwords=["+hunter2"], keys=["*"], channels=["*"])
        client.execute_command("ACL", "SETUSER", "shop", *rights)
    found = checks(place, f"redis://shop:hunter2@127.0.0.1:{server.port}/0")
    assert wrong(found) == missing
    assert all("refuses: " in found[name]["problem"] for name in missing)
    assert "hunter2" not in str(found)


def test_a_wrong_password_and_a_server_that_takes_no_writes(
    place: Place, server: servers.Redis
) -> None:
    with server.client() as client:
        client.acl_setuser(
            "shop", enabled=True, passwords=["+right"], keys=["*"], commands=["+@all"]
        )
        found = checks(place, f"redis://shop:hunter2@127.0.0.1:{server.port}/0")
        assert wrong(found) == {"broker", "doorbell", "redis"}
        assert "hunter2" not in str(found)
        client.config_set("min-replicas-to-write", 1)
        found = checks(place, f"redis://127.0.0.1:{server.port}/0")
    assert wrong(found) == {"broker", "doorbell", "redis"}
    assert "replicas" in found["redis"]["problem"]
