"""What a node and the balancer have in common: each is a service of the cluster that is ended, frozen and woken."""

import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar, Final

from deploy.local import processes
from deploy.local.failure import LocalClusterError
from deploy.local.ports import taken
from deploy.local.processes import Process

PORTS_SECONDS: Final = 5.0


class Service(ABC):
    """One part that serves, all its processes under the cluster's `tag`. Methods block."""

    stop_seconds: ClassVar[float]
    """How long it may take to end properly."""

    def __init__(self, tag: str) -> None:
        self._tag = tag

    @abstractmethod
    def processes(self) -> list[Process]:
        """Its processes; [] when it is down."""

    @abstractmethod
    def signal(self, number: signal.Signals) -> None:
        """Signals it; nothing happens when it is down."""

    @abstractmethod
    def kill9(self) -> None:
        """`kill -9`; back when it is gone."""

    def stop(self) -> None:
        """Ends it properly; by force when it does not in time."""
        found = self.processes()
        self.sigcont()
        self.signal(signal.SIGTERM)
        if not processes.wait_gone(found, self._tag, self.stop_seconds):
            self.kill9()

    def sigstop(self) -> None:
        """Freezes it: its sockets stay open, the kernel accepts connections for it, and nothing answers."""
        self.signal(signal.SIGSTOP)

    def sigcont(self) -> None:
        self.signal(signal.SIGCONT)


def wait_free(places: Iterable[tuple[str, int]]) -> None:
    """Until nothing listens on these addresses and ports: what was killed this moment still holds them while the kernel
    takes it down. Raises LocalClusterError."""
    deadline = time.monotonic() + PORTS_SECONDS
    for address, port in places:
        while taken(address, port):
            if time.monotonic() > deadline:
                raise LocalClusterError(f"port {port} of {address} is in use by another program")
            time.sleep(processes.POLL_SECONDS)
