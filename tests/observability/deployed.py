"""What stands in deploy/, as data, and the tools that check it."""

import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

DEPLOY: Final = Path(__file__).parents[2] / "deploy"
PROMETHEUS: Final = DEPLOY / "prometheus"
ALERTMANAGER: Final = DEPLOY / "alertmanager" / "alertmanager.yml"
RULE_FILES: Final = (PROMETHEUS / "recording.yml", *sorted((PROMETHEUS / "alerts").glob("*.yml")))
DASHBOARDS: Final = tuple(sorted((DEPLOY / "grafana").glob("*.json")))
TOOLS: Final = ("prometheus", "promtool", "prometheus-alertmanager", "amtool")

needs_monitoring = pytest.mark.skipif(
    not all(map(shutil.which, TOOLS)), reason="Debian's prometheus and prometheus-alertmanager are not installed"
)


def load(file: Path) -> Any:
    """A YAML file's value."""
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def rules() -> list[dict[str, Any]]:
    """Every rule, recording ones first."""
    return [rule for file in RULE_FILES for group in load(file)["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    """Every alerting rule."""
    return [rule for rule in rules() if "alert" in rule]


def queries(dashboard: Path) -> list[str]:
    """Every query of a dashboard, with Grafana's own variable for a range filled in."""
    targets = [target for panel in load(dashboard)["panels"] for target in panel.get("targets", ())]
    return [target["expr"].replace("$__rate_interval", "5m") for target in targets]


def tool(*command: str | Path) -> str:
    """What promtool or amtool says; an AssertionError with it when it does not like what it sees."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
