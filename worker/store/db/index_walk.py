"""Build the statement that walks along an index from one value to the next, past equal ones.

Its cost hangs on how many different values it returns, and not on how many rows have them.
"""

from typing import Any

from sqlalchemy import Column, Connection, Subquery, literal, select


def next_values(connection: Connection, column: Column[int], after: int, limit: int) -> Subquery:
    """Return a subquery of the next different values of a column, as `value`, up to `limit`.

    `column` has to be the first one of an index.
    """
    if connection.dialect.name in {"mysql", "mariadb"}:
        # These walk so by themselves where they group by the index.
        groups = select(column.label("value")).where(column > after).group_by(column)
        return groups.order_by(column).limit(limit).subquery("walk")
    first = select(_next_value(column, literal(after)).label("value"), literal(1).label("nth"))
    walk = first.cte("steps", recursive=True)
    step = select(_next_value(column, walk.c.value), walk.c.nth + 1)
    walk = walk.union_all(step.where(walk.c.value.is_not(None), walk.c.nth < limit))
    return select(walk.c.value).where(walk.c.value.is_not(None)).subquery("walk")


def _next_value(column: Column[int], value: Any) -> Any:
    """Return the expression of the smallest value above `value`; NULL when there is none."""
    return select(column).where(column > value).order_by(column).limit(1).scalar_subquery()
