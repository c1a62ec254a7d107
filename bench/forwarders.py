"""What moves the messages in a bench: the router, the broker's shovel, or a rival, each started and stopped alike.

Law: a forwarder is used inside `with`, and nothing of it stays behind, whatever happens meanwhile.
"""

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

import schemas
from bench.child import LoadError, LoadProcess, wait_quietly
from bench.hub import BenchHub, RouterProcess
from bench.job import ForwardJob, Line
from bench.procstat import cpu_seconds, peak_rss_bytes
from bench.results import AIO_PIKA, AIORMQ, FASTSTREAM, NULL, ROUTER, SHOVEL
from bench.shovel import Shovels
from bench.steering import STOP
from router.core.names import shard_queue

SCRAPE_SECONDS: Final = 5.0
READY_SECONDS: Final = 30.0
PACK: Final = Path(next(iter(schemas.__path__))) / "v3"
MODULES: Final = {
    NULL: "bench.rivals.null",
    AIORMQ: "bench.rivals.plain_aiormq",
    AIO_PIKA: "bench.rivals.plain_aio_pika",
    FASTSTREAM: "bench.rivals.faststream_checking",
}


class Forwarder(ABC):
    """One way of moving messages from the shards to the inboxes."""

    name: str

    def __enter__(self) -> Self:
        return self

    @abstractmethod
    def __exit__(self, *_: object) -> None:
        """Nothing of it stays."""

    @abstractmethod
    def start(self) -> None:
        """Begin; it may still be connecting afterwards."""

    @abstractmethod
    def wait_ready(self) -> None:
        """Until it forwards. Raises LoadError."""

    @abstractmethod
    def check(self) -> None:
        """Call now and then. Raises LoadError when it has died."""

    @abstractmethod
    def pids(self) -> tuple[int, ...]:
        """Its own processes, each with all its children; none for what lives in the broker."""

    @abstractmethod
    def rss_bytes(self) -> tuple[int, ...]:
        """The largest resident size of each working process so far."""

    @abstractmethod
    def stop(self) -> None:
        """End in order. Raises LoadError when it does not."""

    def cpu_seconds(self) -> float:
        """User + system of its own processes since they were started; 0.0 for what lives in the broker."""
        return sum(cpu_seconds(pid) for pid in self.pids())


class RouterForwarder(Forwarder):
    """`hubex run`, with its metrics scraped as Prometheus does."""

    name = ROUTER

    def __init__(self, hub: BenchHub, folder: Path) -> None:
        self._hub, self._folder = hub, folder
        self._process: RouterProcess | None = None
        self._scraped = 0.0

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.__exit__()
            self._process = None

    def start(self) -> None:
        self._process = RouterProcess(self._hub.config_file, self._folder, self._hub.config.http.port)
        self._scraped = time.monotonic()

    def wait_ready(self) -> None:
        self._running.wait_ready()

    def check(self) -> None:
        self._running.check()
        if time.monotonic() - self._scraped >= SCRAPE_SECONDS:
            self._scraped = time.monotonic()
            self._running.scrape()

    def pids(self) -> tuple[int, ...]:
        return () if self._process is None else (self._process.pid,)

    def rss_bytes(self) -> tuple[int, ...]:
        return tuple(self._running.workers_rss_bytes())

    def stop(self) -> None:
        if code := self._running.stop():
            raise LoadError(f"hubex run ended with {code}")

    @property
    def _running(self) -> RouterProcess:
        assert self._process is not None  # started
        return self._process


class ShovelForwarder(Forwarder):
    """The broker's shovels, inside the node or through AMQP on loopback. They have no process of their own."""

    def __init__(self, name: str, shovels: Shovels) -> None:
        self.name = name
        self._shovels = shovels

    def __exit__(self, *_: object) -> None:
        self._shovels.stop()

    def start(self) -> None:
        self._shovels.start(direct=self.name == SHOVEL)

    def wait_ready(self) -> None:
        self._shovels.wait_running()

    def check(self) -> None: ...

    def pids(self) -> tuple[int, ...]:
        return ()

    def rss_bytes(self) -> tuple[int, ...]:
        return ()

    def stop(self) -> None:
        self._shovels.stop()


class RivalForwarder(Forwarder):
    """A program of `bench.rivals`: as many processes as the router has workers, the shards dealt out among them."""

    def __init__(self, name: str, hub: BenchHub, lines: Sequence[Line], folder: Path) -> None:
        self.name = name
        self._folder = folder
        topology, workers = hub.config.topology, hub.config.workers
        queues = [shard_queue(shard) for shard in range(topology.shards)]
        count = min(workers.count or len(os.sched_getaffinity(0)), len(queues))
        inboxes = {line.keys[kind]: line.inboxes[kind] for line in lines for kind in line.keys}
        self._jobs = [
            ForwardJob(hub.target, tuple(queues[first::count]), inboxes, workers.prefetch, str(PACK))
            for first in range(count)
        ]
        self._processes: list[LoadProcess] = []

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.end()
        self._processes.clear()

    def start(self) -> None:
        for index, job in enumerate(self._jobs):
            errors = self._folder / f"{self.name}-{index}.stderr"
            self._processes.append(LoadProcess(MODULES[self.name], job, errors))

    def wait_ready(self) -> None:
        if not wait_quietly(self._connected, READY_SECONDS):
            raise LoadError(f"{self.name} is not connected in {READY_SECONDS:.0f} s")

    def _connected(self) -> bool:
        self.check()
        return all(process.counts["connected"] for process in self._processes)

    def check(self) -> None:
        for process in self._processes:
            process.check()

    def pids(self) -> tuple[int, ...]:
        return tuple(process.pid for process in self._processes)

    def rss_bytes(self) -> tuple[int, ...]:
        return tuple(peak_rss_bytes(pid) for pid in self.pids())

    def stop(self) -> None:
        for process in self._processes:
            process.say(STOP)
        if not all(process.wait_done(READY_SECONDS) for process in self._processes):
            raise LoadError(f"{self.name} does not end")
