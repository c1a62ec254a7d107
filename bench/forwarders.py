"""What moves the messages in a bench: the router, the broker's shovel, or a rival, each started and stopped alike.

Law: a forwarder is used inside `with`, and nothing of it stays behind, whatever happens meanwhile.
"""

import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final, Self

from bench.child import LoadError
from bench.hub import BenchHub, RouterProcess
from bench.procstat import cpu_seconds
from bench.results import ROUTER, SHOVEL
from bench.shovel import Shovels

SCRAPE_SECONDS: Final = 5.0


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
