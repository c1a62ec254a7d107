"""The deployed haproxy.cfg before nodes that are mere listeners: who is let in, and when a node is out."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from deploy.local.balancer import Balancer
from deploy.local.files import install
from deploy.local.layout import Layout
from deploy.local.ports import Ports, free_base_port
from tests.support.hub import wait_until
from tests.support.needs import need_haproxy

LAYOUT = Layout(("127.0.0.21", "127.0.0.22", "127.0.0.23"), "127.0.0.20", "127.0.0.19")
INSIDE, OUTSIDE = "127.0.0.31", "127.0.0.32"


class Nodes:
    """Listeners in the place of nodes; a connection stays unaccepted, as with a frozen one."""

    def __init__(self, stack: ExitStack) -> None:
        self.ports = Ports(free_base_port(*LAYOUT.addresses))
        self.listeners = {
            (side, number): stack.enter_context(socket.create_server((address, port)))
            for number, address in enumerate(LAYOUT.nodes, 1)
            for side, port in (("amqp", self.ports.amqp), ("admin", self.ports.management))
        }

    def answering(self) -> int:
        """The number of the node that a client through the balancer reaches."""
        with socket.create_connection((LAYOUT.balancer, self.ports.amqp), timeout=10) as client:
            # The checks' connections come here too; only the client's says something.
            client.sendall(b"client")
            return wait_until("a node has it", self._spoken_to)

    def _spoken_to(self) -> int | None:
        for (side, number), listener in self.listeners.items():
            if side == "amqp" and listener.fileno() != -1 and _said(listener) == b"client":
                return number
        return None


def _said(listener: socket.socket) -> bytes:
    listener.settimeout(0.05)
    try:
        with listener.accept()[0] as connection:
            connection.settimeout(0.2)
            return connection.recv(100)
    except OSError:
        return b""


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    with ExitStack() as stack:
        yield Nodes(stack)


@pytest.fixture
def balancer(nodes: Nodes, tmp_path: Path) -> Iterator[Balancer]:
    need_haproxy()
    made = Balancer(LAYOUT, nodes.ports, tmp_path / "balancer", str(tmp_path), [])
    made.install()
    install(made.folder / "admin-networks", f"{INSIDE}/32\n")
    try:
        made.ensure_up()
        yield made
    finally:
        made.kill9()


def admin_answers(port: int, source: str) -> bool:
    """Whether the admin frontend keeps a connection from this address, instead of closing it at once."""
    try:
        with socket.create_connection((LAYOUT.admin, port), timeout=10, source_address=(source, 0)) as client:
            client.settimeout(1)
            return client.recv(1) != b""
    except TimeoutError:
        return True
    except ConnectionResetError:
        return False


def test_the_admin_frontend_is_for_its_networks_only(balancer: Balancer, nodes: Nodes) -> None:
    assert admin_answers(nodes.ports.management, INSIDE)
    assert not admin_answers(nodes.ports.management, OUTSIDE)


def test_a_node_without_a_listener_is_never_a_clients_trouble_and_soon_out(balancer: Balancer, nodes: Nodes) -> None:
    for side in ("amqp", "admin"):
        nodes.listeners[side, 2].close()
    # Before the second failed check too.
    assert {nodes.answering() for _ in range(4)} <= {1, 3}
    wait_until("it is out", lambda: balancer.servers()["amqp/node2"] == "DOWN")
    assert {name for name, state in balancer.servers().items() if state == "DOWN"} <= {"amqp/node2", "admin/node2"}
    assert not balancer.serves()
