"""One node of the local cluster: its files, its start, its end, and whether it serves."""

import base64
import contextlib
import json
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

from deploy.local import broker_files, processes
from deploy.local.broker_command import broker_command
from deploy.local.epmd import registered_names
from deploy.local.files import install
from deploy.local.ports import Ports, taken
from deploy.local.processes import Process
from deploy.local.secrets_store import ADMIN, ROUTER, SecretsStore

EPMD: Final = "epmd"
BOOT_SECONDS: Final = 90.0
"""Far above the usual five seconds: a loaded machine, a long write-ahead log."""
STOP_SECONDS: Final = 30.0
PORTS_SECONDS: Final = 5.0
TOOL_SECONDS: Final = 60.0


class LocalClusterError(Exception):
    """The local cluster cannot do what was asked; one line that says why."""


class Node:
    """A RabbitMQ node on one loopback address, all its state under `folder`."""

    def __init__(
        self,
        name: str,
        address: str,
        ports: Ports,
        folder: Path,
        tag: str,
        environment: dict[str, str],
        secrets: SecretsStore,
    ) -> None:
        self.name = f"{name}@{address}"
        self.address = address
        self.folder = folder
        self._short_name = name
        self._ports = ports
        self._tag = tag
        self._secrets = secrets
        self._environment = {
            **environment,
            **broker_files.node_environment(self.name, address, ports, folder),
            processes.TAG: tag,
        }

    @property
    def management_url(self) -> str:
        return f"http://{self.address}:{self._ports.management}"

    def install(self) -> bool:
        """Writes the files that the node reads. Returns whether any changed (it must start anew then)."""
        (self.folder / "log").mkdir(parents=True, exist_ok=True)
        definitions = self.folder / "definitions.json"
        users = {ADMIN: (self._secrets.hash(ADMIN), "administrator"), ROUTER: (self._secrets.hash(ROUTER), "")}
        conf = broker_files.rabbitmq_conf(self.address, self._ports, definitions, broker_files.memory_limit())
        changed = [
            install(definitions, broker_files.definitions(users)),
            install(self.folder / "rabbitmq.conf", conf),
            install(self.folder / "enabled_plugins", broker_files.enabled_plugins()),
        ]
        return any(changed)

    def processes(self) -> list[Process]:
        """The node's processes, its Erlang machine first; [] when it is down."""
        return [found for found in processes.find(self._tag) if found.role == self.name and found.program != EPMD]

    def ensure_up(self) -> None:
        """Starts the node if it is down and waits until it serves. One that never does is started once
        more."""
        for last_try in (False, True):
            if not self.processes():
                self._start()
            # Somebody may have stopped it with SIGSTOP.
            self.signal(signal.SIGCONT)
            if self._serves_within(BOOT_SECONDS):
                self._mark_whole()
                return
            self.kill()
            if last_try:
                raise LocalClusterError(f"{self.name} does not start: see {self.folder / 'log'}")

    def serves(self) -> bool:
        """Whether the node is known to epmd, takes AMQP connections, and the management API knows the admin."""
        known = registered_names(self.address, self._ports.epmd)
        return known is not None and self._short_name in known and self._overview() and self._takes_amqp()

    def stop(self) -> None:
        """Ends the node properly; by force when it does not in time."""
        found = self.processes()
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        if not processes.wait_gone(found, self._tag, STOP_SECONDS):
            self.kill()

    def kill(self) -> None:
        """`kill -9` of the Erlang machine; back when all its helpers are gone too."""
        self.signal(signal.SIGKILL)
        # Helpers end by themselves when their pipe does.
        if processes.wait_gone(self.processes(), self._tag, 2):
            return
        for left in (found := self.processes()):
            processes.send(left, self._tag, signal.SIGKILL)
        processes.wait_gone(found, self._tag, STOP_SECONDS)

    def signal(self, number: signal.Signals) -> None:
        """Signals the Erlang machine; nothing happens when the node is down."""
        for machine in self.processes()[:1]:
            processes.send(machine, self._tag, number)

    def tool(self, tool: str, *arguments: str) -> str:
        """The output of rabbitmqctl or one of its kind. Raises LocalClusterError with the tool's complaint."""
        done = subprocess.run(
            [*broker_command(tool), *arguments],
            env={**self._environment, processes.ROLE: tool},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=TOOL_SECONDS,
        )
        if done.returncode != 0:
            raise LocalClusterError(f"{tool} {arguments[0] if arguments else ''}: {_one_line(done.stderr)}")
        return done.stdout

    def _start(self) -> None:
        data = self.folder / "data"
        if not self._whole_mark.exists():
            # Killed before its first start was over: half a database is none.
            shutil.rmtree(data, ignore_errors=True)
        data.mkdir(exist_ok=True)
        # A node killed this moment still holds its ports while the kernel takes it down.
        deadline = time.monotonic() + PORTS_SECONDS
        for port in self._ports.of_node:
            while taken(self.address, port):
                if time.monotonic() > deadline:
                    raise LocalClusterError(f"port {port} of {self.address} is in use by another program")
                time.sleep(processes.POLL_SECONDS)
        environment = {**self._environment, processes.ROLE: self.name}
        log = self.folder / "log" / "console.log"
        processes.spawn(broker_command("rabbitmq-server"), environment, folder=self.folder, log=log)

    def _serves_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.serves():
                return True
            if not self.processes():
                return False
            time.sleep(2 * processes.POLL_SECONDS)
        return False

    @property
    def _whole_mark(self) -> Path:
        return self.folder / "data" / "whole"

    def _mark_whole(self) -> None:
        self._whole_mark.touch()

    def _overview(self) -> bool:
        credentials = base64.b64encode(f"{ADMIN}:{self._secrets.password(ADMIN)}".encode()).decode()
        request = urllib.request.Request(
            f"{self.management_url}/api/overview", headers={"Authorization": f"Basic {credentials}"}
        )
        with contextlib.suppress(urllib.error.URLError, OSError, ValueError):
            with _DIRECT.open(request, timeout=2) as response:
                return bool(json.load(response)["node"] == self.name)
        return False

    def _takes_amqp(self) -> bool:
        return taken(self.address, self._ports.amqp)


_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""No proxy stands between us and loopback, whatever the environment says."""


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
