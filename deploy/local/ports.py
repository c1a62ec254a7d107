"""The ports of a cluster: one block of consecutive numbers, so that two clusters never meet."""

import errno
import random
import socket
from dataclasses import dataclass
from typing import Final

BLOCK: Final = 20
DEFAULT_BASE_PORT: Final = 25_600
# Below the ports that Linux gives to outgoing connections (32768 on).
LOWEST, HIGHEST = 20_000, 32_000
CONNECT_SECONDS: Final = 2.0


@dataclass(frozen=True)
class Ports:
    """What each port of the block that begins at `base` is for. `node`: whose, counted from 0."""

    base: int
    node: int = 0

    @property
    def amqp(self) -> int:
        return self.base

    @property
    def management(self) -> int:
        return self.base + 1

    @property
    def prometheus(self) -> int:
        return self.base + 2

    @property
    def distribution(self) -> int:
        """Where Erlang nodes talk to each other. A node does not start on a port that its epmd knows as another's,
        whatever the addresses."""
        return self.base + (3, 6, 7)[self.node]

    @property
    def epmd(self) -> int:
        return self.base + 4

    @property
    def hub_http(self) -> int:
        """Not the broker's: `http.port` in the configurations that fit this cluster."""
        return self.base + 5

    @property
    def tools(self) -> tuple[int, int]:
        """First and last port that rabbitmqctl and its like may listen on."""
        return self.base + 10, self.base + BLOCK - 1

    @property
    def of_node(self) -> tuple[int, ...]:
        return self.amqp, self.management, self.prometheus, self.distribution


def taken(address: str, port: int) -> bool:
    """Whether something else listens there. An address in another network namespace is asked by connecting."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
            if error.errno == errno.EADDRNOTAVAIL:
                return _answers(address, port)
            raise
    return False


def _answers(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=CONNECT_SECONDS):
            return True
    except OSError:
        return False


def free_base_port(*addresses: str, preferred: int | None = None) -> int:
    """The preferred base if its whole block is free on each address, else a random one whose block is."""
    candidates = random.sample(range(LOWEST, HIGHEST, BLOCK), 100)
    for base in [preferred, *candidates] if preferred else candidates:
        if not any(taken(address, base + offset) for address in addresses for offset in range(BLOCK)):
            return base
    raise OSError(errno.EADDRINUSE, f"no {BLOCK} free ports in a row on {', '.join(addresses)}")
