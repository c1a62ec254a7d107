"""A hub made for a bench: its clients, its configuration and topology on a local cluster, and `hubex run` on it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from bench.amqp import Address
from bench.child import LoadError
from bench.job import Target
from bench.procstat import peak_rss_bytes, tree
from deploy.local import LocalCluster
from router.core.directory import Client, Format
from router.core.shards import shard_of
from router.settings.config import Config, load_config
from router.settings.directory_file import write_directory
from router.topology.apply import apply, management_of
from router.topology.management import Management, NotFound

VHOST: Final = "bench"
MIB: Final = 1024 * 1024
MARKED_BY: Final = "fr.health.bench.mark"
MARKER_INBOX: Final = "fr.health.bench.marker"
STOP_SECONDS: Final = 40.0
ROUTER: Final = (sys.executable, "-c", "from router.cli.app import main; main()", "run", "--config")


def make_clients(count: int, xml_share: float = 0.0) -> list[Client]:
    """The senders and recipients of a bench: health clients, named `in-out`; a share of them, evenly, read XML."""
    return [
        Client(
            id=f"fr.health.bench.c{index:03d}",
            editor="bench",
            format=Format.XML if int((index + 1) * xml_share) > int(index * xml_share) else None,
        )
        for index in range(count)
    ]


def make_markers(shards: int) -> list[Client]:
    """One marker client for each shard, in the shards' order; they send to `MARKER_INBOX`."""
    found: dict[int, Client] = {}
    index = 0
    while len(found) < shards:
        client = Client(id=f"{MARKED_BY}{index:03d}", editor="bench")
        found.setdefault(shard_of(client.id, shards), client)
        index += 1
    return [found[shard] for shard in range(shards)]


class BenchHub:
    """The files and the topology of a hub for `clients`, in a vhost of its own on a running cluster."""

    def __init__(
        self,
        cluster: LocalCluster,
        folder: Path,
        clients: Sequence[Client],
        *,
        vhost: str = VHOST,
        workers: int = 0,
        prefetch: int = 256,
        shards: int = 8,
        shard_max_bytes: int = 256 * MIB,
    ) -> None:
        self.cluster, self.folder, self.vhost = cluster, folder, vhost
        self.clients = tuple(clients)
        folder.mkdir(parents=True, exist_ok=True)
        write_directory(folder / "clients.toml", self.clients)
        self.config_file = cluster.write_config(
            folder / "hubex.toml",
            vhosts=[{"name": vhost, "pack": "v3"}],
            directory={"file": str(folder / "clients.toml")},
            topology={"file": str(folder / "topology.json"), "shards": shards, "shard_max_bytes": shard_max_bytes},
            workers={"count": workers, "prefetch": prefetch},
            log={"target": str(folder / "events.log")},
        )
        self.config: Config = load_config(self.config_file, {})
        self.api: Management = management_of(self.config)

    def apply(self) -> None:
        """Make the queues, bindings and rights. Raises SettingsError, ManagementError."""
        apply(self.config, self.clients, self.api, say=lambda _: None)

    def remove(self) -> None:
        """Take the vhost and all that is in it away; nothing when it is not there. Raises ManagementError."""
        with contextlib.suppress(NotFound):
            self.api.delete("vhosts", self.vhost)

    @property
    def target(self) -> Target:
        broker = self.config.broker
        return Target(
            Address(broker.host, broker.port, self.vhost),
            self.config.directory.clients_password(),
            broker.user,
            broker.secret(),
        )

    def versions(self) -> dict[str, str]:
        """`rabbitmq` and `erlang` of the broker. Raises ManagementError."""
        overview = self.api.get("overview")
        return {"rabbitmq": overview["rabbitmq_version"], "erlang": overview["erlang_version"]}


class RouterProcess:
    """`hubex run` with a configuration; its log goes where the configuration says, its standard error to a file."""

    def __init__(self, config_file: Path, folder: Path, http_port: int, command: Sequence[str] = ROUTER) -> None:
        self._url = f"http://127.0.0.1:{http_port}"
        self._errors = folder / "router.stderr"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HUBEX_")}
        with self._errors.open("ab") as errors:
            self._process = subprocess.Popen(
                [*command, str(config_file)], stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, env=environment
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    def check(self) -> None:
        """Raises LoadError when it has ended."""
        if self._process.poll() is not None:
            lines = self._errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise LoadError(f"hubex run ended with {self._process.returncode}: {lines[-1] if lines else 'no word'}")

    def wait_ready(self, seconds: float = 30.0) -> None:
        """Until /readyz says so. Raises LoadError."""
        deadline = time.monotonic() + seconds
        while not self._answers("/readyz"):
            self.check()
            if time.monotonic() > deadline:
                raise LoadError(f"hubex run is not ready in {seconds:.0f} s")
            time.sleep(0.05)

    def scrape(self) -> bool:
        """Read /metrics as Prometheus does; whether it answered."""
        return self._answers("/metrics")

    def workers_rss_bytes(self) -> list[int]:
        """The largest resident size of each worker so far."""
        return [peak_rss_bytes(process.pid) for process in tree(self.pid)[1:]]

    def stop(self) -> int:
        """SIGTERM, and its exit code once it has drained. Raises LoadError when it does not end."""
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise LoadError(f"hubex run did not drain in {STOP_SECONDS:.0f} s") from None

    def _answers(self, path: str) -> bool:
        try:
            with urllib.request.urlopen(self._url + path, timeout=5) as answer:
                answer.read()
                return bool(answer.status == 200)
        except OSError:
            return False
