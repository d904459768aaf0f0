"""The embedded server's socket lies in a folder of this user alone, or nothing starts."""

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from producer.cli.doctor_checks import run_checks
from producer.cli.session import Session
from producer.local.embedded_valkey import EmbeddedServer
from worker import celery
from worker.config import settings as configuration
from worker.config.settings import Settings
from worker.domain.errors import ConfigurationError
from worker.runtime import broker


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A configuration whose state has too long a path for a socket."""
    # The system's folder for temporary files has a short path, as this one.
    with tempfile.TemporaryDirectory(prefix="x-") as short_folder:
        monkeypatch.setattr("tempfile.tempdir", short_folder)
        made = configuration.parse({"state_dir": "d" * 107}, tmp_path, {})
        assert broker.socket_path(made).parent != made.state_folder
        yield made


def open_to_others(folder: Path) -> None:
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)


def link(folder: Path) -> None:
    folder.parent.joinpath("elsewhere").mkdir(mode=0o700)
    folder.symlink_to(folder.parent / "elsewhere")


def another_users(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    try:
        os.chown(folder, 65534, 65534)
    except PermissionError:
        pytest.skip("only root can give a folder away")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (open_to_others, "is open to other users"),
        (link, "is no folder"),
        (another_users, "is another user's"),
    ],
)
def test_a_socket_s_folder_that_others_control_is_refused_by_server_worker_and_doctor(
    settings: Settings, make: Callable[[Path], None], reason: str
) -> None:
    folder = broker.socket_path(settings).parent
    make(folder)
    with pytest.raises(ConfigurationError, match=reason), EmbeddedServer(settings):
        pytest.fail("it took a folder of somebody else's")
    with pytest.raises(ConfigurationError, match=reason) as refusal:
        celery.application(settings)
    assert str(folder) in str(refusal.value)
    assert "set a state_dir with a shorter path" in str(refusal.value)
    first = next(iter(run_checks(Session(settings))))
    assert first.subject == "configuration: state_dir"


def test_a_folder_of_our_own_is_made_for_this_user_alone(settings: Settings) -> None:
    folder = broker.socket_path(settings).parent
    for _ in range(2):
        with EmbeddedServer(settings) as server:
            assert server.is_alive
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
