"""docs/security.md: every test that it names is there."""

import ast
import re
from functools import cache

import pytest

from tests.support import documents

NAMED = sorted(
    set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", documents.read("docs/security.md")))
)


@cache
def functions(path: str) -> frozenset[str]:
    tree = ast.parse(documents.read(path))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, kinds))


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_what_holds_is_shown_by_a_test_that_is_there(path: str, name: str) -> None:
    assert not name or name in functions(path)


def test_every_line_of_the_tables_says_what_shows_it() -> None:
    rows = documents.rows(documents.read("docs/security.md"))
    assert len(rows) > 70
    assert [row for row in rows if "tests/" not in row[-1] and "not tested" not in row[-1]] == []
