"""Addresses of servers: what is nearly right is refused in words, and all clients read the same."""

from pathlib import Path

import pytest
import redis
from kombu import Connection

from producer.doorbell import Doorbell
from tests.support.worker_processes import own_redis
from worker.config import settings
from worker.domain.enums import MessageClass
from worker.domain.errors import ConfigurationError
from worker.runtime import broker

PASSWORD = "hunter2"


def parsed(**top: str) -> settings.Settings:
    return settings.parse(top, Path("/srv"), {})


def fault(**top: str) -> str:
    with pytest.raises(ConfigurationError) as refused:
        parsed(**top)
    (problem,) = refused.value.problems
    return str(problem)


@pytest.mark.parametrize(
    "url",
    [
        "redis://:p@hunter2#w/rd@127.0.0.1:6379/0",
        "redis://:hunter2#b@127.0.0.1:6379/0",
        "redis://:hunter2/b=@127.0.0.1:6379/0",
        "redis://:hunter2?b@127.0.0.1:6379/0",
        "rediss://:p@hunter2@127.0.0.1:6379/0",
        "redis://:hunter2 b@127.0.0.1:6379/0",
        "redis://127.0.0.1:hunter2/0",
        "redis://127.0.0.1:/0",
        "redis://127.0.0.1/hunter2",
        "amqp://u:p@hunter2@h:5672/v",
        "amqp://u:hunter2#b@h:5672/v",
        "sentinel://:p@hunter2@h:26379?master_name=shop",
    ],
)
def test_a_password_that_is_not_encoded_is_refused_and_not_repeated(url: str) -> None:
    for key in ("broker_url", "redis_url"):
        if key == "redis_url" and not url.startswith("redis"):
            continue
        problem = fault(**{key: url})
        assert problem.startswith(f"{key}: ")
        assert "percent-encode" in problem
        assert PASSWORD not in problem


@pytest.mark.parametrize("scheme", ["postgresql+psycopg", "mysql+pymysql"])
def test_a_database_s_password_likewise(scheme: str) -> None:
    problem = fault(database_url=f"{scheme}://shop:p@hunter2@db/shop")
    assert "percent-encode" in problem
    assert PASSWORD not in problem
    parsed(database_url=f"{scheme}://shop:p%40hunter2@db/shop")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("redis://127.0.0.1:6379/15?db=3", "db cannot stand in its query"),
        ("redis://127.0.0.1/0?socket_timeout=3", "socket_timeout cannot"),
        ("redis://127.0.0.1/0?ssl_cert_reqs=none", "ssl_cert_reqs cannot"),
        ("rediss://127.0.0.1/0?ssl_cert_reqs=never", "has to be one of required"),
        ("redis://a/0;redis://b/0", "names several servers"),
        ("redis+socket:///a?db=1", "?virtual_host=1"),
        ("sentinel://a:26379/0", "?master_name="),
        ("sentinel://a:26379;sentinel://b:26379/0?master=x", "?master_name="),
    ],
)
def test_what_the_clients_would_read_differently_is_refused(url: str, reason: str) -> None:
    assert reason in fault(broker_url=url)


@pytest.mark.parametrize(
    ("query", "check"),
    [
        ("", "required"),
        ("?ssl_cert_reqs=CERT_REQUIRED", "required"),
        ("?ssl_cert_reqs=optional", "optional"),
        ("?ssl_cert_reqs=CERT_NONE", "none"),
        ("?ssl_cert_reqs=none&ssl_ca_certs=/etc/ca.pem", "none"),
    ],
)
def test_both_clients_check_certificates_alike(query: str, check: str) -> None:
    made = parsed(broker_url=f"rediss://:{PASSWORD}@127.0.0.1:6380/0{query}")
    of_redis = redis.connection.parse_url(str(broker.redis_url(made)))
    of_kombu = Connection(broker.url(made)).info()["ssl"]
    made_context = redis.connection.SSLConnection(
        **{key: value for key, value in of_redis.items() if key.startswith("ssl_")}
    )
    assert made_context.cert_reqs == of_kombu["ssl_cert_reqs"]
    assert made_context.cert_reqs.name == f"CERT_{check.upper()}"
    assert of_redis.get("ssl_ca_certs") == of_kombu.get("ssl_ca_certs")


@pytest.mark.parametrize("query", ["", "?virtual_host=3"])
def test_both_clients_mean_the_same_database(tmp_path: Path, query: str) -> None:
    with own_redis(tmp_path) as server:
        made = parsed(broker_url=f"{server.url}{query}")
        assert Doorbell(made).ring(MessageClass.NOTICE)
        with Connection(broker.url(made)) as connection:
            assert connection.default_channel._size("xinshi.notice") == 1
