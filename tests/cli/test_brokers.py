"""The doctor says which of queues, doorbell and throttle a Redis does not give us."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.conftest import Place
from tests.support.faults import servers
from worker.runtime import redis_server


class Cluster(servers.Redis):
    """A Redis Cluster of one server."""

    def command(self) -> list[str]:
        """With a port for its bus that is free, too."""
        bus = str(servers.free_port())
        return [*super().command(), "--cluster-enabled", "yes", "--cluster-port", bus]


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


@pytest.mark.parametrize("server", [servers.RedisBeforeHello], indirect=True)
def test_a_server_before_redis_6_is_named_as_such(place: Place, server: servers.Redis) -> None:
    found = checks(place, f"redis://127.0.0.1:{server.port}/0")
    assert wrong(found) == {"broker", "doorbell", "redis"}
    assert {found[name]["problem"] for name in wrong(found)} == {redis_server.TOO_OLD}


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


class Sentinel(servers.Redis):
    """A Sentinel that watches one master."""

    def command(self) -> list[str]:
        """As its configuration says, which it writes itself."""
        return [super().command()[0], str(self.folder / "sentinel.conf"), "--sentinel"]


def test_sentinel_is_asked_for_its_master(place: Place, server: servers.Redis) -> None:
    with servers.folder() as folder:
        sentinel = Sentinel(folder)
        (folder / "sentinel.conf").write_text(
            f"port {sentinel.port}\nbind 127.0.0.1\n"
            f"sentinel monitor shop 127.0.0.1 {server.port} 1\n"
        )
        sentinel.start()
        place.configure(
            "bulk",
            broker_url=f"sentinel://127.0.0.1:{sentinel.port}/0?master_name=shop",
            redis_url=f"redis://127.0.0.1:{server.port}/1",
        )
        found = {check["what"]: check for check in place.data("doctor", code=1)}
        place.done("send", "--to", "13800138000", "--text", "【信使】您好")
        sentinel.kill()
    assert found["broker"]["ok"], found["broker"]
    with server.client() as client:
        assert client.llen("xinshi.notice") == 1


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
