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


@dataclass(frozen=True)
class Ports:
    """What each port of the block that begins at `base` is for."""

    base: int

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
        """Where Erlang nodes talk to each other."""
        return self.base + 3

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
    """Whether something else listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
            raise
    return False


def free_base_port(address: str, preferred: int | None = None) -> int:
    """The preferred base if its whole block is free, else a random one whose block is."""
    candidates = random.sample(range(LOWEST, HIGHEST, BLOCK), 100)
    for base in [preferred, *candidates] if preferred else candidates:
        if not any(taken(address, base + offset) for offset in range(BLOCK)):
            return base
    raise OSError(errno.EADDRINUSE, f"no {BLOCK} free ports in a row on {address}")
