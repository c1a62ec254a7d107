"""Where the parts of a cluster are: an address for each. The ports are the same on every address.

The law: nothing of a cluster is to be reached from outside this machine. Addresses are loopback's, or those of a bridge
that no interface of the machine is a member of.
"""

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from deploy.local.ports import BLOCK, LOWEST, free_base_port

NODES: Final = 3
"""Of a cluster: the fewest that have a greater half when one is away."""
BRIDGES: Final = ipaddress.IPv4Network("198.18.0.0/15")
"""RFC 2544, for measuring networks against each other: nobody's own."""
BRIDGE_BITS: Final = 28
"""A network of 14 addresses a cluster; a block of ports has its own."""


@dataclass(frozen=True)
class Layout:
    """`nodes`: one address or three. `balancer` and `admin`: HAProxy's for AMQP and for management, or "" and "".
    `host`: this machine's address on the bridge when each part has a network namespace of its own, else ""."""

    nodes: tuple[str, ...] = ("127.0.0.1",)
    balancer: str = ""
    admin: str = ""
    host: str = ""

    def __post_init__(self) -> None:
        if len(self.nodes) not in (1, NODES):
            raise ValueError(f"a cluster has one node or {NODES}")
        if bool(self.balancer) != bool(self.admin) or (self.balancer and len(self.nodes) != NODES):
            raise ValueError(f"the balancer has two addresses, and {NODES} nodes behind it")
        if len(set(self.addresses)) != len(self.addresses):
            raise ValueError("each part has an address of its own")
        for address in self.addresses:
            if not _private(ipaddress.IPv4Address(address), bool(self.host)):
                raise ValueError(f"{address} is not {'on the bridge' if self.host else 'a loopback address'}")

    @classmethod
    def loopback(cls, *, balancer: bool = False) -> Self:
        """Three nodes on 127.0.0.11 to 13, the balancer on .10 and its admin frontend on .9."""
        return cls(("127.0.0.11", "127.0.0.12", "127.0.0.13"), *(("127.0.0.10", "127.0.0.9") if balancer else ()))

    @classmethod
    def bridged(cls, base_port: int, *, balancer: bool = False) -> Self:
        """Three nodes in network namespaces, on the bridge of this block of ports."""
        first = BRIDGES.network_address + (base_port - LOWEST) // BLOCK * 2 ** (32 - BRIDGE_BITS)
        host, *nodes = (str(first + offset) for offset in (1, 11, 12, 13))
        return cls(tuple(nodes), *((str(first + 10), str(first + 9)) if balancer else ("", "")), host=host)

    @property
    def addresses(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(address for address in (*self.nodes, self.balancer, self.admin, self.host) if address)

    @property
    def network(self) -> str:
        """Whence the admin frontend may be asked."""
        if not self.host:
            return "127.0.0.0/8"
        return str(ipaddress.IPv4Interface(f"{self.host}/{BRIDGE_BITS}").network)

    @property
    def shape(self) -> "Shape":
        return Shape(len(self.nodes), lb=bool(self.balancer), netns=bool(self.host))


@dataclass(frozen=True)
class Shape:
    """What a cluster is made of. `lb`: HAProxy before the nodes; `netns`: a network namespace for each part."""

    nodes: int = 1
    lb: bool = False
    netns: bool = False

    def __post_init__(self) -> None:
        if self.nodes not in (1, NODES) or (self.nodes == 1 and (self.lb or self.netns)):
            raise ValueError(f"a cluster has one node or {NODES}; a balancer and namespaces are for {NODES}")

    def __str__(self) -> str:
        extras = "".join(text for given, text in ((self.lb, " --lb"), (self.netns, " --netns")) if given)
        return f"--nodes {self.nodes}{extras}"

    def layout(self, base_port: int) -> Layout:
        """The usual addresses."""
        if self.netns:
            return Layout.bridged(base_port, balancer=self.lb)
        return Layout() if self.nodes == 1 else Layout.loopback(balancer=self.lb)

    def free_base_port(self, preferred: int | None = None) -> int:
        """A block of ports that nobody has on those addresses."""
        if not self.netns:
            # epmd is on 127.0.0.1 too, and the hub.
            return free_base_port(*{"127.0.0.1", *self.layout(LOWEST).addresses}, preferred=preferred)
        while bridge_exists(base := free_base_port("127.0.0.1", preferred=preferred)):
            preferred = None
        return base


def bridge_name(base_port: int) -> str:
    """Of the bridge that belongs to a block of ports: one on a machine, as the block is."""
    return f"hubex{base_port}"


def bridge_exists(base_port: int) -> bool:
    return Path("/sys/class/net", bridge_name(base_port)).exists()


def _private(address: ipaddress.IPv4Address, bridged: bool) -> bool:
    return address in BRIDGES if bridged else address.is_loopback
