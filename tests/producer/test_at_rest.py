"""What lies on the disk: files that are ours alone, and no secret in them."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from producer.local.embedded_valkey import EmbeddedServer
from tests.support.stage import LOGINS, Stage, eventually, mobiles
from worker.config import settings as reading
from worker.domain import api_keys
from worker.domain.enums import Scope
from worker.feedback import callback_signatures
from worker.runtime import broker
from worker.store import keys, migrations
from worker.store.db import database

MASTER = "a secret that callbacks are signed with"
TOKEN = "a-token-of-the-gateway-s"


@pytest.fixture(autouse=True)
def _as_usual() -> Iterator[None]:
    """Files are made by a process whose umask lets others read."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    """Return what other users may read, write or enter below a folder."""
    return [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if stat.S_IMODE(path.lstat().st_mode) & 0o077
    ]


def test_a_database_in_use_is_its_owner_s_alone(tmp_path: Path) -> None:
    """With its log, its index and its locks."""
    engine = database.connect(f"sqlite:///{tmp_path / 'xinshi.db'}")
    migrations.migrate(engine)
    with database.writing(engine) as connection:
        keys.add(connection, "shop", "0" * 64, [Scope.SEND], test=False, rate=None)
    assert (tmp_path / "xinshi.db-wal").exists()
    assert open_to_others(tmp_path) == []
    engine.dispose()


def test_the_embedded_server_listens_to_its_owner_alone(tmp_path: Path) -> None:
    """By a socket that no other user may open, in a folder that none may enter; on no port."""
    settings = reading.parse({"database_url": f"sqlite:///{tmp_path / 'x.db'}"}, tmp_path, {})
    with EmbeddedServer(settings):
        socket_path = broker.socket_path(settings)
        assert stat.S_IMODE(socket_path.stat().st_mode) == 0o600
        assert stat.S_IMODE(socket_path.parent.stat().st_mode) == 0o700
        with redis.Redis(unix_socket_path=str(socket_path)) as client:
            assert client.config_get("port") == {"port": "0"}


@pytest.mark.parametrize("kind", ["sqlite"])
def test_no_secret_lies_in_the_database(stage: Stage) -> None:
    """Neither a key, nor a password, nor a token, nor what signs callbacks."""
    codes = {"base_url": stage.sandbox.url("ihuyi"), **LOGINS["codes"], "push_tokens": [TOKEN]}
    stage.configure("v1", accounts={"codes": codes}, callback_secrets=[MASTER])
    key = api_keys.make(test=False)
    with database.writing(stage.engine) as connection:
        keys.add(connection, "shop", api_keys.digest(key), [Scope.SEND], test=False, rate=None)
    url = "https://shop.example.com/told"
    sent = stage.enqueue(mobiles(1), "您的验证码是：1234。", account="codes", callback_url=url)
    with stage.working():
        eventually(lambda: stage.states(sent)["submitted"] or stage.states(sent)["delivered"])
    file = Path(stage.database.removeprefix("sqlite:///"))
    held = b"".join(part.read_bytes() for part in file.parent.glob(f"{file.name}*"))
    assert url.encode() in held
    secrets = [key, MASTER, TOKEN, str(LOGINS["codes"]["api_key"])]
    secrets.append(callback_signatures.derive_secret(MASTER, 1).removeprefix("whsec_"))
    assert not [secret for secret in secrets if secret.encode() in held]
