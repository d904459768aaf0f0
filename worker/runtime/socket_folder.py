"""Keep the folder of the embedded server's socket to one user, where it lies among others' files.

That is where the path of the state's own folder is too long for a socket. Whoever owns the folder
can move the socket away and put another server in its place.
"""

import os
import stat

from worker.config.settings import Settings
from worker.domain.errors import ConfigurationError, Problem
from worker.runtime import broker


def make(settings: Settings) -> None:
    """Make the socket's folder; raises `ConfigurationError` as `check` does."""
    broker.socket_path(settings).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    check(settings)


def check(settings: Settings) -> None:
    """Raise `ConfigurationError` when the folder is there and is not this user's alone."""
    folder = broker.socket_path(settings).parent
    if folder == settings.state_folder:
        return
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return
    reason = _reason(status)
    if reason:
        problem = (
            f"its path is too long for a socket, and {folder}, which takes its place, {reason}:"
            " remove that, or set a state_dir with a shorter path"
        )
        raise ConfigurationError([Problem("state_dir", problem)])


def _reason(status: os.stat_result) -> str | None:
    """Return why a folder cannot be trusted; None when it can."""
    if not stat.S_ISDIR(status.st_mode):
        return "is no folder"
    if status.st_uid != os.geteuid():
        return "is another user's"
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return "is open to other users"
    return None
