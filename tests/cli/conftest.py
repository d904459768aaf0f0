"""A place to run commands in: a folder with a configuration, a database and a sandbox."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner, Result

from producer.cli.app import app
from tests.support.stage import TOP, section
from worker.config import settings
from worker.domain.enums import MessageClass
from worker.runtime.process import WorkerProcess
from worker.sandbox import Sandbox
from worker.store import migrations
from worker.store.db import database

TEXT = "【信使】您的订单已发货"


class Place:
    """Where commands are run, as a person would: in the folder of `xinshi.toml`."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self.engine = database.connect(f"sqlite:///{folder / 'xinshi.db'}")

    def configure(self, *names: str, more: Mapping[str, Any] | None = None, **top: Any) -> None:
        """Write a configuration with these accounts of the stage, and others as given."""
        accounts = {name: section(self.sandbox, name) for name in names} | dict(more or {})
        lines = [f"{key} = {json.dumps(value)}" for key, value in {**TOP, **top}.items()]
        for name, account in accounts.items():
            lines.append(f"\n[accounts.{name}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in account.items()]
        (self.folder / "xinshi.toml").write_text("\n".join(lines), "utf-8")

    def run(self, *words: str, typed: str | bytes | None = None) -> Result:
        """Run a command; an exception that is no exit is the test's failure."""
        result = CliRunner().invoke(app, list(words), input=typed)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def done(self, *words: str, typed: str | bytes | None = None, code: int = 0) -> str:
        """Run a command that ends with this exit code; returns what it printed."""
        result = self.run(*words, typed=typed)
        assert result.exit_code == code, result.output
        return str(result.stdout)

    def data(self, *words: str, typed: str | bytes | None = None, code: int = 0) -> Any:
        """Run a command with --json and return the data."""
        return json.loads(self.done(*words, "--json", typed=typed, code=code))

    def fails(self, *words: str, code: int = 1, typed: str | bytes | None = None) -> str:
        """Run a command that ends with this exit code; returns what it said of it."""
        result = self.run(*words, typed=typed)
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return str(result.stderr)

    def write(self, name: str, text: str, encoding: str = "utf-8") -> str:
        """Write a file, and return its path as one says it on the command line."""
        (self.folder / name).write_bytes(text.encode(encoding))
        return name

    @contextmanager
    def working(self) -> Iterator[WorkerProcess]:
        """Run a worker for all classes."""
        runtime = WorkerProcess(settings.load(), list(MessageClass))
        runtime.start()
        try:
            yield runtime
        finally:
            runtime.stop()


@pytest.fixture(scope="session", autouse=True)
def _quiet() -> Iterator[None]:
    """Logs go nowhere: the streams of a command end with it, those of a worker's threads do not."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the newest schema, to be copied."""
    path = tmp_path_factory.mktemp("cli") / "xinshi.db"
    engine = database.connect(f"sqlite:///{path}")
    migrations.migrate(engine)
    engine.dispose()
    return path


@pytest.fixture
def place(
    tmp_path: Path, sandbox: Sandbox, migrated: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    """A folder with all accounts of the stage and a migrated database; nothing runs."""
    shutil.copy(migrated, tmp_path / "xinshi.db")
    monkeypatch.chdir(tmp_path)
    # A terminal of some width, without colours: what is printed does not depend on where.
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("FORCE_COLOR", "GITHUB_ACTIONS", "PY_COLORS"):
        monkeypatch.delenv(name, raising=False)
    made = Place(tmp_path, sandbox)
    made.configure("bulk", "codes", "v1", "jzy", "me")
    yield made
    made.engine.dispose()


@pytest.fixture
def interrupted() -> Callable[..., Any]:
    """Something that a person ends by Ctrl-C."""

    def run(*_words: Any, **_more: Any) -> Any:
        raise KeyboardInterrupt

    return run
