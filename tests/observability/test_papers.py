"""Every alert has its labels, its sentence and its runbook; Alertmanager sends each to whom it should."""

import re
from typing import Any

import pytest

from router.cli.app import groups
from tests.observability.deployed import ALERTMANAGER, DEPLOY, PROMETHEUS, alerts, load, needs_monitoring, tool

RUNBOOKS = (DEPLOY / "runbooks.md").read_text(encoding="utf-8")
ENTRIES = dict(re.findall(r"^## (\w+)\n\n(.*?)(?=^## |\Z)", RUNBOOKS, re.MULTILINE | re.DOTALL))
PARTS = ("Means", "Look", "Fix", "Tell")
ALERTS = {alert["alert"]: alert for alert in alerts()}
ROUTES = {
    ("critical", "hub"): "pager,hub",
    ("critical", "broker"): "pager,broker",
    ("critical", "partners"): "pager,partners",
    ("warning", "hub"): "hub",
    ("warning", "broker"): "broker",
    ("warning", "partners"): "partners",
    ("none", "hub"): "watchdog",
}


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_has_severity_team_sentence_and_runbook(name: str) -> None:
    labels, annotations = ALERTS[name]["labels"], ALERTS[name]["annotations"]
    assert labels.keys() == {"severity", "team"}
    assert (labels["severity"], labels["team"]) in ROUTES
    assert annotations.keys() == {"summary", "runbook_url"}
    assert annotations["runbook_url"] == "{{ $externalLabels.runbooks }}#" + name.lower()
    said = dict(re.findall(r"^- \*\*(\w+):\*\* (.+)", ENTRIES[name], re.MULTILINE))
    assert tuple(said) == PARTS
    assert re.fullmatch(r"`[^`]+`", said["Look"]), "the first look is a command"


def test_the_runbooks_have_no_other_entries_and_the_order_of_the_rules() -> None:
    assert list(ENTRIES) and set(ENTRIES) == set(ALERTS)
    assert len(ALERTS) == len(alerts()), "two alerts of one name"


def test_every_command_of_the_hub_in_the_runbooks_exists() -> None:
    assert set(re.findall(r"hubex ([a-z]+) ", RUNBOOKS)) <= set(groups())


def test_the_external_labels_hold_what_the_annotations_ask_for() -> None:
    assert load(PROMETHEUS / "prometheus.yml")["global"]["external_labels"]["runbooks"].startswith("https://")


@needs_monitoring
def test_alertmanager_takes_its_configuration() -> None:
    tool("amtool", "check-config", ALERTMANAGER)


@needs_monitoring
@pytest.mark.parametrize("severity, team", ROUTES)
def test_each_alert_goes_to_whom_it_should(severity: str, team: str) -> None:
    name = "Watchdog" if severity == "none" else "Any"
    labels = (f"alertname={name}", f"severity={severity}", f"team={team}")
    said = tool("amtool", "config", "routes", "test", "--config.file", ALERTMANAGER, *labels)
    assert said.strip() == ROUTES[severity, team]


def test_an_inhibition_names_alerts_that_exist_and_never_silences_its_own_cause() -> None:
    for rule in load(ALERTMANAGER)["inhibit_rules"]:
        sources, targets = _named(rule["source_matchers"]), _named(rule["target_matchers"])
        assert sources and targets and not sources & targets


def _named(matchers: list[Any]) -> set[str]:
    """The alerts that a rule's one matcher on alertname takes; each of its words takes at least one."""
    (matcher,) = matchers
    name, value = re.split(r"\s*=~?\s*", matcher)
    assert name == "alertname"
    by_word = {word: {alert for alert in ALERTS if re.fullmatch(word, alert)} for word in value.strip('"').split("|")}
    assert all(by_word.values()), by_word
    return set().union(*by_word.values())
