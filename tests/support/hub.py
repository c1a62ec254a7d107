"""A real hub for end-to-end tests: `hubex topology apply`, then `hubex run` as a child process, on the shared broker.

The law: a hub lives in a vhost of its own, and ends nothing but the processes that it started. When it is stopped
no input may be left in any of its queues: every message that a test sent was settled.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pamqp import commands

from deploy.local import LocalCluster
from router.core.directory import Client, Format, Naming
from router.core.shards import shard_of
from router.settings.directory_file import write_directory
from router.settings.pack_folders import pack_folder
from router.settings.topology_file import read_topology
from router.topology.management import Management
from tests.support.amqp import Amqp
from tests.support.party import KINDS, Party
from validators import load_pack

CHECKOUT = Path(__file__).parents[2]
HUBEX = (sys.executable, "-c", "from router.cli.app import main; main()")
PATIENCE_SECONDS = 30.0
SHARDS = 8
INPUT_QUEUES = (
    *(f"dispatch.{shard:02d}" for shard in range(SHARDS)),
    "dispatch.unknown",
    "hub.retry.1s",
    "hub.retry.10s",
    "hub.retry.60s",
    "hub.dead.inbox",
    "hub.dead.shard",
    "hub.dead.parked",
)
"""Whatever the hub must settle: empty when it has."""
MIB = 1024 * 1024
SMALL_LIMITS = {
    "shard_max_bytes": 64 * MIB,
    "rung_max_bytes": 32 * MIB,
    "parked_max_bytes": 64 * MIB,
    "inbox_max_bytes": 64 * MIB,
    "disk_budget_bytes": 2048 * MIB,
}

A = "fr.health.hub.samu050"
A2 = "fr.health.samu770"
B = "fr.health.samu330"
S = "fr.fire.nexsis.sdis-50"
PARTNER = "fr.fire.nexsis"
POLICE = "fr.police.hub.pn75"
FENCE = "fr.health.fence"
TWIN = next(
    client_id
    for client_id in (f"fr.health.twin{number}" for number in range(1000))
    if shard_of(client_id, SHARDS) == shard_of(A, SHARDS)
)
"""A client whose messages pass the same shard as A's."""
CLIENTS = (
    Client(A, editor="essai"),
    Client(A2, naming=Naming.FLAT),
    Client(B, format=Format.XML),
    Client(S, format=Format.JSON),
    Client(PARTNER, format=Format.JSON),
    Client(POLICE, format=Format.JSON),
    Client(FENCE),
    Client(TWIN),
    *(Client(f"fr.health.samu{number:03d}") for number in range(1, 9)),
)
"""A and A2 health clients in JSON (one of each naming), S a fire-service client, partner hubs of two forces."""

_T = TypeVar("_T")
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def wait_until(what: str, test: Callable[[], _T | None], patience_seconds: float = PATIENCE_SECONDS) -> _T:
    """The first true value of `test`."""
    deadline = time.monotonic() + patience_seconds
    while not (value := test()):
        assert time.monotonic() < deadline, f"not within {patience_seconds} s: {what}"
        time.sleep(0.02)
    return value


