"""Tell what the database behind a connection can do.

Statements that differ between databases ask here, or in `dialects`, and never for a database by its
name: what they need to know is what it can do.
"""

from sqlalchemy import Connection, Engine

Bind = Connection | Engine


def takes_columns(bind: Bind) -> bool:
    """Tell whether many rows travel as columns, one parameter each (`pg_arrays`): PostgreSQL.

    Such a database also inserts, updates and reads in one statement.
    """
    return bind.dialect.name == "postgresql"


def takes_copy(bind: Bind) -> bool:
    """Tell whether rows can be sent by COPY: PostgreSQL, by the driver psycopg."""
    return takes_columns(bind) and bind.dialect.driver == "psycopg"


def takes_parallel_writes(bind: Bind) -> bool:
    """Tell whether two transactions that insert at the same time are faster than one: PostgreSQL.

    It has a process for each connection.
    """
    return takes_columns(bind)


def indexes_partially(bind: Bind) -> bool:
    """Tell whether an index can hold only the rows that fit a condition: not MySQL and MariaDB."""
    return bind.dialect.name not in {"mysql", "mariadb"}


def is_file(bind: Bind) -> bool:
    """Tell whether the database is a file with one writer at a time: SQLite."""
    return bind.dialect.name == "sqlite"


def returns_inserted(bind: Bind) -> bool:
    """Tell whether an INSERT can return the rows that it inserted, and no others.

    MySQL and MariaDB cannot; and their count of affected rows proves nothing, since it depends on
    the driver's settings whether it counts rows that were found or rows that were changed.
    """
    return bind.dialect.name not in {"mysql", "mariadb"}


def orders_returned_ids(bind: Bind) -> bool:
    """Tell whether an INSERT of many rows can return their ids in the order of the rows."""
    return bool(bind.dialect.insert_executemany_returning_sort_by_parameter_order)


def driver_error(bind: Bind) -> type[Exception]:
    """Return the class of the errors that the database's driver raises."""
    error: type[Exception] = bind.dialect.loaded_dbapi.Error
    return error
