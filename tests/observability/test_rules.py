"""Every alert fires when it should, is silent before, and resolves: promtool's unit tests, made from `cases`."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.observability.cases import CASES, Case
from tests.observability.deployed import PROMETHEUS, RULE_FILES, load, needs_monitoring, tool

LONG_MINUTES = 1000
"""A story so long is evaluated less often: a minute of it costs as much as one of the others."""


@needs_monitoring
def test_the_configuration_is_one_that_prometheus_takes() -> None:
    tool("promtool", "check", "config", PROMETHEUS / "prometheus.yml")
    tool("promtool", "check", "rules", "--lint=all", "--lint-fatal", *RULE_FILES)


@needs_monitoring
@pytest.mark.parametrize("stem", CASES)
def test_every_alert_fires_and_resolves(stem: str, tmp_path: Path) -> None:
    short = [case for case in CASES[stem] if case.fires <= LONG_MINUTES]
    long = [case for case in CASES[stem] if case.fires > LONG_MINUTES]
    files = [_written(tmp_path / "short.yml", stem, short, "1m"), _written(tmp_path / "long.yml", stem, long, "5m")]
    tool("promtool", "test", "rules", *files)


def test_no_alert_is_without_its_story() -> None:
    files = {file.stem: file for file in (PROMETHEUS / "alerts").glob("*.yml")}
    assert files.keys() == CASES.keys()
    for stem, file in files.items():
        named = {rule["alert"] for group in load(file)["groups"] for rule in group["rules"]}
        assert {case.alert for case in CASES[stem]} == named
    endless = {case.alert for cases in CASES.values() for case in cases if None in (case.quiet, case.resolved)}
    assert endless == {"Watchdog"}


def _written(file: Path, stem: str, cases: Iterable[Case], evaluated_every: str) -> Path:
    rules = [str(PROMETHEUS / "recording.yml"), str(PROMETHEUS / "alerts" / f"{stem}.yml")]
    tests = [_story(case) for case in cases]
    file.write_text(json.dumps({"rule_files": rules, "evaluation_interval": evaluated_every, "tests": tests}))
    return file  # JSON is YAML


def _story(case: Case) -> dict[str, Any]:
    firing = f'count(ALERTS{{alertname="{case.alert}",alertstate="firing"}})'
    moments: list[dict[str, Any]] = [
        {"expr": firing, "eval_time": f"{case.fires}m", "exp_samples": [{"labels": "{}", "value": 1}]}
    ]
    moments += [
        {"expr": firing, "eval_time": f"{minute}m", "exp_samples": []}
        for minute in (case.quiet, case.resolved)
        if minute is not None
    ]
    return {
        "name": case.alert,
        "interval": "1m",
        "input_series": [{"series": series, "values": values} for series, values in case.series.items()],
        "promql_expr_test": moments,
    }
