"""docs/architecture.md: every name on the map is in the code, and every room is on the map."""

import importlib
import re
from functools import reduce

import pytest

from tests.support import documents

PAGE = documents.read("docs/architecture.md")
NAMES = sorted(set(re.findall(r"`((?:worker|producer)(?:\.\w+)+)`", PAGE)))
PATHS = sorted(set(re.findall(r"`((?:worker|producer|tests|deploy)/[\w/.]*|Procfile)`", PAGE)))
#: A name that stands behind a file in brackets, or in its row.
BESIDE = {
    "parse": "worker.domain.recipient_windows",
    "wait": "worker.domain.recipient_windows",
    "counts_until": "worker.domain.recipient_windows",
    "max_counting_time": "worker.domain.recipient_windows",
    "needs_exact_ends": "worker.domain.recipient_windows",
    "_next_opening": "worker.domain.recipient_windows",
    "Windows": "worker.domain.recipient_windows",
    "note_inbound": "worker.store.callback_outbox",
    "CallbackEvent": "worker.store.feedback.callback_turns",
    "body": "worker.feedback.callback_events",
    "application": "tests.feedback.test_callbacks",
    "Stage": "tests.support.stage",
    "Hand": "tests.support.by_hand",
    "TRANSACTION_MESSAGES": "worker.store.intake.campaign_rows",
    "callback_event": "worker.store.schema.tables",
    "MessageClass": "worker.domain.enums",
    "_all_ticks": "worker.runtime.ticker.Ticker",
}


def resolve(name: str) -> object:
    """Return what a dotted name stands for: a module, or something in one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            module = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        return reduce(getattr, parts[length:], module)
    raise LookupError(name)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_on_the_map_is_in_the_code(name: str) -> None:
    assert resolve(name) is not None


@pytest.mark.parametrize("path", PATHS)
def test_a_path_on_the_map_leads_somewhere(path: str) -> None:
    assert (documents.ROOT / path).exists()


@pytest.mark.parametrize("name", BESIDE)
def test_a_name_beside_a_file_is_in_it(name: str) -> None:
    assert f"`{name}`" in PAGE
    assert resolve(f"{BESIDE[name]}.{name}") is not None


def test_every_room_is_on_the_map() -> None:
    rooms = {path.parent.name for path in (documents.ROOT / "worker").glob("*/__init__.py")}
    told = {row[0].strip("`").removeprefix("worker.") for row in _rows("The rooms")}
    assert told == rooms


def test_ten_things_can_be_added() -> None:
    assert len(_rows("I want to add …")) == 10


def _rows(heading: str) -> list[list[str]]:
    return [list(row) for row in documents.rows(documents.section(PAGE, heading))]


def test_the_map_is_where_a_newcomer_looks() -> None:
    for page in ("README.md", "README.zh-CN.md", "CONTRIBUTING.md"):
        assert "docs/architecture.md" in documents.read(page), page


def test_the_walks_name_what_they_walk_through() -> None:
    """Each step of a walk names at least one function or class, by its whole path."""
    for heading in re.findall(r"^### (.*)$", PAGE, re.MULTILINE):
        section = documents.section(PAGE, heading)
        steps = re.split(r"^\d+\. ", section, flags=re.MULTILINE)[1:]
        assert len(steps) >= 5, heading
        assert all(re.search(r"`(?:worker|producer)\.", step) for step in steps), heading
