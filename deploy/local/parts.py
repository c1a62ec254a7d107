"""What a cluster of a given layout is made of."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from deploy.local import broker_files
from deploy.local.balancer import Balancer
from deploy.local.epmd import Epmd
from deploy.local.layout import Layout
from deploy.local.network import Network
from deploy.local.node import Node
from deploy.local.ports import Ports
from deploy.local.secrets_store import SecretsStore

NODE_NAME: Final = "hubex"
HOME: Final = "home"


@dataclass(frozen=True)
class Parts:
    """`network` and `balancer` are None where the layout has none."""

    network: Network | None
    epmds: list[Epmd]
    nodes: list[Node]
    balancer: Balancer | None

    @classmethod
    def of(cls, layout: Layout, ports: Ports, folder: Path, tag: str, secrets: SecretsStore) -> Self:
        """All state is under `folder`; `tag` marks the processes. Nothing is read or written."""
        network = Network(ports.base, layout, tag) if layout.host else None
        # epmd takes 127.0.0.1 besides its addresses: one for all nodes, or one in each network namespace.
        groups = [(address,) for address in layout.nodes] if network else [layout.nodes]
        epmds: list[Epmd] = []
        nodes: list[Node] = []
        names = _names(layout)
        for addresses in groups:
            environment = broker_files.erlang_environment(folder / HOME, addresses, ports)
            enter = network.enter(addresses[0]) if network else []
            epmds.append(Epmd(addresses, ports, folder / HOME, tag, environment, enter))
            for address in addresses:
                place = folder / f"node-{address}"
                own = Ports(ports.base, len(nodes))
                nodes.append(Node(names, address, own, place, tag, environment, secrets, enter))
        return cls(network, epmds, nodes, _balancer(layout, ports, folder, tag, network))

    @property
    def served(self) -> list[Node | Balancer]:
        """What has files and a service of its own."""
        return [*self.nodes, *([self.balancer] if self.balancer else [])]


def _names(layout: Layout) -> dict[str, str]:
    """Address -> name of the node there. One epmd tells nodes apart by what is before the @ only."""
    if len(layout.nodes) == 1:
        return {layout.nodes[0]: f"{NODE_NAME}@{layout.nodes[0]}"}
    return {address: f"{NODE_NAME}{number}@{address}" for number, address in enumerate(layout.nodes, 1)}


def _balancer(layout: Layout, ports: Ports, folder: Path, tag: str, network: Network | None) -> Balancer | None:
    if not layout.balancer:
        return None
    enter = network.enter(layout.balancer) if network else []
    return Balancer(layout, ports, folder / "balancer", tag, enter)
