"""Rules and dashboards ask only for what is exported: by the hub's catalogue, by the broker's exporter as it runs here
(RabbitMQ 3.10 or later), or by Prometheus and Alertmanager themselves."""

import re
from collections.abc import Iterator

import pytest

from deploy.local import LocalCluster
from router.observe.catalogue import METRICS, Kind
from tests.observability.deployed import DASHBOARDS, PROMETHEUS, load, queries, rules
from tests.support.monitoring import page

OF_PROMETHEUS = {"up", "ALERTS", "alertmanager_notifications_failed_total"}
NAME = re.compile(r"\b[a-zA-Z_:][a-zA-Z0-9_:]*")
NOT_NAMES = re.compile(
    r'"[^"]*"|\[[^]]*\]|\boffset \w+|\b(?:by|on|without|group_left|group_right)\s*\([^)]*\)|\b(?:and|or|unless|bool)\b'
)
BY_PATTERN = re.compile(r'__name__=~"([^"]+)"')


def names_in(expression: str) -> set[str]:
    """The metrics that an expression asks for by name: what is neither a function, a label nor a word of PromQL."""
    plain = NOT_NAMES.sub(" ", re.sub(r"\{[^}]*\}", " ", expression))
    return {found[0] for found in NAME.finditer(plain) if not re.match(r"\s*\(", plain[found.end() :])}


def of_the_hub() -> Iterator[str]:
    for metric in METRICS:
        if metric.kind is Kind.HISTOGRAM:
            yield from (f"{metric.name}_{part}" for part in ("bucket", "sum", "count"))
        else:
            yield metric.name


@pytest.fixture(scope="module")
def exported(cluster: LocalCluster) -> set[str]:
    """All names; those of the broker from the two pages that Prometheus reads."""
    jobs = {job["job_name"]: job for job in load(PROMETHEUS / "prometheus.yml")["scrape_configs"]}
    detailed = jobs["rabbitmq-queues"]
    families = "&".join(f"family={family}" for family in detailed["params"]["family"])
    pages = [page(cluster.prometheus_port, path) for path in ("/metrics", f"{detailed['metrics_path']}?{families}")]
    of_the_broker = {name for text in pages for name in re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)}
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    return of_the_broker | recorded | set(of_the_hub()) | OF_PROMETHEUS


def test_names_are_told_from_functions_labels_and_words() -> None:
    expression = (
        'sum by (vhost) (rate(a_total{x="b_total"}[5m])) / on (queue) c:d:max offset 5m > bool 0 and hour() > 8'
    )
    found = names_in(expression)
    assert found == {"a_total", "c:d:max"}


def test_every_rule_asks_for_what_is_exported(exported: set[str]) -> None:
    for rule in rules():
        asked = names_in(rule["expr"])
        assert asked <= exported, (rule, asked - exported)
        for pattern in BY_PATTERN.findall(rule["expr"]):
            assert any(re.fullmatch(pattern, name) for name in exported), pattern


def test_every_panel_asks_for_what_is_exported(exported: set[str]) -> None:
    for file in DASHBOARDS:
        for query in queries(file):
            assert names_in(query), query
            assert names_in(query) <= exported, (file.stem, names_in(query) - exported)


def test_every_recorded_series_is_asked_for_somewhere() -> None:
    expressions = [rule["expr"] for rule in rules()] + [query for file in DASHBOARDS for query in queries(file)]
    asked = set().union(*map(names_in, expressions))
    assert {rule["record"] for rule in rules() if "record" in rule} <= asked
