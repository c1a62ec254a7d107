"""What a bench found, as a file: every figure with its losses, its spread and its machine.

Law: a rate with a lost message is not a rate. Rounds are kept one by one; medians never stand without their spread.
"""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Final

import msgspec
from msgspec import Struct

from bench.latency import Latency
from bench.ledger import Verdict
from bench.procstat import Machine

ROUTER: Final = "router"
SHOVEL: Final = "shovel"
"""The broker's shovel through Erlang messages inside the node: the fastest there is."""
SHOVEL_TCP: Final = "shovel-tcp"
"""The broker's shovel through AMQP on loopback, as the router's own connections."""
NULL: Final = "null"
"""A forwarder on the hub's own lane that does nothing else."""
AIORMQ, AIO_PIKA, FASTSTREAM = "aiormq", "aio-pika", "faststream"
"""What other libraries make of it: two that check nothing, and FastStream with fastjsonschema."""
RIVALS: Final = (NULL, AIORMQ, AIO_PIKA, FASTSTREAM)
FORWARDERS: Final = (ROUTER, SHOVEL, SHOVEL_TCP, *RIVALS)
MICRO: Final = 1e6
MIB: Final = 1024 * 1024


class Options(Struct, frozen=True, kw_only=True):
    """What the run was asked for: a drain of a backlog, or (`live`) a load on a running forwarder."""

    messages: int
    """Measured; 0: as many as come in `seconds`."""
    run_up: int
    rounds: int
    clients: int
    workers: int
    shards: int
    prefetch: int
    seed: int
    mix: str
    forwarders: tuple[str, ...]
    """Of `FORWARDERS`; in each round all of them, another one first each time."""
    live: bool = False
    seconds: float = 0.0
    """Measured time of a live load; 0: until `messages` are published."""
    rate: float = 0.0
    """Messages due each second of a live load; 0: as fast as confirms come."""
    invalid_share: float = 0.0
    xml_share: float = 0.0
    """Share of the clients that read XML, so that the router converts what goes to them."""

    @property
    def planned(self) -> int:
        """Messages of one round, run-up included; 0 when only time ends it."""
        return self.messages + self.run_up


class Round(Struct, frozen=True, kw_only=True):
    """One drain or one live load. A drain's times lie between the first front marker and the last back marker, a live
    load's between the end of its run-up and the end of its sending; `messages` are those that arrived in between."""

    number: int
    forwarder: str
    messages: int
    seconds: float
    skew_seconds: float
    """From the first front marker to the last: how unevenly the shards began."""
    cpu_seconds: float
    """User + system of all the forwarder's processes; 0 for the shovel, which lives in the broker."""
    broker_cpu_seconds: float
    yardstick_us: float
    """CPU microseconds for one JSON parse of one body, just before and just after the drain: the mean of both."""
    workers_rss_bytes: tuple[int, ...]
    verdict: Verdict
    latencies: dict[str, Latency] = {}
    """Of a live load: from due to arrival, by the recipient's format, and of reports."""

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of the forwarder's CPU for each message."""
        return self.cpu_seconds / self.messages * MICRO

    @property
    def broker_cpu_us(self) -> float:
        return self.broker_cpu_seconds / self.messages * MICRO


class Spread(Struct, frozen=True):
    """A median with what it hides."""

    median: float
    lowest: float
    highest: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.lowest:.2f}–{self.highest:.2f})"


class Result(Struct, frozen=True, kw_only=True):
    """One run as it is written down."""

    command: str
    started: str
    """Local time with its offset, ISO 8601."""
    options: Options
    body_bytes_mean: float
    machine: Machine
    load_before: float
    """The machine's one-minute load before the run: not 0 means that it had other things to do."""
    rounds: tuple[Round, ...]

    def of(self, forwarder: str) -> tuple[Round, ...]:
        return tuple(each for each in self.rounds if each.forwarder == forwarder)

    def spread(self, forwarder: str, figure: Callable[[Round], float]) -> Spread:
        """Raises ValueError when there is no such round."""
        values = [figure(each) for each in self.of(forwarder)]
        return Spread(median(values), min(values), max(values))

    def ratio(self, forwarder: str) -> Spread:
        """The router's rate over another's, round by round. Raises ValueError when one has no round."""
        others = {each.number: each.rate for each in self.of(forwarder)}
        values = [each.rate / others[each.number] for each in self.of(ROUTER) if each.number in others]
        return Spread(median(values), min(values), max(values))

    @property
    def faults(self) -> tuple[str, ...]:
        """Broken promises of the router's rounds; and of the shovel's, which would mean a broken bench."""
        return tuple(fault for each in self.rounds if each.forwarder not in RIVALS for fault in _faults(each))

    @property
    def rivals_faults(self) -> tuple[str, ...]:
        """What rivals lost, copied or mixed up: nobody promised otherwise, but their rates are worth less."""
        return tuple(fault for each in self.rounds if each.forwarder in RIVALS for fault in _faults(each))


class Sweep(Struct, frozen=True, kw_only=True):
    """The results of one drain bench for each point of a sweep."""

    command: str
    started: str
    results: tuple[Result, ...]

    @property
    def faults(self) -> tuple[str, ...]:
        """Broken promises of any point."""
        return tuple(fault for result in self.results for fault in result.faults)


class Sample(Struct, frozen=True):
    """One process of the router at one moment of a soak. Seconds since its first load began."""

    seconds: float
    pid: int
    rss_bytes: int
    descriptors: int


class Soak(Struct, frozen=True, kw_only=True):
    """The loads of a soak, one round a segment, and what the router's processes were like meanwhile."""

    command: str
    result: Result
    samples: tuple[Sample, ...]
    growing: tuple[str, ...]
    """What grew, or did not live through it."""


def _faults(each: Round) -> tuple[str, ...]:
    return tuple(f"{each.forwarder} round {each.number}: {fault}" for fault in each.verdict.faults)


def write(result: Result | Sweep | Soak, folder: Path) -> Path:
    """A file of its own for each run, named by its time. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{time.strftime('%Y%m%dT%H%M%S')}-{result.command}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    return path
