"""The local cluster: a private RabbitMQ with its own name, ports, cookie, epmd and data, on loopback only.

The law: what runs is read from /proc (see `processes`), what should run from the files, and `up` brings the
one to the other. So it can be called at any time, after anything was killed, and twice at once.
"""

import fcntl
import ipaddress
import json
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from deploy.local import broker_files, processes
from deploy.local.epmd import registered_names
from deploy.local.files import install
from deploy.local.node import EPMD, LocalClusterError, Node
from deploy.local.ports import DEFAULT_BASE_PORT, Ports, free_base_port, taken
from deploy.local.processes import Process
from deploy.local.secrets_store import ADMIN, CLIENTS, ROUTER, SecretsStore
from deploy.local.settings_file import settings_toml

NODE_NAME: Final = "hubex"
EPMD_SECONDS: Final = 10.0
REGISTER_SECONDS: Final = 15.0
"""A node registers again within seconds after its epmd came back; if not, it is started anew."""


@dataclass(frozen=True)
class Status:
    """What runs now. `pids`: node or "epmd" -> pid of what is up."""

    name: str
    serving: bool
    pids: dict[str, int]
    amqp_port: int
    management_url: str
    folder: Path


class LocalCluster:
    """A private broker. Nothing is started, written or read before `up`.

    Methods block; none may be called on an event loop. All raise LocalClusterError (one line) and
    BrokerNotFound.
    """

    admin_user: Final = ADMIN
    router_user: Final = ROUTER

    def __init__(self, root: Path, *, base_port: int, address: str = "127.0.0.1", name: str = "default") -> None:
        """`root` holds a folder for each cluster; `base_port` is the first of 20 ports. Raises ValueError for
        an address that is not IPv4 loopback, or a name that is no plain folder name."""
        if not ipaddress.IPv4Address(address).is_loopback:
            raise ValueError(f"{address} is not a loopback address")
        if not name.replace("-", "").replace("_", "").isalnum():
            raise ValueError("the name of a cluster has letters, digits, - and _ only")
        self.name = name
        self.folder = root.resolve() / name
        self.ports = Ports(base_port)
        self.address = address
        self._tag = str(self.folder)
        self._home = self.folder / "home"
        self._secrets = SecretsStore(self.folder / "secrets")
        self._environment = broker_files.erlang_environment(self._home, [address], self.ports)
        self.nodes = [
            Node(
                NODE_NAME,
                address,
                self.ports,
                self.folder / f"node-{address}",
                self._tag,
                self._environment,
                self._secrets,
            )
        ]

    @classmethod
    def open(cls, root: Path, name: str = "default", *, address: str = "127.0.0.1") -> Self:
        """The cluster of this name, on the ports that it was made with; a new one gets free ports."""
        made = root / name / "ports.json"
        if made.is_file():
            return cls(root, base_port=int(json.loads(made.read_text())["base"]), address=address, name=name)
        preferred = DEFAULT_BASE_PORT if name == "default" else None
        return cls(root, base_port=free_base_port(address, preferred), address=address, name=name)

    # ---- the whole -------------------------------------------------------------------------------

    def up(self) -> None:
        """Back when the broker serves. Does nothing when it does already; mends what is not as it should be."""
        with self._locked():
            install(self.folder / "ports.json", json.dumps({"base": self.ports.base}) + "\n")
            self._home.mkdir(mode=0o700, exist_ok=True)
            self._secrets.make()
            self._secrets.make_cookie(self._home)
            if any([node.install() for node in self.nodes]):
                self._stop_all()
            self._ensure_epmd()
            for node in self.nodes:
                self._ensure_registered(node)
                node.ensure_up()

    def down(self) -> None:
        """Ends the cluster's own processes, and no other; the data stay."""
        if self.folder.is_dir():
            with self._locked():
                self._stop_all()

    def destroy(self) -> None:
        """Ends the cluster at once (a proper stop takes six seconds, for data that go anyway) and removes
        everything that it wrote."""
        if self.folder.is_dir():
            with self._locked():
                for node in self.nodes:
                    node.kill()
                self._stop_all()
                shutil.rmtree(self.folder)

    def status(self) -> Status:
        """What runs now; never waits for anything but an answer of the broker."""
        machines = {node.name: node.processes() for node in self.nodes} | {EPMD: self._epmd()}
        pids = {name: found[0].pid for name, found in machines.items() if found}
        serving = len(pids) == len(machines) and all(node.serves() for node in self.nodes)
        return Status(self.name, serving, pids, self.amqp_port, self.management_url, self.folder)

    def pids(self) -> list[int]:
        """Every living process of the cluster, helpers and tools included."""
        return [found.pid for found in processes.find(self._tag)]

    # ---- the node --------------------------------------------------------------------------------

    def kill9(self) -> None:
        """`kill -9` of the node; back when it is gone. `start` brings it back with its data."""
        self.nodes[0].kill()

    def kill9_epmd(self) -> None:
        """`kill -9` of epmd; `up` brings it back."""
        for found in self._epmd():
            processes.send(found, self._tag, signal.SIGKILL)
        processes.wait_gone(self._epmd(), self._tag, EPMD_SECONDS)

    def sigstop(self) -> None:
        """Freezes the node: its sockets stay open and nothing answers. `sigcont` or `up` wakes it."""
        self.nodes[0].signal(signal.SIGSTOP)

    def sigcont(self) -> None:
        self.nodes[0].signal(signal.SIGCONT)

    def stop(self) -> None:
        """Stops the node properly; epmd stays. `start` brings it back with its data."""
        with self._locked():
            self.nodes[0].stop()

    def start(self) -> None:
        """The same as `up`."""
        self.up()

    def ctl(self, *arguments: str, tool: str = "rabbitmqctl") -> str:
        """Output of rabbitmqctl (or another tool of RabbitMQ) on the node. It takes a second or two: the
        management API is faster."""
        return self.nodes[0].tool(tool, *arguments)

    # ---- how to reach it -------------------------------------------------------------------------

    @property
    def amqp_port(self) -> int:
        return self.ports.amqp

    @property
    def management_port(self) -> int:
        return self.ports.management

    @property
    def management_url(self) -> str:
        return self.nodes[0].management_url

    @property
    def prometheus_port(self) -> int:
        return self.ports.prometheus

    @property
    def admin_password(self) -> str:
        return self._secrets.password(ADMIN)

    @property
    def router_password(self) -> str:
        return self._secrets.password(ROUTER)

    @property
    def clients_password(self) -> str:
        """The one password of all client users (`directory.clients_password_file`)."""
        return self._secrets.password(CLIENTS)

    def write_config(self, path: Path, **overrides: Any) -> Path:
        """Writes a hubex.toml that fits this cluster, and returns its path.

        Each override is a section: a table merged over what fits (`workers={"count": 2}`), or a list of
        tables that replaces it (`vhosts=[{"name": "v", "pack": "v3"}]`). Secrets stay in their files.
        """
        fitting: dict[str, Any] = {
            "broker": {
                "host": self.address,
                "port": self.amqp_port,
                "user": ROUTER,
                "password_file": self._secrets.file(ROUTER),
            },
            "management": {
                "url": self.management_url,
                "user": ADMIN,
                "password_file": self._secrets.file(ADMIN),
            },
            "directory": {"clients_password_file": self._secrets.file(CLIENTS)},
            "http": {"port": self.ports.hub_http},
        }
        for section, value in overrides.items():
            fitting[section] = {**fitting.get(section, {}), **value} if isinstance(value, dict) else value
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(settings_toml(fitting), encoding="utf-8")
        return path

    # ---- inside ----------------------------------------------------------------------------------

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One change at a time. The lock falls with the process that holds it, however that dies."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _epmd(self) -> list[Process]:
        """Also one that a node started when ours was killed: it carries the tag like all."""
        return [found for found in processes.find(self._tag) if found.program == EPMD]

    def _ensure_epmd(self) -> None:
        for found in self._epmd():
            processes.send(found, self._tag, signal.SIGCONT)
        if self._epmd() and registered_names(self.address, self.ports.epmd) is not None:
            return
        self.kill9_epmd()
        if taken(self.address, self.ports.epmd):
            raise LocalClusterError(f"port {self.ports.epmd} of {self.address} is in use by another program")
        environment = {**self._environment, processes.TAG: self._tag, processes.ROLE: EPMD}
        command = [EPMD, "-port", str(self.ports.epmd), "-address", self.address]
        processes.spawn(command, environment, folder=self._home, log=self.folder / "epmd.log")
        deadline = time.monotonic() + EPMD_SECONDS
        while registered_names(self.address, self.ports.epmd) is None:
            if time.monotonic() > deadline:
                raise LocalClusterError(f"epmd does not start: see {self.folder / 'epmd.log'}")
            time.sleep(processes.POLL_SECONDS)

    def _ensure_registered(self, node: Node) -> None:
        """A running node whose epmd died registers again by itself; one that does not is stopped."""
        deadline = time.monotonic() + REGISTER_SECONDS
        while node.processes() and NODE_NAME not in (registered_names(self.address, self.ports.epmd) or ()):
            if time.monotonic() > deadline:
                node.stop()
                return
            time.sleep(processes.POLL_SECONDS)

    def _stop_all(self) -> None:
        for node in self.nodes:
            node.stop()
        # Whatever is left: epmd, tools, helpers.
        for found in (left := processes.find(self._tag)):
            processes.send(found, self._tag, signal.SIGKILL)
        processes.wait_gone(left, self._tag, EPMD_SECONDS)
