"""The local cluster: a private RabbitMQ with its own names, ports, cookie, epmd and data, on loopback or a bridge.

The law: what runs is read from /proc (see `processes`), what should run from the files, and `up` brings the
one to the other. So it can be called at any time, after anything was killed, and twice at once.
"""

import fcntl
import json
import shutil
import signal
import urllib.error
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

from deploy.local import formation, maintenance, processes
from deploy.local.failure import LocalClusterError
from deploy.local.files import install
from deploy.local.layout import Layout, Shape
from deploy.local.node import Node
from deploy.local.parts import HOME, Parts
from deploy.local.ports import DEFAULT_BASE_PORT, Ports
from deploy.local.reach import Reach
from deploy.local.secrets_store import SecretsStore

REGISTER_SECONDS: Final = 15.0
"""A node registers again within seconds after its epmd came back; if not, it is started anew."""
END_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Status:
    """What runs now. `pids`: node, "epmd" or "haproxy" -> pid of what is up; `behind`: what the balancer says of the
    servers behind it."""

    name: str
    serving: bool
    pids: dict[str, int]
    behind: dict[str, str]
    address: str
    amqp_port: int
    management_url: str
    folder: Path


class LocalCluster(Reach):
    """A private broker: one node, or three with or without a balancer. Nothing is started, written or read before `up`.

    Methods block; none may be called on an event loop. All raise LocalClusterError (one line) and
    BrokerNotFound. `nodes`, `balancer` and `network` (None where there is none) have what is done to one part.
    """

    def __init__(self, root: Path, *, base_port: int, layout: Layout | None = None, name: str = "default") -> None:
        """`root` holds a folder for each cluster; `base_port` is the first of 20 ports, the same on each address.
        Raises ValueError for a name that is no plain folder name."""
        if not name.replace("-", "").replace("_", "").isalnum():
            raise ValueError("the name of a cluster has letters, digits, - and _ only")
        self.name = name
        self.folder = root.resolve() / name
        super().__init__(layout or Layout(), Ports(base_port), SecretsStore(self.folder / "secrets"))
        self._tag = str(self.folder)
        self._parts = Parts.of(self.layout, self.ports, self.folder, self._tag, self._secrets)
        self.nodes, self.balancer, self.network = self._parts.nodes, self._parts.balancer, self._parts.network

    @classmethod
    def open(cls, root: Path, name: str = "default", shape: Shape | None = None) -> Self:
        """The cluster of this name, on the ports that it was made with; a new one gets free ports. Raises
        LocalClusterError when it was made with another shape than the one asked for, if one is."""
        made = root / name / "ports.json"
        if made.is_file():
            kept = json.loads(made.read_text())
            base_port = int(kept.pop("base"))
            layout = Layout(**kept | {"nodes": tuple(kept.get("nodes", Layout.nodes))})
            if shape not in (None, layout.shape):
                raise LocalClusterError(
                    f"{name} was made with {layout.shape}: remove it first, or give this one another name"
                )
            return cls(root, base_port=base_port, layout=layout, name=name)
        return cls.new(root, name, shape or Shape(), preferred=DEFAULT_BASE_PORT if name == "default" else None)

    @classmethod
    def new(cls, root: Path, name: str, shape: Shape, *, preferred: int | None = None) -> Self:
        """A cluster on free ports, on `preferred` when they are."""
        base_port = shape.free_base_port(preferred)
        return cls(root, base_port=base_port, layout=shape.layout(base_port), name=name)

    # ---- the whole -------------------------------------------------------------------------------

    def up(self) -> None:
        """Back when all of it serves. Does nothing when it does already; mends what is not as it should be: what was
        killed, frozen, drained or cut off."""
        with self._locked():
            install(self.folder / "ports.json", json.dumps({"base": self.ports.base, **asdict(self.layout)}) + "\n")
            home = self.folder / HOME
            home.mkdir(mode=0o700, exist_ok=True)
            self._secrets.make()
            self._secrets.make_cookie(home)
            self._ensure_network()
            if any([part.install() for part in self._parts.served]):
                self._stop_all()
            for epmd in self._parts.epmds:
                epmd.ensure_up()
            for node in self.nodes:
                node.sigcont()  # a frozen one does not register
            for node in self.nodes:
                node.ensure_registered(REGISTER_SECONDS)
            formation.bring_up(self.nodes)
            if self.balancer:
                self.balancer.ensure_up()

    def down(self) -> None:
        """Ends the cluster's own processes, and no other; the data stay."""
        if self.folder.is_dir():
            with self._locked():
                self._stop_all()
                if self.network:
                    self.network.remove()

    def destroy(self) -> None:
        """Ends the cluster at once (a proper stop takes six seconds, for data that go anyway) and removes
        everything that it made."""
        if self.folder.is_dir():
            with self._locked():
                for part in self._parts.served:
                    part.kill9()
                self._stop_all()
                if self.network:
                    self.network.remove()
                shutil.rmtree(self.folder)

    def status(self) -> Status:
        """What runs now; never waits for anything but an answer of the broker."""
        machines = {part.name: part.processes() for part in (*self._parts.served, *self._parts.epmds)}
        pids = {name: found[0].pid for name, found in machines.items() if found}
        serving = len(pids) == len(machines) and all(part.serves() for part in self._parts.served)
        behind = self.balancer.servers() if self.balancer else {}
        where = (self.address, self.amqp_port, self.management_url, self.folder)
        return Status(self.name, serving, pids, behind, *where)

    def pids(self) -> list[int]:
        """Every living process of the cluster, helpers and tools included."""
        return [found.pid for found in processes.find(self._tag)]

    # ---- the first node, of one or three -------------------------------------------------------

    def kill9(self) -> None:
        """`kill -9` of the node; back when it is gone. `start` brings it back with its data."""
        self.nodes[0].kill9()

    def kill9_epmd(self) -> None:
        """`kill -9` of every epmd; `up` brings them back."""
        for epmd in self._parts.epmds:
            epmd.kill9()

    def sigstop(self) -> None:
        """Freezes the node: its sockets stay open and nothing answers. `sigcont` or `up` wakes it."""
        self.nodes[0].sigstop()

    def sigcont(self) -> None:
        self.nodes[0].sigcont()

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

    # ---- one of several --------------------------------------------------------------------------

    def node(self, which: str) -> Node:
        """By its number, from 1, or by its name, with or without the address."""
        for number, node in enumerate(self.nodes, 1):
            if which in (str(number), node.short_name, node.name):
                return node
        raise LocalClusterError(f"{self.name} has no node {which!r}: {', '.join(node.name for node in self.nodes)}")

    def leader(self, vhost: str, queue: str) -> Node:
        """The node that leads a quorum queue, as the first node that answers says. A moment ago it may have been
        another, when that one died."""
        path = "/".join(urllib.parse.quote(part, safe="") for part in (vhost, queue))
        for node in self.nodes:
            try:
                return self.node(node.api(f"queues/{path}")["leader"])
            except (urllib.error.URLError, OSError, ValueError, KeyError):
                continue
        raise LocalClusterError(f"no node of {self.name} tells who leads {queue}")

    def drain(self, node: Node) -> None:
        """Puts a node into maintenance (see `maintenance`)."""
        with self._locked():
            maintenance.drain(node)

    def revive(self, node: Node) -> None:
        """Takes it back into service."""
        with self._locked():
            maintenance.revive(node)

    # ---- inside ----------------------------------------------------------------------------------

    def _ensure_network(self) -> None:
        if not self.network:
            return
        if self.network.whole():
            self.network.heal()
        else:
            # What still runs is in namespaces that have no name any more.
            self._stop_all()
            self.network.make()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One change at a time. The lock falls with the process that holds it, however that dies."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _stop_all(self) -> None:
        if self.balancer:
            self.balancer.stop()
        formation.stop(self.nodes)
        # Whatever is left: epmd, tools, helpers.
        for found in (left := processes.find(self._tag)):
            processes.send(found, self._tag, signal.SIGKILL)
        processes.wait_gone(left, self._tag, END_SECONDS)