class Hub:
    """A hub with its configuration in `folder`. Leave it by `with`."""

    def __init__(
        self,
        cluster: LocalCluster,
        folder: Path,
        clients: Sequence[Client] = CLIENTS,
        *,
        vhost: str,
        pack: str = "v3",
        **sections: dict[str, Any],
    ) -> None:
        """`pack`: one that ships with the hub, or one in `folder`/packs."""
        self.cluster, self.folder, self.vhost = cluster, folder, vhost
        self.log = folder / "hub.log"
        self.output = folder / "output.txt"
        self.http_port = cluster.ports.hub_http
        fitting: dict[str, dict[str, Any]] = {
            "topology": SMALL_LIMITS,
            "workers": {"count": 2, "drain_seconds": 10},
            "log": {"target": str(self.log)},
        }
        merged = {name: fitting.get(name, {}) | sections.get(name, {}) for name in fitting | sections}
        vhosts = [{"name": vhost, "pack": pack}]
        self.config = cluster.write_config(folder / "hubex.toml", vhosts=vhosts, **merged)
        self.pack = load_pack(pack_folder(pack, folder / "packs"))
        self.process: subprocess.Popen[bytes] | None = None
        self._parties: dict[str, Party] = {}
        self._admin: Amqp | None = None
        self.write_clients(clients)

    def __enter__(self) -> "Hub":
        return self

    def __exit__(self, *_: object) -> None:
        self.disconnect()
        self.kill()

    # ---- the hub's own life ----------------------------------------------------------------------

    def write_clients(self, clients: Sequence[Client]) -> None:
        self.clients = tuple(clients)
        write_directory(self.folder / "clients.toml", self.clients)

    def apply(self) -> str:
        """`hubex topology apply`; what it said."""
        done = self.hubex("topology", "apply", "--config", str(self.config))
        assert done.returncode == 0, done.stderr
        return done.stdout

    def hubex(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A command of hubex, to its end."""
        return subprocess.run(
            [*HUBEX, *arguments],
            cwd=CHECKOUT,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def start(self, *, ready: bool = True) -> None:
        """`hubex run`; back when it is ready, unless told otherwise."""
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [*HUBEX, "run", "--config", str(self.config)],
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # A group of its own: the end of the hub is the end of this group, and of nothing else.
                start_new_session=True,
            )
        if ready:
            self.wait_ready()

    def wait_ready(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        try:
            wait_until("the hub is ready", lambda: self.running() and self.get("/readyz")[0] == 200, patience_seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.get('/readyz')}\n{self.tail()}") from None

    def running(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the hub ended with {self.process.returncode}\n{self.tail()}"
        return True

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self, patience_seconds: float = 30.0) -> int:
        """SIGTERM, and its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(patience_seconds)

    def wait(self, patience_seconds: float = 30.0) -> int:
        assert self.process is not None
        try:
            return self.process.wait(patience_seconds)
        finally:
            self.kill()

    def kill(self) -> None:
        """Nothing of it is left afterwards."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()
            self.process = None

    # ---- what it shows ---------------------------------------------------------------------------

    def get(self, path: str) -> tuple[int, str]:
        """A page of the hub: status and text; (0, reason) when it does not answer."""
        try:
            with _DIRECT.open(f"http://127.0.0.1:{self.http_port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's series that carry these labels."""
        total = 0.0
        for line in self.get("/metrics")[1].splitlines():
            series, _, value = line.rpartition(" ")
            if series.partition("{")[0] == name and all(
                f'{label}="{text}"' in series for label, text in labels.items()
            ):
                total += float(value)
        return total

    def wait_metric(self, name: str, value: float, **labels: str) -> None:
        """Until a metric has this value (workers write theirs every 200 ms)."""
        wait_until(f"{name}{labels or ''} is {value}", lambda: self.metric(name, **labels) == value)

    def events(self, event: str | None = None, **fields: Any) -> list[dict[str, Any]]:
        """The log lines of a kind with these fields, in the order of the file."""
        text = self.log.read_bytes() if self.log.exists() else b""
        lines = [json.loads(line) for line in text.split(b"\n")[:-1]]
        return [
            line
            for line in lines
            if (event is None or line["event"] == event) and all(line.get(name) == fields[name] for name in fields)
        ]

    def wait_event(self, event: str, **fields: Any) -> dict[str, Any]:
        """The first such log line, waited for."""
        return wait_until(f"log line {event} {fields}", lambda: self.events(event, **fields))[0]

    def tail(self, since: int = 0, most: int = 30) -> str:
        """The end of what it logged and said; long lines are cut."""
        text = self.log.read_bytes()[since:].decode("utf-8", "replace") if self.log.exists() else ""
        said = self.output.read_text() if self.output.exists() else ""
        lines = ["--- the hub's log", *text.splitlines()[-most:], "--- its output", *said.splitlines()[-most:]]
        return "\n".join(line[:400] for line in lines)

    def remove(self) -> None:
        """Its vhost and its clients' users, all that it made on the broker."""
        self.kill()
        self.disconnect()
        api = self.management
        users = {user["name"] for user in api.get("users")}
        if self.vhost in {vhost["name"] for vhost in api.get("vhosts")}:
            api.delete("vhosts", self.vhost)
        for client in self.clients:
            if client.id in users:
                api.delete("users", client.id)

    # ---- the broker's side -----------------------------------------------------------------------

    @property
    def admin(self) -> Amqp:
        """A connection that may do everything."""
        if self._admin is None:
            cluster = self.cluster
            self._admin = Amqp(
                cluster.address, cluster.amqp_port, self.vhost, cluster.admin_user, cluster.admin_password
            )
        return self._admin

    @property
    def management(self) -> Management:
        return Management(self.cluster.management_url, self.cluster.admin_user, self.cluster.admin_password)

    def party(self, client_id: str) -> Party:
        """A client of the directory, connected when first used."""
        if client_id not in self._parties:
            client = next(client for client in self.clients if client.id == client_id)
            cluster = self.cluster
            address = (cluster.address, cluster.amqp_port, self.vhost, cluster.clients_password)
            self._parties[client_id] = Party(client, address, self.pack)
        return self._parties[client_id]

    def disconnect(self) -> None:
        """All connections of the tests; what they had not settled goes back."""
        for party in self._parties.values():
            party.close()
        self._parties.clear()
        if self._admin is not None:
            self._admin.close()
            self._admin = None

    def shard(self, client_id: str) -> int:
        """Where a client's messages pass."""
        return read_topology(self.folder / "topology.json")[self.vhost].shard(client_id)

    def quiet(self, *parties: Party) -> None:
        """Nothing (else) came to any inbox of these clients, nor will of what they have sent so far, and no input
        waits.

        A fence proves it without waiting: a message through each one's shard, behind whatever it sent before; then
        one to each inbox, which must be the next thing there.
        """
        fence = self.party(FENCE)
        for party in parties:
            fence.receives(party.send(party.message(fence)))
        for party in parties:
            sent = {kind: fence.send(fence.message(party, kind=_ANY[kind])) for kind in KINDS}
            for kind in KINDS:
                in_xml = party.client.wire_format is Format.XML
                party.receives(self.pack.xml.write_message(sent[kind]) if in_xml else sent[kind], kind)
        self.nothing_waits()

    def nothing_waits(self) -> None:
        """No input is left in any queue of the hub."""
        wait_until("the hub's queues are empty", lambda: not self.waiting())

    def clear(self) -> dict[str, int]:
        """Empties every inbox and the parking queue; what was in them."""
        queues = ["hub.parked", *(self.party(client.id).inbox(kind) for client in self.clients for kind in KINDS)]
        left = {queue: depth for queue in queues if (depth := self.admin.depth(queue))}
        for queue in left:
            self.admin.call(commands.Queue.Purge(queue=queue))
        return left

    def waiting(self) -> dict[str, int]:
        """Inputs that no worker has taken. After the end of the hub: that were not settled."""
        depths = {queue: self.admin.depth(queue) for queue in INPUT_QUEUES}
        return {queue: depth for queue, depth in depths.items() if depth}


_ANY = {"message": "Report", "ack": "Ack", "info": "Error"}


@contextmanager
def removed_afterwards(hub: Hub) -> Iterator[None]:
    """For a vhost that is one test's own."""
    try:
        yield
    finally:
        hub.remove()
