"""The Django example."""

import json
from collections.abc import Callable
from typing import Any

import pytest

import producer

from .conftest import Shop


@pytest.fixture(scope="module")
def shop(copied: Callable[[str], Shop]) -> Shop:
    import os

    import django
    from django.core.management import call_command

    made = copied("django")
    os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
    django.setup()
    call_command("migrate", verbosity=0)
    return made


@pytest.fixture
def client(shop: Shop) -> Any:
    from django.test import Client

    assert shop.count("shop_order") >= 0
    return Client()


def test_its_own_migrations_are_complete_and_leave_ours_alone(shop: Shop) -> None:
    from django.core.management import call_command

    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
    assert shop.count("xinshi_alembic_version") == 1


def test_an_order_and_its_text_are_stored_together(shop: Shop, client: Any) -> None:
    before = shop.together()
    answer = client.post("/orders", {"number": "13800138000", "item": "tea"})
    assert answer.status_code == 201
    assert shop.together() == before + 1
    said = json.loads(answer.content)
    assert producer.get(said["text"]).state is producer.MessageState.QUEUED


def test_an_order_that_is_refused_is_not_stored(shop: Shop, client: Any) -> None:
    before = shop.together()
    answer = client.post("/orders", {"number": "12", "item": "tea"})
    assert answer.status_code == 422
    assert json.loads(answer.content)["problems"][0].startswith("to: ")
    assert shop.together() == before


def test_what_fails_after_the_text_was_enqueued_leaves_neither(shop: Shop) -> None:
    from django.db import transaction
    from shop import orders

    def fail() -> None:
        with transaction.atomic():
            orders.place("13800138000", "tea")
            raise RuntimeError

    before = shop.together()
    with pytest.raises(RuntimeError):
        fail()
    assert shop.together() == before


def test_the_workers_are_told_after_the_commit_and_not_after_a_rollback(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import transaction
    from shop import orders

    rung = []
    monkeypatch.setattr(orders, "ring", lambda: rung.append("rung"))
    with transaction.atomic():
        orders.place("13800138000", "tea")
        transaction.set_rollback(True)
    assert rung == []
    with transaction.atomic():
        orders.place("13800138000", "tea")
        assert rung == []
    assert rung == ["rung"]
    assert shop.together() > 0
