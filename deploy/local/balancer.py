"""HAProxy before the nodes, with the very file of deploy/haproxy; what is local is in its environment.

The law: one process, so that what is killed, frozen or started anew is the balancer and not a part of it.
"""

import csv
import os
import shutil
import signal
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from deploy.local import processes
from deploy.local.failure import LocalClusterError
from deploy.local.files import install
from deploy.local.layout import Layout
from deploy.local.ports import Ports
from deploy.local.processes import Process
from deploy.local.service import Service, wait_free

HAPROXY: Final = "haproxy"
CONFIGURATION: Final = Path(__file__).parents[1] / HAPROXY / "haproxy.cfg"
SERVING_SECONDS: Final = 30.0
"""A node that came back is in after three good checks, six seconds."""


def haproxy() -> str:
    """Where the program is. Raises LocalClusterError."""
    # Debian has it where only root's PATH leads.
    found = shutil.which(HAPROXY, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    if not found:
        raise LocalClusterError("HAProxy is not installed (apt-get install --no-install-recommends haproxy)")
    return found


class Balancer(Service):
    """The balancer of a cluster, all its state under `folder`. Methods block and raise LocalClusterError."""

    name: Final = HAPROXY
    stop_seconds = 10.0

    def __init__(self, layout: Layout, ports: Ports, folder: Path, tag: str, enter: Sequence[str]) -> None:
        super().__init__(tag)
        self.address = layout.balancer
        self.admin_address = layout.admin
        self.folder = folder
        self._layout = layout
        self._ports = ports
        self._enter = enter

    def install(self) -> bool:
        """Writes the files that it reads. Returns whether any changed (it must start anew then)."""
        self.folder.mkdir(exist_ok=True)
        changed = [
            install(self.folder / "haproxy.cfg", CONFIGURATION.read_text(encoding="utf-8")),
            install(self._allowed, f"{self._layout.network}\n"),
        ]
        return any(changed)

    def processes(self) -> list[Process]:
        """Its process; [] when it is down."""
        return [found for found in processes.find(self._tag) if found.role == self.name]

    def start(self) -> None:
        """Starts it if it is down, wakes it if it is frozen; does not wait until it has found the nodes."""
        if not self.processes():
            self._start()
        self.sigcont()

    def ensure_up(self) -> None:
        """Back when every node is in on both sides. One that does not get there is started once more."""
        for _ in range(2):
            self.start()
            deadline = time.monotonic() + SERVING_SECONDS
            while time.monotonic() < deadline and self.processes():
                if self.serves():
                    return
                time.sleep(2 * processes.POLL_SECONDS)
            self.kill9()
        raise LocalClusterError(f"HAProxy does not start: see {self._log}")

    def serves(self) -> bool:
        """Whether it has every node in."""
        found = self.servers()
        return len(found) == 2 * len(self._layout.nodes) and all(state.startswith("UP") for state in found.values())

    def servers(self) -> dict[str, str]:
        """ "amqp/node1" -> its state as HAProxy says it ("UP", "DOWN", "UP 1/2" while it fails its checks); {} when the
        balancer does not answer."""
        try:
            table = self._ask("show stat")
        except OSError:
            return {}
        rows = csv.DictReader(table.removeprefix("# ").splitlines())
        return {f"{row['pxname']}/{row['svname']}": row["status"] for row in rows if row["svname"].startswith("node")}

    def kill9(self) -> None:
        """`kill -9`; back when it is gone."""
        found = self.processes()
        self.signal(signal.SIGKILL)
        processes.wait_gone(found, self._tag, self.stop_seconds)

    def signal(self, number: signal.Signals) -> None:
        for found in self.processes():
            processes.send(found, self._tag, number)

    # ---- inside ----------------------------------------------------------------------------------

    @property
    def _allowed(self) -> Path:
        return self.folder / "admin-networks"

    @property
    def _log(self) -> Path:
        return self.folder / "haproxy.log"

    def _start(self) -> None:
        wait_free(((self.address, self._ports.amqp), (self.admin_address, self._ports.management)))
        command = [*self._enter, haproxy(), "-db", "-f", str(self.folder / "haproxy.cfg")]
        processes.spawn(command, self._environment(), folder=self.folder, log=self._log)

    def _environment(self) -> dict[str, str]:
        nodes = {f"HUBEX_NODE_{number}": address for number, address in enumerate(self._layout.nodes, 1)}
        return {
            **nodes,
            "HUBEX_LB": self.address,
            "HUBEX_AMQP_PORT": str(self._ports.amqp),
            "HUBEX_LB_ADMIN": self.admin_address,
            "HUBEX_ADMIN_PORT": str(self._ports.management),
            "HUBEX_LB_ADMIN_ALLOW": self._allowed.name,
            # Both are in its working directory: the path of a socket has at most 107 bytes.
            "HUBEX_LB_SOCKET": "socket",
            processes.TAG: self._tag,
            processes.ROLE: self.name,
        }

    def _ask(self, command: str) -> str:
        """The answer on the socket of its state. Raises OSError."""
        folder = os.open(self.folder, os.O_PATH)
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(2)
                connection.connect(f"/proc/self/fd/{folder}/socket")
                connection.sendall(f"{command}\n".encode())
                with connection.makefile("r", encoding="utf-8") as answer:
                    return answer.read()
        finally:
            os.close(folder)
