"""The deployment files: they parse, their commands exist, and they give workers time to stop."""

import configparser
import itertools
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.support import documents
from worker.config.settings import Settings, parse
from worker.domain.enums import MessageClass
from worker.runtime.broker import TICKS_QUEUE

from .test_commands import QUEUES, check, runner

DEPLOY = documents.ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
#: What a worker is given beyond its longest call, in seconds (worker/runtime/process.py).
BEYOND = 5
#: Where outcomes are kept while the database is away: beside the configuration, and writable.
KEPT = "/srv/xinshi/.xinshi"


def everything(name: str) -> list[Any]:
    yaml = pytest.importorskip("yaml", reason="PyYAML reads the deployment files")
    return list(yaml.safe_load_all((DEPLOY / name).read_text("utf-8")))


def settings(text: str) -> Settings:
    wanted = re.findall(r'env = "(\w+)"', text)
    return parse(tomllib.loads(text), Path(), dict.fromkeys(wanted, "x" * 43))


def secrets(text: str) -> set[str]:
    return set(re.findall(r'env = "(\w+)"', text))


#: What the configuration leaves to the environment.
METRICS = {"XINSHI_METRICS_HOST", "XINSHI_METRICS_PORT"}
NAMED = {"XINSHI_DATABASE_URL", "XINSHI_BROKER_URL", *METRICS}

CONFIG = documents.read("deploy/xinshi.toml")
GRACE = BEYOND + max(one.settings.timeout for one in settings(CONFIG).accounts.values())


def check_probe(worker: list[str], probe: list[str]) -> None:
    """A worker is asked for the progress of the classes that it serves, and of the ticks."""
    check(probe)
    served = worker[worker.index("--queues") + 1].split(",")
    asked = {word for before, word in itertools.pairwise(probe) if before == "--class"}
    assert asked == {*served, TICKS_QUEUE}


def check_all(commands: list[list[str]]) -> None:
    """All processes are there: a worker for each class, the ticks, beat, and the migration."""
    for words in commands:
        check(words)
    served = {
        queue
        for words in commands
        if "--queues" in words
        for queue in words[words.index("--queues") + 1].split(",")
    }
    assert served == QUEUES
    assert ["celery", "-A", "worker", "beat"] in commands
    assert any(words[:2] == ["xinshi", "web"] for words in commands)
    assert ["xinshi", "migrate"] in commands


def test_the_compose_file() -> None:
    (compose,) = everything("compose.yaml")
    services = compose["services"]
    ours = {name: one for name, one in services.items() if one.get("image") == "xinshi"}
    check_all([one["command"] for one in ours.values()])
    for one in ours.values():
        assert int(one["stop_grace_period"].removesuffix("s")) >= GRACE
        assert secrets(CONFIG) | NAMED == set(one["environment"])
        assert "./xinshi.toml:/srv/xinshi/xinshi.toml:ro" in one["volumes"]
        if "--queues" in one["command"]:
            check_probe(one["command"], one["healthcheck"]["test"][1:])
    for one in services.values():
        assert set(one.get("depends_on", ())) <= set(services)
    mounts = [one.partition(":") for each in services.values() for one in each.get("volumes", ())]
    assert {name for name, _, _ in mounts if name[0] != "."} == set(compose["volumes"])
    assert {KEPT} == {path for name, _, path in mounts if name == "kept"}


