"""Grafana's dashboards: whole, without two panels in one place, and in a language that Prometheus understands."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from router.observe.catalogue import BY_NAME
from tests.observability.deployed import DASHBOARDS, load, needs_monitoring, queries, tool

WIDTH = 24


def panels(file: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = load(file)["panels"]
    return found


def test_there_is_one_for_the_hub_and_one_for_the_broker() -> None:
    assert [file.stem for file in DASHBOARDS] == ["broker", "hub"]
    assert len({load(file)["uid"] for file in DASHBOARDS}) == 2


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_panels_have_a_title_an_id_of_their_own_and_a_place_of_their_own(file: Path) -> None:
    every = panels(file)
    assert len({panel["id"] for panel in every}) == len(every)
    assert all(panel["title"] for panel in every)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= WIDTH for panel in every)
    for one, other in itertools.combinations([panel["gridPos"] for panel in every], 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_every_panel_asks_something_of_the_chosen_prometheus(file: Path) -> None:
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    for panel in panels(file):
        if panel["type"] != "row":
            assert panel["datasource"] == chosen and panel["targets"]
            assert all(target["expr"] and target["datasource"] == chosen for target in panel["targets"])


@needs_monitoring
def test_every_query_is_promql(tmp_path: Path) -> None:
    rules = [
        {"record": f"dashboard:query{number}", "expr": query}
        for number, query in enumerate(query for file in DASHBOARDS for query in queries(file))
    ]
    assert len(rules) > 50
    as_rules = tmp_path / "queries.yml"
    as_rules.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    tool("promtool", "check", "rules", as_rules)


def test_no_counter_of_the_hub_is_shown_without_its_rate() -> None:
    for query in (query for file in DASHBOARDS for query in queries(file)):
        for name in (name for name in BY_NAME if name.endswith("_total") and name in query):
            assert f"rate({name}" in query or f"increase({name}" in query, query
