"""The Flask example."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

import producer
from tests.support import documents

from .conftest import Shop


@pytest.fixture(scope="module")
def shop(copied: Callable[[str], Shop]) -> Shop:
    return copied("flask")


@pytest.fixture(scope="module")
def app(shop: Shop) -> Any:
    import app

    assert Path(app.__file__).parent == shop.folder
    return app


def test_an_order_and_its_text_are_stored_together(shop: Shop, app: Any) -> None:
    before = shop.together()
    answer = app.app.test_client().post("/orders", data={"number": "13800138000", "item": "tea"})
    assert answer.status_code == 201
    assert shop.together() == before + 1
    assert producer.get(answer.json["text"]).state is producer.MessageState.QUEUED


def test_an_order_that_is_refused_is_not_stored(shop: Shop, app: Any) -> None:
    before = shop.together()
    answer = app.app.test_client().post("/orders", data={"number": "12", "item": "tea"})
    assert answer.status_code == 422
    assert answer.json["problems"][0].startswith("to: ")
    assert shop.together() == before


def test_what_fails_after_the_text_was_enqueued_leaves_neither(shop: Shop, app: Any) -> None:
    def fail() -> None:
        with app.Session(app.engine) as session, session.begin():
            app.place(session, "13800138000", "tea")
            raise RuntimeError

    before = shop.together()
    with pytest.raises(RuntimeError):
        fail()
    assert shop.together() == before


def proposed(app: Any, **options: Any) -> set[str]:
    """Return what the shop's Alembic would change in the database that both use."""
    with app.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        return {change[0] for change in flatten(compare_metadata(context, app.Base.metadata))}


def flatten(changes: Any) -> Iterator[tuple[Any, ...]]:
    for change in changes:
        if isinstance(change, list):
            yield from flatten(change)
        else:
            yield change


def test_the_shop_s_alembic_leaves_our_tables_alone(app: Any) -> None:
    """With what docs/producer.md shows; without it all of them would be dropped."""
    (block,) = [
        block.text
        for block in documents.blocks(documents.read("docs/producer.md"))
        if "include_name" in block.text
    ]
    names: dict[str, Any] = {}
    exec(compile(block, "docs/producer.md", "exec"), names)
    assert "remove_table" in proposed(app)
    assert not proposed(app, include_name=names["include_name"])
