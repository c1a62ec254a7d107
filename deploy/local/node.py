"""One node of the local cluster: its files, its start, its end, and whether it serves.

The law: a node whose first start was not seen to its end has no data worth keeping; `whole` tells.
"""

import base64
import contextlib
import json
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from deploy.local import broker_files, processes
from deploy.local.broker_command import broker_command
from deploy.local.epmd import EPMD, registered_names
from deploy.local.failure import LocalClusterError, one_line
from deploy.local.files import install
from deploy.local.ports import Ports, taken
from deploy.local.processes import Process
from deploy.local.secrets_store import ADMIN, ROUTER, SecretsStore
from deploy.local.service import Service, wait_free

BOOT_SECONDS: Final = 90.0
"""Far above the usual five seconds: a loaded machine, a long write-ahead log."""
TOOL_SECONDS: Final = 120.0
"""Above the minute that rabbitmq-upgrade waits for queues to move their leaders."""


class Node(Service):
    """A RabbitMQ node on one address, all its state under `folder`. Methods block.

    `names`: address -> full name of every node of its cluster. `enter`: words before each command that put it into the
    node's network namespace; none when it has none.
    """

    stop_seconds = 30.0

    def __init__(
        self,
        names: Mapping[str, str],
        address: str,
        ports: Ports,
        folder: Path,
        tag: str,
        environment: Mapping[str, str],
        secrets: SecretsStore,
        enter: Sequence[str],
    ) -> None:
        super().__init__(tag)
        self.name = names[address]
        self.short_name = self.name.partition("@")[0]
        self.address = address
        self.folder = folder
        self.ports = ports
        self._secrets = secrets
        self._cluster = list(names.values())
        self._enter = enter
        self._environment = {
            **environment,
            **broker_files.node_environment(self.name, address, ports, folder),
            processes.TAG: tag,
        }

    @property
    def management_url(self) -> str:
        return f"http://{self.address}:{self.ports.management}"

    def install(self) -> bool:
        """Writes the files that the node reads. Returns whether any changed (it must start anew then)."""
        (self.folder / "log").mkdir(parents=True, exist_ok=True)
        (self.folder / "conf.d").mkdir(exist_ok=True)
        definitions = self.folder / "definitions.json"
        users = {ADMIN: (self._secrets.hash(ADMIN), "administrator"), ROUTER: (self._secrets.hash(ROUTER), "")}
        local = broker_files.local_conf(self.address, self.ports, definitions, self._cluster)
        changed = [
            *[install(self.folder / name, text) for name, text in broker_files.common_files().items()],
            install(definitions, broker_files.definitions(users)),
            install(self.folder / "conf.d" / "local.conf", local),
            install(self.folder / "enabled_plugins", broker_files.enabled_plugins()),
        ]
        return any(changed)

    def processes(self) -> list[Process]:
        """The node's processes, its Erlang machine first; [] when it is down."""
        return [found for found in processes.find(self._tag) if found.role == self.name and found.program != EPMD]

    @property
    def whole(self) -> bool:
        """Whether it has served, so that its data are a whole."""
        return self._whole_mark.exists()

    def mark_whole(self) -> None:
        self._whole_mark.touch()

    def start(self) -> None:
        """Starts the node if it is down and wakes it if it is frozen; does not wait until it serves (`wait_serving`).
        In a cluster it will not before the greater half does."""
        if not self.processes():
            self._start()
        self.sigcont()

    def wait_serving(self, seconds: float = BOOT_SECONDS) -> bool:
        """Whether it serves within this time; False at once when it is down."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.serves():
                return True
            if not self.processes():
                return False
            time.sleep(2 * processes.POLL_SECONDS)
        return False

    def ensure_registered(self, seconds: float) -> None:
        """A running node whose epmd died registers again by itself; one that does not is stopped."""
        deadline = time.monotonic() + seconds
        while self.processes() and not self._registered():
            if time.monotonic() > deadline:
                self.stop()
                return
            time.sleep(processes.POLL_SECONDS)

    def serves(self) -> bool:
        """Whether the node is known to epmd, takes AMQP connections, and the management API knows the admin."""
        with contextlib.suppress(urllib.error.URLError, OSError, ValueError):
            return self._registered() and self.api("overview")["node"] == self.name and self.takes_amqp()
        return False

    def running_peers(self) -> set[str]:
        """The names of the nodes that this one sees running, itself too; none when it does not answer."""
        with contextlib.suppress(urllib.error.URLError, OSError, ValueError):
            return {node["name"] for node in self.api("nodes?columns=name,running") if node["running"]}
        return set()

    def takes_amqp(self) -> bool:
        """Whether something listens on its AMQP port. So it does for a frozen node: the kernel accepts."""
        return taken(self.address, self.ports.amqp)

    def api(self, path: str) -> Any:
        """GET of its management API, as the administrator. Raises URLError, OSError and ValueError."""
        credentials = base64.b64encode(f"{ADMIN}:{self._secrets.password(ADMIN)}".encode()).decode()
        headers = {"Authorization": f"Basic {credentials}"}
        request = urllib.request.Request(f"{self.management_url}/api/{path}", headers=headers)
        with _DIRECT.open(request, timeout=2) as response:
            return json.load(response)

    def _registered(self) -> bool:
        return self.short_name in (registered_names(self.address, self.ports.epmd) or ())

    def kill9(self) -> None:
        """`kill -9` of the Erlang machine; back when all its helpers are gone too."""
        self.signal(signal.SIGKILL)
        # Helpers end by themselves when their pipe does.
        if processes.wait_gone(self.processes(), self._tag, 2):
            return
        for left in (found := self.processes()):
            processes.send(left, self._tag, signal.SIGKILL)
        processes.wait_gone(found, self._tag, self.stop_seconds)

    def signal(self, number: signal.Signals) -> None:
        """Signals the Erlang machine; nothing happens when the node is down."""
        for machine in self.processes()[:1]:
            processes.send(machine, self._tag, number)

    def tool(self, tool: str, *arguments: str) -> str:
        """The output of rabbitmqctl or one of its kind. Raises LocalClusterError with the tool's complaint."""
        try:
            done = subprocess.run(
                [*self._enter, *broker_command(tool), *arguments],
                env={**self._environment, processes.ROLE: f"{tool}@{self.address}"},
                cwd=self.folder,
                capture_output=True,
                text=True,
                timeout=TOOL_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise LocalClusterError(
                f"{tool} {arguments[0]}: no answer of {self.name} in {TOOL_SECONDS:.0f} s"
            ) from None
        if done.returncode != 0:
            raise LocalClusterError(f"{tool} {arguments[0] if arguments else ''}: {one_line(done.stderr)}")
        return done.stdout

    def _start(self) -> None:
        data = self.folder / "data"
        if not self.whole:
            # Killed before its first start was over: half a database is none.
            shutil.rmtree(data, ignore_errors=True)
        data.mkdir(exist_ok=True)
        self.drained_mark.unlink(missing_ok=True)
        wait_free((self.address, port) for port in self.ports.of_node)
        environment = {**self._environment, processes.ROLE: self.name}
        log = self.folder / "log" / "console.log"
        command = [*self._enter, *broker_command("rabbitmq-server")]
        processes.spawn(command, environment, folder=self.folder, log=log)

    @property
    def drained_mark(self) -> Path:
        """There while it is drained (see `maintenance`), which it is no more after a restart."""
        return self.folder / "data" / "drained"

    @property
    def _whole_mark(self) -> Path:
        return self.folder / "data" / "whole"


_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""No proxy stands between us and loopback, whatever the environment says."""