def test_the_kubernetes_manifests() -> None:
    (kustomization,) = everything("kubernetes/kustomization.yaml")
    names = {path.name for path in (DEPLOY / "kubernetes").glob("*.yaml")}
    assert set(kustomization["resources"]) == names - {"kustomization.yaml"}
    assert kustomization["configMapGenerator"] == [
        {"name": "xinshi-config", "files": ["xinshi.toml"]}
    ]
    found = [one for name in kustomization["resources"] for one in everything(f"kubernetes/{name}")]
    by_kind: dict[str, list[Any]] = {}
    for one in found:
        by_kind.setdefault(one["kind"], []).append(one)
    (secret,) = by_kind["Secret"]
    assert set(secret["stringData"]) == secrets(CONFIG) | {
        "XINSHI_DATABASE_URL",
        "XINSHI_BROKER_URL",
    }
    assert documents.read("deploy/kubernetes/xinshi.toml") == CONFIG
    pods = [one["spec"]["template"]["spec"] for one in by_kind["Deployment"] + by_kind["Job"]]
    check_all([pod["containers"][0]["args"] for pod in pods])
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"]
        # Kubernetes would put XINSHI_WEB_PORT and its like into the environment: settings of ours.
        assert pod["enableServiceLinks"] is False
        assert all("sizeLimit" in one.get("emptyDir", {"sizeLimit": 0}) for one in pod["volumes"])
        assert "memory" in pod["containers"][0]["resources"]["limits"]
        mounted = {one["name"] for one in pod["containers"][0]["volumeMounts"]}
        assert mounted == {one["name"] for one in pod["volumes"]}
    for deployment in by_kind["Deployment"]:
        spec = deployment["spec"]
        assert spec["template"]["spec"]["terminationGracePeriodSeconds"] >= GRACE
        container = spec["template"]["spec"]["containers"][0]
        if "--queues" in container["args"]:
            assert KEPT in {one["mountPath"] for one in container["volumeMounts"]}
            check_probe(container["args"], container["livenessProbe"]["exec"]["command"])
        assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl renders the manifests")
def test_the_rendered_manifests_name_the_image_and_the_configuration_that_are_given() -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML reads the deployment files")
    rendered = subprocess.run(
        ["kubectl", "kustomize", DEPLOY / "kubernetes"], check=True, capture_output=True, text=True
    ).stdout
    objects = list(yaml.safe_load_all(rendered))
    (config,) = [one for one in objects if one["kind"] == "ConfigMap"]
    assert config["data"] == {"xinshi.toml": CONFIG}
    pods = [one["spec"]["template"] for one in objects if "template" in one.get("spec", {})]
    assert len(pods) == 6
    for pod in pods:
        assert pod["metadata"]["labels"]["app.kubernetes.io/part-of"] == "xinshi"
        (volume,) = [one for one in pod["spec"]["volumes"] if one["name"] == "config"]
        assert volume["configMap"]["name"] == config["metadata"]["name"]
        assert pod["spec"]["containers"][0]["image"] == "registry.example.com/xinshi:0.1.0"


def unit_of(path: Path) -> configparser.ConfigParser:
    read = configparser.ConfigParser(interpolation=None, strict=False)
    read.optionxform = str  # type: ignore[method-assign,assignment]
    read.read_string(path.read_text("utf-8"))
    return read


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_a_unit_of_systemd(unit: Path) -> None:
    service = unit_of(unit)["Service"]
    if service.get("Type") != "oneshot":
        assert int(service["TimeoutStopSec"]) >= GRACE
    assert {"MemoryMax", "LimitNOFILE", "SystemCallFilter"} <= set(service)
    assert (service["UMask"], service["StateDirectoryMode"]) == ("0077", "0700")
    assert service["User"] == "xinshi"
    assert f"/var/lib/{service['StateDirectory']}/" in service["Environment"]
    for one in MessageClass:
        check(shlex.split(service["ExecStart"].replace("%i", one.value)))


def test_each_process_of_a_machine_has_a_port_of_its_own_for_its_metrics() -> None:
    ports = {}
    for one in MessageClass:
        drop_in = DEPLOY / "systemd" / f"xinshi-worker@{one.value}.service.d" / "metrics.conf"
        ports[f"worker_{one.value}"] = unit_of(drop_in)["Service"]["Environment"]
    web = unit_of(DEPLOY / "systemd" / "xinshi-web.service")["Service"]["Environment"]
    ports["web"] = web.split()[-1]
    assert len(set(ports.values())) == 4
    assert all(re.fullmatch(r"XINSHI_METRICS_PORT=\d+", port) for port in ports.values())
    procfile = dict(
        re.findall(r"(?m)^(\w+): env (XINSHI_METRICS_PORT=\d+) ", documents.read("Procfile"))
    )
    assert procfile == ports


