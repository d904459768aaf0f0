"""Tells how many connections this process may have, by the files that it may open."""

import resource

#: The most connections of a process, however many files it may open: heads that are not complete
#: are kept in memory.
MAX_CONNECTIONS = 2000
#: Open files that are not connections' own: the database, the log, libraries, and connections that
#: were accepted in one turn and not counted yet.
RESERVED_FILES = 128
#: Files of a connection: its socket, and what it uploads or downloads.
FILES_PER_CONNECTION = 2


def connection_capacity() -> int:
    """Return how many connections this process can have without using up its files."""
    file_limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if file_limit == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(1, min(MAX_CONNECTIONS, (file_limit - RESERVED_FILES) // FILES_PER_CONNECTION))
