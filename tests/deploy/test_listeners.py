"""Loopback means all of it: every listener of the broker, at every moment of its life."""

import ipaddress
import os
import socket
import threading
from pathlib import Path

import pytest

from deploy.local import LocalCluster
from deploy.local.ports import free_base_port
from tests.support.listening import Listener, listeners


def _foreign(found: set[Listener]) -> set[Listener]:
    return {place for place in found if not ipaddress.ip_address(place[0]).is_loopback}


def test_every_listening_socket_is_on_loopback(cluster: LocalCluster) -> None:
    found = listeners(cluster.pids())
    ports = cluster.ports
    wanted = (ports.amqp, ports.management, ports.prometheus, ports.distribution, ports.epmd)
    assert _foreign(found) == set()
    # epmd takes both loopbacks where there are two.
    assert found - {("::1", ports.epmd)} == {("127.0.0.1", port) for port in wanted}


def test_none_is_elsewhere_while_it_starts_and_its_tools_run(tmp_path: Path) -> None:
    own = LocalCluster(tmp_path, base_port=free_base_port("127.0.0.1"), name="watched")
    seen: set[Listener] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            seen.update(listeners(own.pids()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        own.up()
        own.ctl("status")
    finally:
        own.destroy()
        over.set()
        watcher.join()
    assert _foreign(seen) == set()
    assert {port for _, port in seen} >= {own.ports.amqp, own.ports.epmd}


@pytest.mark.parametrize(
    "family, host", [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"), (socket.AF_INET, "")]
)
def test_the_listing_itself_sees_what_listens(family: socket.AddressFamily, host: str) -> None:
    """Control: an empty list would pass every test above."""
    with socket.socket(family) as listener:
        listener.bind((host, 0))
        listener.listen()
        port = listener.getsockname()[1]
        place = (host or "0.0.0.0", port)
        assert place in listeners([os.getpid()])
        assert (place in _foreign({place})) == (host == "")