def test_the_units_are_a_worker_beat_web_and_a_probe() -> None:
    names = [f"xinshi-{name}.service" for name in ("beat", "probe@", "web", "worker@")]
    assert [path.name for path in UNITS] == names
    assert "Timer" in unit_of(DEPLOY / "systemd" / "xinshi-probe@.timer")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd judges its units")
@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_finds_a_unit_hardly_exposed(unit: Path, tmp_path: Path) -> None:
    instance = tmp_path / unit.name.replace("@", "@otp")
    instance.write_text(unit.read_text("utf-8"), "utf-8")
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=30", instance],
        capture_output=True,
        text=True,
        check=False,
    )
    assert judged.returncode == 0, judged.stdout.splitlines()[-1:]


def test_a_probe_restarts_its_worker_when_it_is_late_and_for_nothing_else() -> None:
    service = unit_of(DEPLOY / "systemd" / "xinshi-probe@.service")["Service"]
    script = shlex.split(service["ExecStopPost"].removeprefix("+"))
    acted = [
        subprocess.run(
            [*script[:-1], script[-1].replace("systemctl", "echo").replace("%i", "otp")],
            env={"EXIT_STATUS": status},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for status in ("0", "1", "2", "KILL", "")
    ]
    assert acted == ["", "try-restart xinshi-worker@otp.service\n", "", "", ""]


def test_the_image_is_built_from_what_is_there_and_runs_as_nobody() -> None:
    text = documents.read("deploy/Dockerfile").replace("\\\n", " ")
    steps = [line.split() for line in text.splitlines() if line and line[0] != "#"]
    for _, *words in (step for step in steps if step[0] == "COPY" and "--from=build" not in step):
        for source in words[:-1]:
            assert (documents.ROOT / source).exists(), source
    assert f"XINSHI_CONFIG={KEPT.removesuffix('.xinshi')}xinshi.toml" in text
    assert f"VOLUME {KEPT}" in text
    (user,) = [step[1] for step in steps if step[0] == "USER"]
    assert user == "10001"
    (command,) = [step for step in steps if step[0] == "CMD"]
    assert command[1:] == ['["xinshi",', '"--help"]']
    assert not re.search(r"(?i)\b(ARG|ENV)\s+\w*(PASSWORD|KEY|SECRET)", text)


def test_the_image_takes_nothing_that_the_dockerfile_does_not_copy() -> None:
    lines = documents.read(".dockerignore").splitlines()
    assert "*" in lines
    sources = set(runner().IMAGE_SOURCES) - {"deploy/Dockerfile"}
    assert {line[1:] for line in lines if line.startswith("!")} == sources
    copied = re.findall(r"(?m)^COPY (?!--from)(.+) \S+$", documents.read("deploy/Dockerfile"))
    assert {word.removeprefix("./") for line in copied for word in line.split()} == sources


def test_the_example_of_an_environment_names_what_the_compose_file_wants() -> None:
    wanted = re.findall(r"\$\{(\w+):\?", documents.read("deploy/compose.yaml"))
    named = re.findall(r"(?m)^(\w+)=FILL-IN$", documents.read("deploy/env.example"))
    assert set(named) == set(wanted)


def test_no_secret_is_in_a_file() -> None:
    for path in DEPLOY.rglob("*"):
        if path.is_file():
            for said in re.findall(
                r"(?im)^\s*\w*(?:password|api_key|secret)\w*\s*[:=]\s*(.+)$",
                path.read_text("utf-8"),
            ):
                assert re.match(r"\{ env = |\$\{|FILL-IN", said), said
