"""Namespaces on a bridge: wires are cut without a word, mended, and nothing is left of them."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import LocalClusterError, Shape
from deploy.local.layout import bridge_exists
from deploy.local.network import Network
from tests.support.hub import wait_until
from tests.support.needs import need_namespaces

PORT = 7000
SHAPE = Shape(3, lb=True, netns=True)
ECHO = (
    "import socket, sys\n"
    "server = socket.create_server(('0.0.0.0', int(sys.argv[1])))\n"
    "while True:\n"
    "    with server.accept()[0] as connection: connection.sendall(connection.recv(100))\n"
)
ASK = (
    "import socket, sys\n"
    "with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=float(sys.argv[3])) as connection:\n"
    "    connection.sendall(b'x')\n"
    "    sys.exit(0 if connection.recv(1) == b'x' else 1)\n"
)


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    need_namespaces()
    base_port = SHAPE.free_base_port()
    made = Network(base_port, SHAPE.layout(base_port), str(tmp_path))
    try:
        made.make()
        yield made
    finally:
        made.remove()
        assert not bridge_exists(base_port)
        assert not list(Path("/run/netns").glob(f"hubex{base_port}-*"))


def test_wires_are_cut_silently_between_two_and_mended(network: Network) -> None:
    first, second = SHAPE.layout(network.base_port).nodes[:2]
    balancer = SHAPE.layout(network.base_port).balancer
    servers = [
        subprocess.Popen([*network.enter(address), sys.executable, "-c", ECHO, str(PORT)])
        for address in (first, balancer)
    ]
    try:
        for address in (first, balancer):
            wait_until("it listens", lambda address=address: from_here(address))  # type: ignore[misc]
        assert asks(network, second, first)
        network.partition(first, second)
        assert not asks(network, second, first, seconds=0.5)
        assert from_here(first) and asks(network, second, balancer)
        network.partition(network.host, balancer)
        with pytest.raises(TimeoutError):
            socket.create_connection((balancer, PORT), timeout=0.5)
        assert asks(network, second, balancer)
        network.heal()
        assert asks(network, second, first) and from_here(balancer)
    finally:
        for server in servers:
            server.kill()
            server.wait()


def test_it_is_whole_or_made_anew_and_never_anothers(network: Network, tmp_path: Path) -> None:
    assert network.whole()
    other = Network(network.base_port, SHAPE.layout(network.base_port), str(tmp_path / "other"))
    assert not other.whole()
    with pytest.raises(LocalClusterError, match="another cluster's"):
        other.make()
    other.remove()
    assert network.whole()
    subprocess.run(["ip", "netns", "delete", f"hubex{network.base_port}-2"], check=True)
    assert not network.whole()
    network.make()
    assert network.whole()


def test_without_root_it_says_what_it_needs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LocalClusterError, match="need root and the commands ip and nsenter"):
        Network(20_000, SHAPE.layout(20_000), str(tmp_path)).make()


def from_here(address: str) -> bool:
    try:
        with socket.create_connection((address, PORT), timeout=5) as connection:
            connection.sendall(b"x")
            return connection.recv(1) == b"x"
    except ConnectionRefusedError:
        return False


def asks(network: Network, here: str, there: str, seconds: float = 5.0) -> bool:
    """Whether one hears the other; a cut says nothing, so it takes the time."""
    command = [*network.enter(here), sys.executable, "-c", ASK, there, str(PORT), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 or "TimeoutError" in done.stderr, done.stderr
    return done.returncode == 0
