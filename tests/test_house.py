"""The house: few rooms, no circle, short files, and names that say what they name."""

import ast
import importlib.util
import statistics
import tomllib
from collections import Counter
from collections.abc import Callable
from graphlib import TopologicalSorter
from pathlib import Path
from types import ModuleType

import pytest

from worker.gateways.base import Gateway

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


def modules_with(
    wanted: Callable[[ast.AST], bool], tops: tuple[str, ...] = ("worker",)
) -> set[str]:
    """Return the modules that hold a node of some kind anywhere."""
    return {
        name
        for name, tree in MODULES.items()
        if name.startswith(tops) and any(wanted(node) for node in ast.walk(tree))
    }


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


def test_submissions_are_inserted_in_one_place() -> None:
    def inserts(node: ast.AST) -> bool:
        match node:
            case ast.Call(func=ast.Name(id="insert"), args=[ast.Name(id="submission"), *_]):
                return True
            case ast.Attribute(value=ast.Name(id="submission"), attr="insert"):
                return True
            case _:
                return False

    assert modules_with(inserts) == {"worker.store.delivery.new_submissions"}


def test_what_a_gateway_says_is_read_in_one_place() -> None:
    """That place fits it to what the tables hold, for all gateways alike."""
    readers = {
        name for name in vars(Gateway) if name.startswith("read_") and callable(vars(Gateway)[name])
    }
    assert len(readers) > 5

    def reads(node: ast.AST) -> bool:
        match node:
            case ast.Attribute(value=ast.Name(id="reading")):
                return False
            case ast.Attribute(attr=name):
                return name in readers
            case _:
                return False

    callers = modules_with(reads, ("worker", "producer"))
    # An adapter may use its own readers, and the parts of a page.
    others = {name for name in callers if not name.startswith("worker.gateways.adapters.")}
    assert others == {"worker.gateways.reading"}


def test_what_databases_do_differently_stands_behind_one_folder() -> None:
    """But for types of columns, and for a caller's own DB-API connection."""

    def names_a_dialect(node: ast.AST) -> bool:
        match node:
            case ast.Attribute(attr="dialect", value=ast.Name(id="reader")):
                return False  # a CSV file's
            case ast.Attribute(attr="dialect"):
                return True
            case ast.ImportFrom(module=str(module)):
                return module.startswith("sqlalchemy.dialects")
            case _:
                return False

    allowed = ("worker.store.db", "worker.store.schema", "worker.store.migrations")
    elsewhere = modules_with(names_a_dialect, ("worker", "producer"))
    assert {name for name in elsewhere if not name.startswith(allowed)} == {"producer.dbapi"}


def test_sets_of_states_stand_beside_the_moves() -> None:
    """A set that is copied by hand misses the next state."""
    states = {"MessageState", "SubmissionState", "CampaignState", "M", "S"}

    def is_state(node: ast.AST) -> bool:
        if isinstance(node, ast.Attribute) and node.attr == "value":
            node = node.value
        return (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in states
            and node.attr.isupper()
        )

    def constants(tree: ast.Module) -> list[ast.AST]:
        return [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)]

    def is_set_of_states(node: ast.AST) -> bool:
        is_display = isinstance(node, ast.Set | ast.Tuple | ast.List)
        return is_display and len(node.elts) > 1 and all(map(is_state, node.elts))

    assert {
        name
        for name, tree in MODULES.items()
        if any(is_set_of_states(node) for part in constants(tree) for node in ast.walk(part))
    } == {"worker.domain.transitions"}


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
