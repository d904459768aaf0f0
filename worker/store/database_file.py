"""Notice that an SQLite file is a copy: of a machine, of a folder, or out of a backup.

Two copies that both run know nothing of each other, and both send what waited when they were made.
"""

from pathlib import Path

from sqlalchemy import Connection

from worker.store import ticks
from worker.store.db import capabilities

#: The row that holds which file it was: no tick of this name is ever run.
TICK_NAME = "database_file"


def is_noted(connection: Connection) -> bool:
    """Tell whether the database is the file that is written down, or is no file."""
    inode = _inode(connection)
    return inode is None or ticks.read_cursor(connection, TICK_NAME).get("inode") == inode


def note(connection: Connection) -> bool:
    """Write down which file the database is; tell whether it was another one before.

    A file is known by its inode, which a restart and a new name leave as it is, and a copy does
    not. False the first time.
    """
    inode, known = _inode(connection), ticks.lock_cursor(connection, TICK_NAME).get("inode")
    ticks.write_cursor(connection, TICK_NAME, {"inode": inode})
    return known not in {None, inode}


def _inode(connection: Connection) -> int | None:
    path = connection.engine.url.database
    return Path(path).stat().st_ino if capabilities.is_file(connection) and path else None
