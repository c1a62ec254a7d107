"""A hub of its own for each test of this group: many clients, a vhost to itself, workers that may be sabotaged."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.hub import BenchHub, RouterProcess, make_clients
from bench.hub_queues import hub_is_idle
from bench.job import ring
from bench.procstat import tree
from bench.run import LoadRun
from deploy.local import LocalCluster
from router.core.directory import Client
from router.topology.management import NotFound


class Hub:
    """A bench hub and how to run it. `sabotage` names a module of tests/support/sabotage."""

    def __init__(self, cluster: LocalCluster, folder: Path, clients: list[Client], vhost: str) -> None:
        self.bench = BenchHub(cluster, folder, clients, vhost=vhost, workers=2)
        self.folder, self.clients = folder, clients
        self.bench.apply()

    def run(self, sabotage: str = "") -> RouterProcess:
        port = self.bench.config.http.port
        if not sabotage:
            return RouterProcess(self.bench.config_file, self.folder, port)
        command = (sys.executable, "-m", "tests.support.sabotage", sabotage)
        return RouterProcess(self.bench.config_file, self.folder, port, command)

    def load(self, clients: list[Client] | None = None, **options: object) -> LoadRun:
        pairs = ring(clients or self.clients)
        return LoadRun(self.bench.target, pairs, self.folder, **options)  # type: ignore[arg-type]

    @property
    def idle(self) -> Callable[[], bool]:
        return hub_is_idle(self.bench.api, self.bench.vhost)

    def log_lines(self) -> list[bytes]:
        return (self.folder / "events.log").read_bytes().splitlines()


@pytest.fixture
def make_hub(cluster: LocalCluster, tmp_path: Path) -> Iterator[Callable[[int], Hub]]:
    """`make_hub(clients)`: a hub in a vhost that goes with the test."""
    made: list[Hub] = []

    def make(clients: int) -> Hub:
        hub = Hub(cluster, tmp_path / "hub", make_clients(clients), f"kills-{time.monotonic_ns()}")
        made.append(hub)
        return hub

    yield make
    cluster.up()
    for hub in made:
        try:
            hub.bench.api.delete("vhosts", hub.bench.vhost)
        except NotFound:
            pass


def kill9(pid: int) -> None:
    """SIGKILL of a process that this test started."""
    os.kill(pid, signal.SIGKILL)


def workers_of(router: RouterProcess) -> list[int]:
    """Pids of the live workers."""
    return [process.pid for process in tree(router.pid)[1:]]
