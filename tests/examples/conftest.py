"""A copy of an example in a folder of its own, with Xinshi's tables beside its orders."""

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text

import producer
from worker.store import migrations
from worker.store.db import database

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Shop:
    """A copied example: where it is, and what its database holds."""

    folder: Path

    def count(self, table: str) -> int:
        """Return how many rows a table has."""
        with database.reading(producer.configure().engine) as connection:
            return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())

    def together(self) -> int:
        """Return how many orders there are, each with its one text."""
        orders, messages = self.count("shop_order"), self.count("xinshi_message")
        assert orders == messages
        return orders


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Shop]]:
    """Copies an example, migrates its database and makes it what `import` and Xinshi find."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [one for one in os.environ if re.match(r"XINSHI_(?!TEST_)", one)]:
            patch.delenv(name)
        known = set(sys.modules)

        def copy(name: str) -> Shop:
            folder = tmp_path_factory.mktemp(name) / name
            shutil.copytree(
                ROOT / "examples" / name, folder, ignore=shutil.ignore_patterns("*.db*", "__py*")
            )
            patch.setenv("XINSHI_CONFIG", str(folder / "xinshi.toml"))
            patch.syspath_prepend(str(folder))
            patch.chdir(folder)
            migrations.migrate(producer.configure().engine)
            return Shop(folder)

        yield copy
        producer.configure().close()
        patch.setattr(producer, "_default", None)
        for module in set(sys.modules) - known:
            if module.partition(".")[0] in {"app", "shop"}:
                del sys.modules[module]


@pytest.fixture(autouse=True)
def _own_environment() -> None:
    """The copy's configuration is what is read here, module by module."""
