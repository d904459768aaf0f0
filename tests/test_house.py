"""The house: few rooms, no circle, short files, and names that say what they name."""

import ast
import importlib.util
import statistics
import tomllib
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(path for top in ("worker", "producer") for path in (ROOT / top).rglob("*.py"))
#: Steps of the schema's history stay as they were made, and the tables are one list.
LONG_FILES = ("worker/store/migrations/", "worker/store/schema/")


def name_of(path: Path) -> str:
    """Return the dotted name of a module or package."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): ast.parse(path.read_text("utf-8")) for path in FILES}


def imports_of(tree: ast.Module) -> set[str]:
    """Return our modules that a module imports: anywhere in it, for its types alone too."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            children = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {child if child in MODULES else node.module for child in children}
    return names & MODULES.keys()


def lines_of(path: Path) -> int:
    """Return how many lines a file has."""
    return len(path.read_text("utf-8").splitlines())


def test_worker_is_a_dozen_rooms_and_few_modules_stand_outside_of_them() -> None:
    rooms = [path.parent.name for path in (ROOT / "worker").glob("*/__init__.py")]
    assert len(rooms) <= 12
    assert len(list((ROOT / "worker").glob("*.py"))) <= 6


def test_the_layers_are_rooms() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (house,) = [
        contract
        for contract in project["tool"]["importlinter"]["contracts"]
        if contract.get("exhaustive") and contract["containers"] == ["worker"]
    ]
    assert len(house["layers"]) <= 14


def test_no_folder_is_a_heap() -> None:
    modules = Counter(path.parent for path in FILES)
    assert max(modules.values()) <= 36


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name: imports_of(tree) - {name} for name, tree in MODULES.items()}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_files_are_short() -> None:
    lengths = {path.relative_to(ROOT).as_posix(): lines_of(path) for path in FILES}
    assert statistics.median(lengths.values()) <= 100
    assert not {
        name: length
        for name, length in lengths.items()
        if length > 350 and not name.startswith(LONG_FILES)
    }


def test_a_class_name_stands_for_hardly_more_than_one_thing() -> None:
    names = Counter(
        node.name
        for tree in MODULES.values()
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert not {name: count for name, count in names.items() if count > 2}


def test_the_tables_are_the_stores_alone() -> None:
    """But for what proves the promise: it asks the tables as a stranger would."""
    importers = {
        name
        for name, tree in MODULES.items()
        if any(module.startswith("worker.store.schema") for module in imports_of(tree))
    }
    assert {name for name in importers if not name.startswith("worker.store")} <= {
        "worker.settlement.invariants",
        "worker.settlement.ledger",
    }


def test_a_command_is_imported_by_the_command_line_alone() -> None:
    importers = {
        name
        for name, tree in MODULES.items()
        if any(module.startswith("producer.cli.commands.") for module in imports_of(tree))
    }
    assert importers == {"producer.cli.app"}


@pytest.fixture(scope="module")
def dev() -> ModuleType:
    """Loads the runner, which holds names to their rule."""
    spec = importlib.util.spec_from_file_location("dev", ROOT / "dev.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_pronoun_is_a_name(dev: ModuleType) -> None:
    assert dev.pronouns() == 0


def test_a_pronoun_is_seen_wherever_a_name_is_given(
    dev: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev, "ROOT", tmp_path)
    file = tmp_path / "module.py"
    file.write_text("def f(one):\n    for each in one:\n        said = each\n    return one\n")
    assert sorted(name for _, _, name in dev.pronouns_in(file)) == ["each", "one", "said"]
