"""The suite: groups by folder, one local broker for all, short and nightly numbers.

The law: a test's group is its folder's (`tests/e2e` -> e2e; what no group is named after is unit), and a unit
test never starts a broker.
"""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from deploy.local import LocalCluster, Shape, state_root, temporary_cluster
from router.cli.test import groups
from tests.support.needs import need_haproxy

TESTS = Path(__file__).parent
GROUPS = groups(TESTS.parent)
UNIT = "unit"

Scale = Callable[[int, int], int]

_group_of: dict[str, str] = {}
_seconds: dict[str, float] = {}
_reduced: dict[str, str] = {}
"""Test -> what the short form ran less of."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--nightly", action="store_true", help="the same tests with bigger numbers")


def pytest_configure(config: pytest.Config) -> None:
    # A shared machine is slow at times: a deadline per example would only measure the neighbours.
    examples = 2000 if config.getoption("--nightly") else 100
    hypothesis.settings.register_profile("hubex", deadline=None, max_examples=examples, print_blob=True)
    hypothesis.settings.load_profile("hubex")
    # A terminated run still ends its broker.
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated", 143))


# First, so that `-m` sees the groups.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        group = _group(item.path)
        _group_of[item.nodeid] = group
        item.add_marker(group)
        if group == UNIT and {"cluster", "three"} & set(getattr(item, "fixturenames", ())):
            raise pytest.UsageError(f"{item.nodeid}: a unit test must not start the broker")


def _group(path: Path) -> str:
    folder = path.relative_to(TESTS).parts[0]
    return folder if folder in GROUPS else UNIT


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    group = _group_of[report.nodeid]
    _seconds[group] = _seconds.get(group, 0.0) + report.duration


# Last, below the failures and the slowest tests.
@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    minutes = ", ".join(f"{group} {_seconds[group] / 60:.1f}" for group in GROUPS if group in _seconds)
    terminalreporter.write_line(f"minutes by group: {minutes or 'none ran'}")
    if config.getoption("--nightly"):
        return
    if _reduced:
        terminalreporter.write_line("the short form did not run in full (hubex test --nightly does):")
        for test, what in _reduced.items():
            terminalreporter.write_line(f"  {test}: {what}")


@pytest.fixture(scope="session")
def cluster() -> Iterator[LocalCluster]:
    """The one broker of the session, started for the first test that asks. Leave it up, and clean up what you
    make in it; a test that kills it calls `up` afterwards."""
    with temporary_cluster(state_root(), "test") as running:
        yield running


@pytest.fixture(scope="session")
def three() -> Iterator[LocalCluster]:
    """The one cluster of three nodes behind a balancer, as `cluster` otherwise: for tests that break a part of it. Each
    begins with `up`."""
    need_haproxy()
    with temporary_cluster(state_root(), "test3", Shape(3, lb=True)) as running:
        yield running


@pytest.fixture(scope="session")
def nightly(pytestconfig: pytest.Config) -> bool:
    """Whether this is the long form."""
    return bool(pytestconfig.getoption("--nightly"))


@pytest.fixture
def scale(request: pytest.FixtureRequest, nightly: bool) -> Scale:
    """`scale(short, long)`: the number to run with. The short form's summary tells what it left out."""

    def choose(short: int, long: int) -> int:
        if not nightly and short != long:
            before = _reduced.get(request.node.nodeid)
            _reduced[request.node.nodeid] = (f"{before}, " if before else "") + f"{short} of {long}"
        return long if nightly else short

    return choose


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the hub leaks in from the shell of whoever runs the suite."""
    for name in [name for name in os.environ if name.startswith("HUBEX_") and name != "HUBEX_RABBITMQ"]:
        monkeypatch.delenv(name)
