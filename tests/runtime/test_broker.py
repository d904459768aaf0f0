"""What the broker needs beside it is said with what to write."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.support.stage import LOGINS
from worker.config import settings
from worker.domain.errors import ConfigurationError
from worker.runtime import broker

ACCOUNTS = {"v1": {**LOGINS["v1"], "base_url": "http://127.0.0.1:9"}}


@pytest.mark.parametrize(
    "url", ["amqp://guest@127.0.0.1//", "sentinel://127.0.0.1:26379?master_name=m"]
)
def test_a_redis_that_is_missing_beside_the_broker_is_said_with_an_example(url: str) -> None:
    raw = {"broker_url": url, "accounts": ACCOUNTS}
    with pytest.raises(ConfigurationError) as error:
        broker.check(settings.parse(raw, Path(), {}))
    (problem,) = error.value.problems
    assert problem.where == "redis_url"
    example = re.search(r"redis_url = .*", problem.what)
    assert example is not None
    broker.check(settings.parse(raw | tomllib.loads(example[0]), Path(), {}))
