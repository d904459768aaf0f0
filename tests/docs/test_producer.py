"""docs/producer.md: its code runs, and its tables name what there is."""

from pathlib import Path

import pytest

import producer
from producer.options import MessageOptions
from tests.support import documents, example_runner
from worker.domain import errors

PAGE = documents.read("docs/producer.md")
CONFIG = """
[accounts.bulk]
gateway = "c123"
uid = "9999"
password = "9999"
"""


def test_the_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example_runner.prepare(tmp_path, CONFIG, monkeypatch)
    for nth, block in enumerate(documents.blocks(PAGE)):
        if block.language == "python":
            example_runner.run(block.text, f"docs/producer.md, block {nth}")
    example_runner.finish()


def test_every_keyword_is_told() -> None:
    told = [documents.coded(row[0]) for row in documents.rows(documents.section(PAGE, "Enqueue"))]
    assert told == [*MessageOptions.__annotations__, "session", "connection"]


def test_every_error_is_told() -> None:
    told = {
        documents.coded(row[0]) for row in documents.rows(documents.section(PAGE, "What is raised"))
    }
    public = {
        name
        for name in producer.__all__
        if isinstance(getattr(producer, name), type)
        and issubclass(getattr(producer, name), errors.XinshiError)
    }
    assert told == public - {"XinshiError"}


def test_every_public_function_is_told() -> None:
    functions = {name for name in producer.__all__ if name.islower()}
    assert all(f"`{name}" in PAGE or f"{name}(" in PAGE for name in functions)


def test_every_field_of_a_message_is_told() -> None:
    for field in producer.Message.__dataclass_fields__:
        assert f"`{field}`" in PAGE
