"""Running the code that documents show: in a folder of its own, beside a migrated database."""

import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

import producer
from worker.store import migrations


def prepare(folder: Path, config: str, patch: pytest.MonkeyPatch, **files: str) -> None:
    """Put a configuration and files into a folder, go there, and make Xinshi's tables."""
    for name, text in {"xinshi.toml": config, **files}.items():
        (folder / name).write_text(text, "utf-8")
    patch.chdir(folder)
    patch.setattr(producer, "_default", None)
    migrations.migrate(producer.configure().engine)


def run(code: str, name: str) -> None:
    """Run a block as a program of its own, and close what it leaves open."""
    assert not os.environ.get("XINSHI_CONFIG")
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(code, name, "exec"), space)
    _close(space)


def finish() -> None:
    """Let go of the default producer's database."""
    producer.configure().close()


def _close(space: Mapping[str, Any]) -> None:
    for value in list(space.values()):
        match value:
            case sqlite3.Connection():
                value.close()
            case Engine():
                value.dispose()
            case Session():
                bind = value.get_bind()
                if isinstance(bind, Engine):
                    bind.dispose()
