"""manifests/monitoring: the alert rules and the dashboard speak of metrics that there are, in words Prometheus knows."""

import json
import re
import shutil
import subprocess

import pytest

from adapter import REPOSITORY
from scrape import Admin

MONITORING = REPOSITORY / "manifests" / "monitoring"
ALERTS = MONITORING / "alerts.yaml"
DASHBOARD = MONITORING / "dashboard.json"
NAME = re.compile(r"\bmygrpcadapter_\w+")


def promtool(*arguments):
    """Runs it; its output if it found nothing wrong."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("no promtool here")
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def panels():
    """Of the dashboard, but for the rows."""
    return [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row"]


def expressions():
    """Of all panels, with what Grafana fills in."""
    return [target["expr"].replace("$__rate_interval", "5m").replace("$instance", ".*")
            for panel in panels() for target in panel["targets"]]


def samples_of(metrics):
    """Names of samples that a scrape has, or would have: a histogram has three."""
    return metrics.names() | {name for name, _, _ in metrics.samples}


def test_every_metric_they_name_is_there(stage):
    """In the rules, in their test and in the dashboard; and hardly one is left out of the dashboard."""
    adapter = stage.start({"admin.address": "127.0.0.1:0"})
    metrics = Admin(adapter).metrics()
    there = samples_of(metrics)
    test = REPOSITORY / "tests" / "monitoring" / "alerts_test.yaml"
    for path in (ALERTS, test, DASHBOARD):
        named = set(NAME.findall(path.read_text()))
        assert named and named <= there, f"{path.name}: {sorted(named - there)}"
    shown = {re.sub("_(bucket|sum|count)$", "", name) for name in NAME.findall(DASHBOARD.read_text())}
    assert metrics.names() - shown == {f"mygrpcadapter_{name}" for name in (
        "request_bytes_total", "connections_accepted_total", "records_delivered_total", "segments", "start_time_seconds",
        "worker_connections_limit", "quarantined_total", "records_set_aside_total", "set_aside_bytes")}


def readme_rows():
    """Of the table in the README: the metrics that a row names, and the labels it says they have."""
    table = (REPOSITORY / "README.md").read_text().split("### Metrics")[1].split("Counters outlive")[0]
    cells = [line.split("|") for line in table.splitlines() if line.startswith("| `") and "mygrpcadapter_…" not in line]
    rows = [(re.findall(r"`(\w+)`", row[1]), set(re.findall(r"`(\w+)`", row[2]))) for row in cells]
    limits = re.findall(r"the limits are `(\w+)` and `(\w+)`", table)[0]
    return rows + [(list(limits), set())]


def test_readme_names_every_metric(stage):
    """The table in the README has each once, and no other."""
    metrics = Admin(stage.start({"admin.address": "127.0.0.1:0"})).metrics()
    names = [name for named, _ in readme_rows() for name in named]
    assert {f"mygrpcadapter_{name}" for name in names} == metrics.names() and len(set(names)) == len(names)


def test_readme_names_their_labels(stage):
    """Those of a row's metrics, all together."""
    metrics = Admin(stage.start({"admin.address": "127.0.0.1:0"})).metrics()
    for names, said in readme_rows():
        labels = {label for sample, labels, _ in metrics.samples for label in labels
                  if re.sub("^mygrpcadapter_", "", sample) in names}
        assert labels == said, names


def test_rules_are_rules():
    """By promtool; and each says what it means and how bad it is."""
    assert "SUCCESS" in promtool("check", "rules", ALERTS)
    text = ALERTS.read_text()
    count = text.count("- alert: ")
    assert count > 10
    for part in ("expr: ", "labels: {severity: ", "summary: ", "description: "):
        assert text.count(part) == count, part


def test_rules_fire_when_they_should():
    """The cases of tests/monitoring/alerts_test.yaml."""
    assert "SUCCESS" in promtool("test", "rules", REPOSITORY / "tests" / "monitoring" / "alerts_test.yaml")


def test_panels_ask_what_prometheus_understands(stage):
    """Each expression of the dashboard parses."""
    rules = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(expressions())]
    path = stage.home / "panels.json"  # JSON is YAML
    path.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", path)


def test_dashboard_is_laid_out():
    """Panels have ids of their own and do not lie upon each other."""
    board = json.loads(DASHBOARD.read_text())
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids) and board["uid"] == board["title"] == "mygrpcadapter"
    taken = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + column, place["y"] + row) for column in range(place["w"]) for row in range(place["h"])}
        assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
