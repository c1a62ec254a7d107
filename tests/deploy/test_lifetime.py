"""A private cluster's life: killed in every way, it comes back with its data; down ends it and nothing else."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import LocalCluster, LocalClusterError, temporary_cluster
from deploy.local.ports import free_base_port
from tests.support.listening import listeners

ROOT = Path(__file__).parents[2]
MARK = "survivor"


def _users(cluster: LocalCluster) -> str:
    return cluster.ctl("list_users", "--silent")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """A cluster that the tests of this module may break; each begins with `up`."""
    made = LocalCluster(tmp_path_factory.mktemp("own"), base_port=free_base_port("127.0.0.1"), name="own")
    try:
        made.up()
        made.ctl("add_vhost", MARK)
        yield made
    finally:
        made.destroy()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[LocalCluster]:
    made = LocalCluster(tmp_path, base_port=free_base_port("127.0.0.1"), name="fresh")
    try:
        yield made
    finally:
        made.destroy()


def test_a_killed_node_comes_back_with_its_data_well_under_20_seconds(own: LocalCluster) -> None:
    own.up()
    own.kill9()
    assert list(own.status().pids) == ["epmd"]
    begun = time.monotonic()
    own.up()
    assert time.monotonic() - begun < 20
    assert own.status().serving
    assert MARK in own.ctl("list_vhosts", "--silent")


def test_a_killed_epmd_comes_back_under_the_same_node(own: LocalCluster) -> None:
    own.up()
    node = own.status().pids["hubex@127.0.0.1"]
    own.kill9_epmd()
    assert not own.status().serving
    own.up()
    assert own.status().serving
    assert own.status().pids["hubex@127.0.0.1"] == node
    assert "hubex-admin" in _users(own)


def test_a_frozen_node_is_woken(own: LocalCluster) -> None:
    own.up()
    own.sigstop()
    assert not own.status().serving
    own.up()
    assert own.status().serving


def test_down_ends_its_own_processes_only_and_keeps_the_data(own: LocalCluster, cluster: LocalCluster) -> None:
    own.up()
    other = cluster.status()
    assert other.serving
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as bystander:
        own.down()
        assert own.pids() == []
        assert cluster.status() == other
        assert bystander.poll() is None
        bystander.kill()
    own.up()
    assert MARK in own.ctl("list_vhosts", "--silent")


def test_everything_killed_at_once_and_two_starts_at_once(own: LocalCluster) -> None:
    own.up()
    for pid in own.pids():
        os.kill(pid, signal.SIGKILL)
    starts = [threading.Thread(target=own.up) for _ in range(2)]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    assert own.status().serving
    assert len([pid for pid in own.pids() if Path(f"/proc/{pid}/comm").read_text() == "beam.smp\n"]) == 1


def test_two_clusters_side_by_side_share_nothing(own: LocalCluster, cluster: LocalCluster) -> None:
    own.up()
    assert cluster.status().serving
    assert not set(own.pids()) & set(cluster.pids())
    assert not listeners(own.pids()) & listeners(cluster.pids())
    assert MARK not in cluster.ctl("list_vhosts", "--silent")


def test_a_starter_killed_on_the_way_and_a_node_killed_in_its_first_start(fresh: LocalCluster) -> None:
    program = (
        "import sys; from pathlib import Path; from deploy.local import LocalCluster;"
        "LocalCluster(Path(sys.argv[1]), base_port=int(sys.argv[2]), name='fresh').up()"
    )
    arguments = [sys.executable, "-c", program, str(fresh.folder.parent), str(fresh.ports.base)]
    with subprocess.Popen(arguments, cwd=ROOT) as starter:
        deadline = time.monotonic() + 30
        database = fresh.folder / "node-127.0.0.1" / "data" / "node"
        while not database.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        starter.kill()
    assert fresh.pids()
    fresh.kill9()
    (database / "schema.DAT").write_bytes(b"half")
    fresh.up()
    assert fresh.status().serving


def test_a_temporary_cluster_whose_maker_was_killed_is_cleared_away(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from deploy.local import temporary_cluster;"
        "temporary_cluster(Path(sys.argv[1]), 'test').__enter__(); input()"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, stdin=subprocess.PIPE) as maker:
        deadline = time.monotonic() + 30
        while not (left := list(tmp_path.glob("test-*/node-127.0.0.1/data"))):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        maker.kill()
    orphan = LocalCluster.open(tmp_path, left[0].parents[1].name)
    with (orphan.folder / "owner").open("r+") as owner:
        # A child that was just being started still has the maker's mark of life, until it is another program.
        fcntl.flock(owner, fcntl.LOCK_EX)
    assert orphan.pids()
    with temporary_cluster(tmp_path, "test") as mine:
        assert orphan.pids() == []
        assert [folder.name for folder in tmp_path.iterdir()] == [mine.name]
        assert mine.status().serving
    assert list(tmp_path.iterdir()) == []


def test_a_port_of_somebody_else_is_named(fresh: LocalCluster) -> None:
    with socket.create_server(("127.0.0.1", fresh.ports.amqp)):
        with pytest.raises(LocalClusterError, match=f"port {fresh.ports.amqp} .* in use"):
            fresh.up()


def test_asking_about_a_cluster_that_never_was_makes_nothing(fresh: LocalCluster) -> None:
    assert not fresh.status().serving
    fresh.down()
    assert not fresh.folder.exists()
