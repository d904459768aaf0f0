"""Say in words why a statement failed, and what to do, for the three databases."""

from sqlalchemy.exc import DBAPIError

#: How the three databases say that a table or a column is missing: SQLSTATE, number, words.
_SCHEMA_IS_MISSING = ("42P01", "42703", 1146, 1054, "no such table", "no such column")
#: How PostgreSQL says that a prepared statement is not there, or there already.
_STATEMENTS_ARE_MIXED = ("26000", "42P05")


def explain(error: DBAPIError) -> str:
    """Return what is wrong and what to do, in one line without parameters."""
    if _is_any(error, _STATEMENTS_ARE_MIXED):
        return (
            "a pooler before the database changes connections with each transaction:"
            " set database_pooler = true"
        )
    if _is_any(error, _SCHEMA_IS_MISSING):
        return "the database has no tables of this version; run `xinshi migrate`"
    return f"the database does not answer as it should: {reason(error)}"


def reason(error: DBAPIError) -> str:
    """Return why a statement failed, in one line, without its parameters."""
    return " ".join(str(error.orig).split())[:300]


def _is_any(error: DBAPIError, signs: tuple[str | int, ...]) -> bool:
    """Tell whether a driver's error has one of these codes, or says one of these words."""
    raised = error.orig
    if raised is None:
        return False
    state = getattr(raised, "sqlstate", None) or getattr(raised, "pgcode", None)
    number = raised.args[0] if raised.args and isinstance(raised.args[0], int) else None
    if state or number:
        return state in signs or number in signs
    return any(isinstance(sign, str) and sign in str(raised) for sign in signs)
