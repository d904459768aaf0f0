"""What Prometheus and Grafana are given: it asks for metrics that exist, and alerts as it says."""

import json
import re
import shutil
import subprocess
from typing import Any

import pytest

from producer.local.supervisor import METRICS_PROCESSES
from producer.web import database_metrics
from producer.web.api import metrics
from tests.support import documents
from worker.runtime.prometheus_backend import PrometheusBackend

PROMETHEUS = documents.ROOT / "deploy" / "prometheus"
DASHBOARD = documents.ROOT / "deploy" / "grafana" / "xinshi.json"
OPERATING = documents.read("docs/operating.md")
_METRIC = re.compile(r"\b(?:[a-z_]+:)?xinshi_\w+(?::\w+)?")


def load(name: str) -> Any:
    yaml = pytest.importorskip("yaml", reason="PyYAML reads the rules")
    return yaml.safe_load((PROMETHEUS / name).read_text("utf-8"))


def rules(name: str) -> list[dict[str, Any]]:
    return [rule for group in load(name)["groups"] for rule in group["rules"]]


def scraped_names() -> set[str]:
    """The names of all series that processes show, of histograms also the buckets'."""
    names: set[str] = set()
    for family in PrometheusBackend(lambda: 0).registry.collect():
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
        names |= {f"{family.name}{suffix}" for suffix in suffixes.get(family.type, ("",))}
    empty = [database_metrics.Reading(figure, {}) for figure in database_metrics.FIGURES]
    text = metrics.render(empty, is_outdated=False).decode()
    return names | set(re.findall(r"(?m)^# TYPE (\w+)", text))


def known_names() -> set[str]:
    return scraped_names() | {rule["record"] for rule in rules("rules.yml")}


def asked_names(text: str) -> set[str]:
    return set(_METRIC.findall(text))


def expressions(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node[key] for key in ("expr", "definition") if key in node]
        return own + [text for value in node.values() for text in expressions(value)]
    return [text for value in node for text in expressions(value)] if isinstance(node, list) else []


def test_the_dashboard_asks_for_metrics_that_exist() -> None:
    dashboard = json.loads(DASHBOARD.read_text("utf-8"))
    asked = set().union(*map(asked_names, expressions(dashboard)))
    assert asked
    assert asked <= known_names()


def test_the_dashboard_shows_every_metric_but_those_of_the_build() -> None:
    """What nobody draws and no alert asks for is not worth its series."""
    records = {rule["record"]: rule["expr"] for rule in rules("rules.yml")}
    texts = expressions(json.loads(DASHBOARD.read_text("utf-8")))
    texts += [rule["expr"] for rule in rules("alerts.yml")]
    asked = set().union(*map(asked_names, texts))
    asked |= set().union(*(asked_names(records[name]) for name in asked & set(records)))
    unasked = {re.sub(r"_(bucket|count|sum)$", "", name) for name in scraped_names() - asked}
    assert unasked <= {re.sub(r"_bucket$", "", name) for name in asked}
    assert set(records) <= asked, "rules that nobody asks for"


def test_rules_and_alerts_ask_for_metrics_that_exist() -> None:
    for rule in [*rules("rules.yml"), *rules("alerts.yml")]:
        assert asked_names(rule["expr"]) <= known_names(), rule


def test_each_alert_leads_to_the_symptom_and_the_section_that_help() -> None:
    symptoms = set(re.findall(r"(?m)^\| ([^|]+) \|", OPERATING))
    sections = {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"(?m)^#+ (.+)$", OPERATING)
    }
    for rule in rules("alerts.yml"):
        notes = rule["annotations"]
        page, _, section = notes["runbook"].partition("#")
        assert page == "docs/operating.md"
        assert section in sections, rule["alert"]
        assert notes.get("symptom") is None or notes["symptom"] in symptoms, rule["alert"]
        assert rule["labels"]["severity"] in {"page", "ticket"}


def test_the_runbook_lists_the_alerts_and_the_metrics() -> None:
    section = OPERATING.partition("\n## Metrics and alerts\n")[2].partition("\n## ")[0]
    listed = set(re.findall(r"`([A-Z]\w+)`", section))
    assert {rule["alert"] for rule in rules("alerts.yml")} <= listed
    shown = {re.sub(r"_(bucket|count|sum)$", "", name) for name in scraped_names()}
    assert shown <= set(re.findall(r"`(xinshi_\w+)(?:\{[^`]*)?`", section))


def test_every_process_of_the_compose_file_is_scraped() -> None:
    (job, database) = load("prometheus.yml")["scrape_configs"]
    assert {config["labels"]["process"] for config in job["static_configs"]} == set(
        METRICS_PROCESSES
    )
    services = documents.read("deploy/compose.yaml")
    for config in [*job["static_configs"], *database["static_configs"]]:
        (target,) = config["targets"]
        assert re.search(rf"(?m)^  {target.partition(':')[0]}:$", services)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool judges the rules")
@pytest.mark.parametrize(
    "words",
    [
        ("check", "config", "--syntax-only", "prometheus.yml"),
        ("check", "rules", "rules.yml", "alerts.yml"),
        ("test", "rules", "alerts_test.yml"),
    ],
    ids=" ".join,
)
def test_promtool_finds_nothing_wrong(words: tuple[str, ...]) -> None:
    """On recorded series: each alert fires for what it is for, and none in ordinary load."""
    judged = subprocess.run(
        [shutil.which("promtool") or "promtool", *words],
        cwd=PROMETHEUS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert judged.returncode == 0, judged.stdout + judged.stderr


def test_each_alert_is_tested_on_recorded_series() -> None:
    tested = (PROMETHEUS / "alerts_test.yml").read_text("utf-8")
    for rule in rules("alerts.yml"):
        assert rule["alert"] in tested, rule["alert"]
