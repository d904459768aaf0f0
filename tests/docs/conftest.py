"""A database with Xinshi's tables, for the statements that the documents show."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from worker.store import migrations
from worker.store.db import database


@pytest.fixture
def migrated(tmp_path: Path) -> Iterator[Engine]:
    """An SQLite database with the tables of this version."""
    engine = database.connect(f"sqlite:///{tmp_path / 'xinshi.db'}")
    migrations.migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture(autouse=True)
def nothing_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """The documents' configurations are read as they stand."""
    for name in [one for one in os.environ if re.match(r"XINSHI_(?!TEST_)", one)]:
        monkeypatch.delenv(name)
