"""Erlang's port mapper: one for all nodes of this machine, or one in each network namespace. Asking it, by its own
protocol, which nodes it knows; starting and ending it.
"""

import signal
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from deploy.local import processes
from deploy.local.failure import LocalClusterError
from deploy.local.ports import Ports, taken
from deploy.local.processes import Process

EPMD: Final = "epmd"
START_SECONDS: Final = 10.0
NAMES_REQUEST: Final = b"\x00\x01n"
PORT_BYTES: Final = 4


class Epmd:
    """The port mapper on these addresses, all of one namespace, which `enter` (words before a command) enters."""

    def __init__(
        self,
        addresses: Sequence[str],
        ports: Ports,
        folder: Path,
        tag: str,
        environment: Mapping[str, str],
        enter: Sequence[str],
    ) -> None:
        self.addresses = addresses
        self.port = ports.epmd
        self._folder = folder
        self._tag = tag
        self._enter = enter
        self.name = f"{EPMD}@{addresses[0]}" if enter else EPMD
        self._environment = {**environment, processes.TAG: tag, processes.ROLE: f"{EPMD}@{addresses[0]}"}

    def processes(self) -> list[Process]:
        """Also one that a node or a tool there started when ours was killed: its role names the address."""
        return [
            found
            for found in processes.find(self._tag)
            if found.program == EPMD and found.role.rpartition("@")[2] in self.addresses
        ]

    def kill9(self) -> None:
        """`kill -9`; back when it is gone."""
        for found in self.processes():
            processes.send(found, self._tag, signal.SIGKILL)
        processes.wait_gone(self.processes(), self._tag, START_SECONDS)

    def ensure_up(self) -> None:
        """Starts it if it does not answer. Raises LocalClusterError."""
        for found in self.processes():
            processes.send(found, self._tag, signal.SIGCONT)
        if self.processes() and self._answers():
            return
        self.kill9()
        for address in self.addresses:
            if taken(address, self.port):
                raise LocalClusterError(f"port {self.port} of {address} is in use by another program")
        command = [*self._enter, EPMD, "-port", str(self.port), "-address", ",".join(self.addresses)]
        log = self._folder / "epmd.log"
        processes.spawn(command, self._environment, folder=self._folder, log=log)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > deadline:
                raise LocalClusterError(f"epmd does not start: see {log}")
            time.sleep(processes.POLL_SECONDS)

    def _answers(self) -> bool:
        return registered_names(self.addresses[0], self.port) is not None


def registered_names(address: str, port: int) -> set[str] | None:
    """The nodes (without `@host`) that the epmd there knows; None when none answers."""
    try:
        with socket.create_connection((address, port), timeout=2) as connection:
            connection.sendall(NAMES_REQUEST)
            answer = b""
            while piece := connection.recv(4096):
                answer += piece
    except OSError:
        return None
    # A line each: "name hubex at port 25603"
    lines = answer[PORT_BYTES:].decode(errors="replace").splitlines()
    return {words[1] for line in lines if len(words := line.split()) > 1}
