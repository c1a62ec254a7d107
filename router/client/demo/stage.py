"""What the demo plays on: a private broker, its topology, a configuration and a hub of its own.

Law: it ends what it started and nothing else. Whatever a killed demo left behind carries this demo's tag in
its environment, and the next demo ends it first; no pid is ever taken from a file.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from deploy.local import LocalCluster, processes
from deploy.local.ports import free_base_port, taken
from router.client.connect import ClientError
from router.client.demo.play import SAMU, SDIS
from router.client.samples import RC_EDA, sample
from router.core.directory import Client, Format
from router.settings.config import Config, load_config
from router.settings.directory_file import read_directory, write_directory
from router.settings.strict import SettingsError
from router.topology import apply as topology

NAME: Final = "demo"
ADDRESS: Final = "127.0.0.1"
READY_SECONDS: Final = 60.0
STOP_SECONDS: Final = 10.0
POLL_SECONDS: Final = 0.05
STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MIB: Final = 1024 * 1024
_KEPT_FREE: Final = 256 * MIB
"""What the local broker leaves free on its disk."""
_SMALL: Final = {
    "inbox_max_bytes": 64 * MIB,
    "shard_max_bytes": 16 * MIB,
    "rung_max_bytes": 16 * MIB,
    "parked_max_bytes": 32 * MIB,
    "dead_max_bytes": 16 * MIB,
    "unknown_max_bytes": 16 * MIB,
}
"""A demo must also fit on a small disk."""


class Stage:
    """Use as `with`: entering sets everything up (and raises ClientError, SettingsError, ManagementError,
    LocalClusterError, BrokerNotFound or OSError), leaving ends what entering started."""

    def __init__(self, root: Path, say: Callable[[str], None]) -> None:
        self.folder = root.resolve() / NAME
        self.config_path = self.folder / "hubex.toml"
        self.log_path = self.folder / "hub.log"
        self.message_path = self.folder / "message.json"
        self.config: Config
        self.cluster: LocalCluster
        self._root = root
        self._say = say
        self._tag = f"{self.folder}/hub"
        self._started = self.folder / "broker-started-by-demo"
        self._lock: IO[str] | None = None
        self._hub: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._only_one()
        try:
            self._set_up()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def check_hub(self) -> None:
        """Raises ClientError when the hub has ended."""
        if self._hub is not None and self._hub.poll() is not None:
            raise ClientError(f"the hub has ended (exit code {self._hub.returncode}): {self._last_words()}")

    # ---- setting up ------------------------------------------------------------------------------

    def _only_one(self) -> None:
        self._lock = (self.folder / "demo.lock").open("a")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise ClientError(f"another demo is running in {self.folder}: end it there by Ctrl-C") from None

    def _set_up(self) -> None:
        self._end_hub()
        self.cluster = self._cluster()
        if not self.cluster.status().serving:
            self._say("Le broker privé démarre… / the private broker starts…")
            self._started.touch()
        self.cluster.up()
        self._write_files()
        clients = read_directory(self.config.directory.file, self.config.directory.extra_ids)
        self._say("Échanges, files et droits… / exchanges, queues and rights…")
        topology.apply(self.config, clients, topology.management_of(self.config), say=_quiet)
        self._say("Le hub démarre… / the hub starts…")
        self._start_hub()

    def _cluster(self) -> LocalCluster:
        """The demo's broker, on the ports that it had, or on others when somebody took one meanwhile."""
        cluster = LocalCluster.open(self._root, NAME)
        ports = cluster.ports
        wanted = (ports.hub_http,) if cluster.pids() else (*ports.of_node, ports.epmd, ports.hub_http)
        if any(taken(ADDRESS, port) for port in wanted):
            cluster.down()
            cluster = LocalCluster(self._root, base_port=free_base_port(ADDRESS), name=NAME)
        return cluster

    def _write_files(self) -> None:
        # Read here, not by the broker: RabbitMQ 3.10 reads no disk whose path has a blank or an accent (measured).
        budget = max(1, (shutil.disk_usage(self.folder).free - _KEPT_FREE) // 2)
        self.cluster.write_config(
            self.config_path,
            log={"target": str(self.log_path)},
            workers={"drain_seconds": 5},
            topology=_SMALL | {"disk_budget_bytes": budget},
        )
        # Nobody's shell variables: the demo is what its files say.
        self.config = load_config(self.config_path, {})
        if not self._has_both_clients():
            write_directory(self.config.directory.file, [_client(SDIS), _client(SAMU)])
        if not self.message_path.exists():
            self.message_path.write_bytes(sample(RC_EDA))

    def _has_both_clients(self) -> bool:
        """A directory that people have added clients to is kept."""
        try:
            clients = read_directory(self.config.directory.file, self.config.directory.extra_ids)
        except SettingsError:
            return False
        return {SDIS, SAMU} <= {client.id for client in clients if client.test and client.wire_format is Format.JSON}

    def _start_hub(self) -> None:
        self.log_path.write_bytes(b"")
        code = "from router.cli.app import main; main()"
        with (self.folder / "hub.out").open("wb") as output:
            # A session of its own: Ctrl-C at the terminal is for the demo, which ends the hub in its turn.
            self._hub = subprocess.Popen(
                [sys.executable, "-c", code, "run", "--config", str(self.config_path)],
                env=hub_environment(os.environ, self._tag),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + READY_SECONDS
        while not self._ready():
            self.check_hub()
            if time.monotonic() > deadline:
                raise ClientError(f"the hub is not ready after {READY_SECONDS:.0f} s: see {self.log_path}")
            time.sleep(POLL_SECONDS)

    def _ready(self) -> bool:
        http = self.config.http
        try:
            with urllib.request.urlopen(f"http://{http.host}:{http.port}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _last_words(self) -> str:
        for path in (self.folder / "hub.out", self.log_path):
            lines = path.read_text(errors="replace").splitlines() if path.exists() else []
            if lines:
                return lines[-1]
        return f"see {self.folder}"

    # ---- ending ----------------------------------------------------------------------------------

    def _end(self) -> None:
        try:
            with _uninterrupted():
                self._end_hub()
                if self._started.exists():
                    LocalCluster.open(self._root, NAME).down()
                    self._started.unlink(missing_ok=True)
        finally:
            if self._lock is not None:
                self._lock.close()

    def _end_hub(self) -> None:
        """SIGTERM to the supervisor, which drains its workers; after 10 s SIGKILL to all that is left."""
        for found in processes.find(self._tag)[:1]:
            processes.send(found, self._tag, signal.SIGTERM)
        if not processes.wait_gone(processes.find(self._tag), self._tag, STOP_SECONDS):
            left = processes.find(self._tag)
            for found in left:
                processes.send(found, self._tag, signal.SIGKILL)
            processes.wait_gone(left, self._tag, STOP_SECONDS)
        if self._hub is not None:
            self._hub.wait()
            self._hub = None


def hub_environment(environ: Mapping[str, str], tag: str) -> dict[str, str]:
    """The environment of the demo's hub: without settings of the shell's, with the tag to find it by. Pure."""
    kept = {name: value for name, value in environ.items() if not name.startswith("HUBEX_")}
    return kept | {processes.TAG: tag}


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """A second Ctrl-C must not leave half of it running: ending takes seconds and has deadlines of its own."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _client(client_id: str) -> Client:
    return Client(id=client_id, editor="hubex demo", format=Format.JSON, test=True)


def _quiet(_: str) -> None: ...
