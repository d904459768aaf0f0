"""The sandbox stands apart: from the adapters, from frameworks, and each gateway in its file."""

import ast
import sys
from pathlib import Path

from worker import sandbox
from worker.sandbox import __main__, control, hostile, magic, rules, sides

ROOT = Path(sandbox.__file__).parent
GATEWAYS = {"fetion", "c123", "ihuyi", "apiv1", "jzyyun", "aliyun", "tencent"}


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found.add(node.module or "")
    return found


def test_nothing_of_the_rest_is_imported() -> None:
    """Standard library, httptools and itself: a misreading must not cancel itself out."""
    for path in ROOT.rglob("*.py"):
        for name in _imports(path):
            top = name.partition(".")[0]
            own = name == "worker.sandbox" or name.startswith("worker.sandbox.")
            assert own or top in sys.stdlib_module_names or top == "httptools", (path, name)


def test_sides_are_found_in_their_folder() -> None:
    assert set(sides.find()) == GATEWAYS


def test_a_gateways_name_stands_in_its_own_file_alone() -> None:
    """A sixth gateway is a new file and no edit: no string elsewhere names one."""
    for path in ROOT.glob("*.py"):
        for node in ast.walk(_without_docstrings(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not GATEWAYS & set(node.value.split("/")), (path, node.lineno)


def test_the_document_names_everything() -> None:
    """Each rule, magic number, option, control and flag stands in docs/sandbox.md."""
    text = (ROOT.parents[1] / "docs" / "sandbox.md").read_text("utf-8")
    whats = {what.removeprefix("take_then_").removeprefix("not_taken_") for what in rules.KINDS}
    options = {name for side in sides.find().values() for name in side.defaults}
    controls = {f"{method} /_control/{path}" for method, path in control.ROUTES if path != "rules"}
    magics = {f"`{magic.PREFIX}{code}xx`" for code in magic.MEANINGS}
    for word in whats | options | controls | magics | set(hostile.BODIES):
        assert word in text, word
    for action in __main__._parser()._actions:
        assert action.dest == "help" or action.option_strings[0] in text, action


def _without_docstrings(path: Path) -> ast.Module:
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            del body[0]
    return tree
