"""A shop's own Celery on our broker: nothing of theirs is eaten, and nothing of ours is."""

from collections import Counter
from pathlib import Path

import pytest
from celery import Celery

from tests.integration.conftest import Write
from tests.support.stage import TEXT, Stage, eventually
from tests.support.worker_processes import running

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("kind", ["sqlite"])]

WORKER = ["-m", "worker", "otp", "notice", "marketing", "ticks"]
#: The shop's queue is called as one of ours was at first.
SHOP = """
import os, pathlib
from celery import Celery

app = Celery("shop", broker=os.environ.get("SHOP_BROKER", {broker!r}))
app.conf.update(task_routes={{"shop.mail": {{"queue": "notice"}}}}, task_default_queue="notice")

@app.task(name="shop.mail")
def mail(number):
    with pathlib.Path({done!r}).open("a") as done:
        done.write(f"{{number}}\\n")
"""


@pytest.fixture
def shop(tmp_path: Path, broker_urls: dict[str, str]) -> Path:
    """The folder of the shop's application, and what its tasks have done."""
    folder = tmp_path / "shop"
    folder.mkdir()
    done = folder / "done"
    done.touch()
    source = SHOP.format(broker=broker_urls["broker_url"], done=str(done))
    (folder / "shop.py").write_text(source, "utf-8")
    return folder


def send(broker_url: str, task: str, *arguments: object) -> None:
    """Send a task to the queue `notice`, for each of its arguments."""
    with Celery("shop", broker=broker_url, set_as_current=False) as app:
        app.conf.update(task_default_queue="notice")
        # No shared connection: it would take the queues of the test before for its own.
        with app.connection_for_write() as connection:
            for argument in arguments:
                app.send_task(task, args=[argument], queue="notice", connection=connection)


def test_a_shop_s_tasks_are_left_to_it_and_ours_are_heard(
    stage: Stage, configured: Write, broker_urls: dict[str, str], shop: Path
) -> None:
    config = configured({"bulk": {}}, look_every="30s", **broker_urls)
    send(broker_urls["broker_url"], "shop.mail", *range(20))
    with running(WORKER, config) as ours:
        eventually(lambda: ours.said("broker.queue_left"))
        stage.enqueue("13800000001", TEXT)
        eventually(lambda: len(stage.taken()) == 1, within=15)
        command = ["-m", "celery", "-A", "shop", "worker", "-Q", "notice", "-P", "solo"]
        (shop / "xinshi.toml").touch()
        with running(command, shop / "xinshi.toml", name="shop", ready=False, path=shop):
            eventually(lambda: len(done(shop)) == 20)
        stage.enqueue("13800000002", TEXT)
        eventually(lambda: len(stage.taken()) == 2, within=15)
        assert not ours.said("broker.foreign_message")
    assert Counter(done(shop)) == Counter(map(str, range(20)))


def done(shop: Path) -> list[str]:
    return (shop / "done").read_text("utf-8").splitlines()


def test_what_the_door_was_given_under_an_old_name_is_taken(
    stage: Stage, configured: Write, broker_urls: dict[str, str]
) -> None:
    config = configured({"bulk": {}}, celery_door=True, look_every="30s", **broker_urls)
    payload = {"version": 1, "key": "order-1", "to": ["13800000001"], "text": TEXT}
    send(broker_urls["broker_url"], "xinshi.enqueue", payload)
    with running(WORKER, config):
        eventually(lambda: len(stage.taken()) == 1)
