"""Say in words why a statement failed, and what to do, for the three databases."""

from typing import NamedTuple

from sqlalchemy.exc import DBAPIError


class Failure(NamedTuple):
    """How the databases say that something is wrong, and what we say of it."""

    #: SQLSTATEs of PostgreSQL, error numbers of MySQL and MariaDB, words of SQLite.
    signs: tuple[str | int, ...]
    words: str


_SCHEMA_IS_MISSING = Failure(
    ("42P01", "42703", 1146, 1054, "no such table", "no such column"),
    "the database has no tables of this version; run `xinshi migrate`",
)
#: What is known by its code; the driver's own words follow, but for those of the schema.
_FAILURES = (
    _SCHEMA_IS_MISSING,
    Failure(
        ("26000", "42P05"),
        "a pooler before the database changes connections with each transaction:"
        " set database_pooler = true",
    ),
    Failure(
        ("25006", 1290, 1792, 1836, "attempt to write a readonly database"),
        "the database takes no writes: it is a replica, or it, its user or its file is read-only;"
        " name the primary in database_url, or switch that off",
    ),
    Failure(
        ("42501", 1044, 1142, 1143, 1227),
        "the database's user lacks a right: grant it; `xinshi migrate` needs CREATE (on"
        " PostgreSQL also on the schema), ALTER, INDEX, REFERENCES, DROP and CREATE VIEW",
    ),
    Failure(
        (1665,),
        "the server's binlog_format is STATEMENT, which takes no writes at READ COMMITTED:"
        " set it to ROW or MIXED",
    ),
    Failure(
        (3750,),
        "the server's sql_require_primary_key refuses a table: switch it off for `xinshi migrate`",
    ),
    Failure(
        ("unable to open database file",),
        "the database's file or its folder cannot be opened: all processes have to run as the"
        " system user that owns them",
    ),
)


def explain(error: DBAPIError) -> str:
    """Return what is wrong and what to do, in one line without parameters."""
    failure = next((failure for failure in _FAILURES if _is(error, failure)), None)
    if failure is _SCHEMA_IS_MISSING:
        return failure.words
    if failure is not None:
        return f"{failure.words} ({reason(error)})"
    return f"the database does not answer as it should: {reason(error)}"


def is_schema_missing(error: DBAPIError) -> bool:
    """Tell whether a statement failed for want of a table or a column."""
    return _is(error, _SCHEMA_IS_MISSING)


def reason(error: DBAPIError) -> str:
    """Return why a statement failed, in one line, without its parameters."""
    return " ".join(str(error.orig).split())[:300]


def _is(error: DBAPIError, failure: Failure) -> bool:
    """Tell whether a driver's error has one of the codes, or says one of the words."""
    raised = error.orig
    if raised is None:
        return False
    state = getattr(raised, "sqlstate", None) or getattr(raised, "pgcode", None)
    number = raised.args[0] if raised.args and isinstance(raised.args[0], int) else None
    if state or number:
        return state in failure.signs or number in failure.signs
    return any(isinstance(sign, str) and sign in str(raised) for sign in failure.signs)
