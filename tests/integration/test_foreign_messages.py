"""What comes into our queues and is not ours: refused loudly, and not a word of it in the log."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from kombu import Connection

from producer.doorbell import Doorbell
from tests.support.stage import TEXT, Stage, eventually
from tests.support.worker_processes import Process, running
from worker.domain.enums import MessageClass
from worker.runtime.broker import queue_name
from worker.store import migrations
from worker.store.db import database

Write = Callable[..., Path]
SOLO = ["-m", "worker", "otp", "notice", "marketing", "ticks"]
PREFORK = ["-m", "celery", "-A", "worker", "worker", "-Q", "notice", "-c", "2", "-l", "DEBUG"]
NUMBER, CONTENT = "13800000001", "【信使】独一无二的正文"
PAYLOAD = {"version": 1, "key": f"code-{NUMBER}", "to": [NUMBER], "text": CONTENT}
QUEUE = queue_name(MessageClass.NOTICE)

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("kind", ["sqlite"])]


@contextmanager
def an_application(stage: Stage, broker_url: str) -> Iterator[Celery]:
    """An application that knows the broker alone; the queues are there already."""
    with Celery("app", set_as_current=False) as app:
        app.conf.update(broker_url=broker_url, task_create_missing_queues=False)
        app.conf.task_queues = Doorbell(stage.settings)._celery_app().conf.task_queues
        yield app


def send_foreign_messages(app: Celery, broker_url: str) -> int:
    """Send every kind of message that is none of ours; return how many."""
    arguments = {"args": [PAYLOAD], "kwargs": {"to": NUMBER, "text": CONTENT}}
    for name in ("shop.tasks.send_sms", f"send.{NUMBER}"):
        app.send_task(name, queue=QUEUE, **arguments)
    app.send_task("shop.tasks.later", queue=QUEUE, headers={"id": NUMBER}, **arguments)
    options: dict[str, Any] = {"routing_key": QUEUE, "serializer": "json"}
    with Connection(broker_url) as connection, connection.Producer() as producer:
        producer.publish({"to": NUMBER, "text": CONTENT}, **options)
        producer.publish([NUMBER, CONTENT], **options)
        task = {"id": NUMBER, "task": "shop.old", "args": [NUMBER], "kwargs": {"text": CONTENT}}
        producer.publish(task, **options)
        headers = {"task": "xinshi.tick", "id": "1", "eta": CONTENT}
        producer.publish([[NUMBER], {}, {}], headers=headers, **options)
        producer.publish(f"{NUMBER}{CONTENT}", routing_key=QUEUE, content_type="application/json")
    return 8


def send_wrong_calls(app: Celery) -> int:
    """Call our own tasks with arguments that they do not have; return how many fail."""
    app.send_task("xinshi.tick", queue=QUEUE, args=[NUMBER, CONTENT])
    app.send_task("xinshi.enqueue", queue=QUEUE, kwargs={NUMBER: CONTENT})
    app.send_task("xinshi.enqueue", queue=QUEUE, args=[PAYLOAD], kwargs={CONTENT: NUMBER})
    return 3


def assert_says_nothing(process: Process) -> None:
    log = process.log.read_text("utf-8")
    assert NUMBER not in log
    assert "独一无二" not in log
    assert ascii("独一无二").strip("'") not in log


@pytest.mark.parametrize("arguments", [SOLO, PREFORK], ids=["solo", "prefork"])
@pytest.mark.parametrize("door", [False, True], ids=["closed", "open"])
def test_no_message_that_is_not_ours_is_printed_and_each_is_refused(
    stage: Stage,
    configured: Write,
    broker_urls: dict[str, str],
    arguments: list[str],
    door: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """I8 at the level that tells most: Celery itself would print bodies and arguments."""
    config = configured({"bulk": {}}, celery_door=door, log_level="DEBUG", **broker_urls)
    broker_url = broker_urls["broker_url"]
    with running(arguments, config) as process, an_application(stage, broker_url) as app:
        foreign = send_foreign_messages(app, broker_url)
        failing = send_wrong_calls(app)
        app.send_task("xinshi.ring", queue=QUEUE, args=[f"{NUMBER}{CONTENT}"])
        app.send_task("xinshi.enqueue", queue=QUEUE, args=[PAYLOAD | {"text": "\ud800" + CONTENT}])
        app.send_task("xinshi.enqueue", queue=QUEUE, args=[PAYLOAD])
        eventually(lambda: process.said("broker.foreign_message", foreign))
        eventually(lambda: process.said("task.failed", failing))
        if door:
            eventually(lambda: len(stage.taken()) == 1)
            eventually(lambda: process.said("door.refused"))
        else:
            eventually(lambda: process.said("door.closed", 2))
        assert_says_nothing(process)
    assert len(stage.taken()) == int(door)


def test_a_message_of_the_door_waits_in_the_broker_for_the_database(
    stage: Stage, configured: Write, broker_urls: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "late.db"
    late = f"sqlite:///{file}"
    config = configured({"bulk": {}}, celery_door=True, **broker_urls)
    text = config.read_text("utf-8")
    config.write_text(text.replace(stage.database, late), "utf-8")
    with running(SOLO, config) as process, an_application(stage, broker_urls["broker_url"]) as app:
        app.send_task("xinshi.enqueue", queue=QUEUE, args=[PAYLOAD | {"text": TEXT}])
        eventually(lambda: process.said("door.waits", 2))
        engine = database.connect(late)
        migrations.migrate(engine)
        engine.dispose()
        eventually(lambda: len(stage.taken()) == 1)
        assert_says_nothing(process)
