"""What a bench found, as a file and as a table: every figure with its losses, its spread and its machine.

Law: a rate with a lost message is not a rate. Rounds are kept one by one; medians never stand without their spread.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Final

import msgspec
from msgspec import Struct

from bench.ledger import Verdict
from bench.procstat import Machine

ROUTER: Final = "router"
SHOVEL: Final = "shovel"
"""The broker's shovel through Erlang messages inside the node: the fastest there is."""
SHOVEL_TCP: Final = "shovel-tcp"
"""The broker's shovel through AMQP on loopback, as the router's own connections."""
FORWARDERS: Final = (ROUTER, SHOVEL, SHOVEL_TCP)
MICRO: Final = 1e6
MIB: Final = 1024 * 1024


class Options(Struct, frozen=True, kw_only=True):
    """What the run was asked for."""

    messages: int
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


class Round(Struct, frozen=True, kw_only=True):
    """One drain. Times lie between the first front marker and the last back marker."""

    number: int
    forwarder: str
    messages: int
    seconds: float
    skew_seconds: float
    """From the first front marker to the last: how unevenly the shards began."""
    cpu_seconds: float
    """User + system of the supervisor and all its children; 0 for the shovel, which lives in the broker."""
    broker_cpu_seconds: float
    yardstick_us: float
    """CPU microseconds for one JSON parse of one body, just before and just after the drain: the mean of both."""
    workers_rss_bytes: tuple[int, ...]
    verdict: Verdict

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of router CPU for each message."""
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
        return tuple(
            f"{each.forwarder} round {each.number}: {fault}" for each in self.rounds for fault in each.verdict.faults
        )


def write(result: Result, folder: Path) -> Path:
    """A file of its own for each run, named by its time. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{time.strftime('%Y%m%dT%H%M%S')}-{result.command}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    return path


# ---- the table -------------------------------------------------------------------------------------

_HEADING: Final = (
    "round", "forwarder", "msg/s", "seconds", "CPU µs/msg", "broker µs/msg", "lost", "dup unmarked", "dup marked",
    "disorder", "RSS MiB/worker",
)  # fmt: skip


def row(each: Round) -> tuple[str, ...]:
    """One round as cells."""
    verdict = each.verdict
    rss = "/".join(f"{size / MIB:.0f}" for size in each.workers_rss_bytes) or "-"
    return (
        str(each.number),
        each.forwarder,
        f"{each.rate:.0f}",
        f"{each.seconds:.2f}",
        f"{each.cpu_us:.1f}" if each.forwarder == ROUTER else "-",
        f"{each.broker_cpu_us:.1f}",
        *(str(n) for n in (verdict.lost, verdict.unmarked_duplicates, verdict.marked_duplicates, verdict.disorder)),
        rss,
    )


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows under their heading, right-aligned."""
    widths = [max(map(len, column)) for column in zip(_HEADING, *rows, strict=True)]
    lines = (
        "  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)) for cells in (_HEADING, *rows)
    )
    return "\n".join(lines)


def summary(result: Result) -> Iterable[str]:
    """The lines below the table."""
    machine, options = result.machine, result.options
    yield (
        f"machine: {machine.cpu_model}, {machine.cores} cores, {machine.memory_bytes / MIB / 1024:.1f} GiB, Linux "
        f"{machine.kernel}, load before {result.load_before:.2f}"
    )
    yield (
        f"versions: Python {machine.python}, "
        + ", ".join(f"{name} {version}" for name, version in {**machine.broker, **machine.packages}.items())
    )
    yield (
        f"load: {options.messages} messages of {options.clients} clients, mix {options.mix}, "
        f"{result.body_bytes_mean:.0f} bytes on average, {options.shards} shards, prefetch {options.prefetch}, "
        f"run-up {options.run_up}, seed {options.seed}"
    )
    for forwarder in FORWARDERS:
        if result.of(forwarder):
            rates = result.spread(forwarder, lambda each: each.rate)
            yield f"{forwarder}: median {rates.median:.0f} msg/s ({rates.lowest:.0f}–{rates.highest:.0f})"
    if result.of(ROUTER):
        cpu = result.spread(ROUTER, lambda each: each.cpu_us)
        yield f"router CPU: median {cpu.median:.1f} µs/message ({cpu.lowest:.1f}–{cpu.highest:.1f})"
        yardstick = result.spread(ROUTER, lambda each: each.yardstick_us)
        ratio = result.spread(ROUTER, lambda each: each.cpu_us / each.yardstick_us)
        yield (
            f"yardstick: one orjson.loads of a body took {yardstick.median:.1f} µs of CPU "
            f"({yardstick.lowest:.1f}–{yardstick.highest:.1f}); router CPU is {ratio} of it"
        )
    for forwarder in FORWARDERS[1:]:
        if result.of(ROUTER) and result.of(forwarder):
            yield f"router / {forwarder}: {result.ratio(forwarder)}"
    yield "kept: nothing lost, unmarked or out of order" if not result.faults else f"BROKEN: {'; '.join(result.faults)}"
