"""What every bench stands on: clients, a hub in a vhost of its own on a local cluster, and the forwarders by turns.

Law: what is asked for is in the result, and what was made is removed.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from bench.bodies import Bodies, parse_mix
from bench.child import LoadError
from bench.forwarders import Forwarder, RivalForwarder, RouterForwarder, ShovelForwarder
from bench.hub import MARKER_INBOX, MIB, BenchHub, make_clients, make_markers
from bench.hub_queues import depths, hub_is_idle
from bench.job import Line, lines_of, ring
from bench.procstat import cpu_seconds, describe_machine, load_average, yardstick_us
from bench.results import RIVALS, ROUTER, SHOVEL, SHOVEL_TCP, Options, Result, Round
from bench.run import IDLE_LOOKS, IDLE_SECONDS
from bench.shovel import Shovels
from deploy.local import LocalCluster
from router.core.directory import Client, Format

IDLE_WAIT_SECONDS: Final = 60.0
BYTES_PER_MESSAGE: Final = 8 * 1024
"""Room in a shard for each message of the run, should one shard get them all."""

Say = Callable[[str, float], None]
"""Told what is being done, and what share of the whole is done, 0 to 1."""
Play = Callable[[int, Forwarder], Round]
"""Plays round `number` with one forwarder."""


class Stage:
    """The bench's ground on a running cluster. `folder` gets the hub's files, its log and the journals."""

    def __init__(self, cluster: LocalCluster, folder: Path, options: Options, say: Say) -> None:
        self.folder, self.options = folder, options
        self._say = say
        self._played = 0
        self._broker_pids = tuple(cluster.status().pids.values())
        clients = make_clients(options.clients, options.xml_share)
        # The run-up is no lighter than what follows: when everybody reads XML, so does its inbox.
        form = Format.XML if options.xml_share == 1 else None
        markers, inbox = make_markers(options.shards), Client(id=MARKER_INBOX, editor="bench", format=form)
        self.bodies = Bodies(options.seed, time.time(), parse_mix(options.mix))
        self.pairs = ring(clients)
        self.marker_lines = lines_of([(marker, inbox) for marker in markers])
        self.hub = BenchHub(
            cluster,
            folder,
            [*clients, *markers, inbox],
            workers=options.workers,
            prefetch=options.prefetch,
            shards=options.shards,
            shard_max_bytes=max(64 * MIB, options.planned * BYTES_PER_MESSAGE // options.shards * 4),
        )

    @contextlib.contextmanager
    def set_up(self) -> Iterator[None]:
        """The vhost with everything in it, made anew; removed at the end."""
        self.hub.remove()
        try:
            self.hub.apply()
            yield
        finally:
            self.hub.remove()

    def play(self, command: str, play: Play, finished: Callable[[Round], None]) -> Result:
        """All rounds; `finished` gets each as it ends. Raises what its parts raise: none is tried again."""
        load_before = load_average()
        started = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        with self.set_up():
            rounds = self._rounds(play, finished)
            machine = describe_machine(self.hub.versions())
        return Result(
            command=command,
            started=started,
            options=self.options,
            body_bytes_mean=self.body_bytes(),
            machine=machine,
            load_before=load_before,
            rounds=tuple(rounds),
        )

    def _rounds(self, play: Play, finished: Callable[[Round], None]) -> list[Round]:
        forwarders = self._forwarders()
        rounds = []
        for number in range(1, self.options.rounds + 1):
            # Whoever comes first in a round finds the broker fresher: each does in turn.
            first = (number - 1) % len(forwarders)
            for forwarder in forwarders[first:] + forwarders[:first]:
                with forwarder:
                    rounds.append(play(number, forwarder))
                self._played = len(rounds)
                finished(rounds[-1])
        return rounds

    def _forwarders(self) -> list[Forwarder]:
        lines = [*lines_of(self.pairs), *self.marker_lines]
        shovels = Shovels(self.hub, lines, self.options.prefetch)
        if {SHOVEL, SHOVEL_TCP} & set(self.options.forwarders):
            shovels.prepare()
        return [self._forwarder(name, lines, shovels) for name in self.options.forwarders]

    def _forwarder(self, name: str, lines: Sequence[Line], shovels: Shovels) -> Forwarder:
        if name == ROUTER:
            return RouterForwarder(self.hub, self.folder)
        if name in RIVALS:
            return RivalForwarder(name, self.hub, lines, self.folder)
        return ShovelForwarder(name, shovels)

    # ---- what a round needs ----------------------------------------------------------------------

    def say(self, text: str, within: float = 0.0) -> None:
        """What this round is doing, and what share of it is done."""
        self._say(text, (self._played + within) / (self.options.rounds * len(self.options.forwarders)))

    def cpu(self, forwarder: Forwarder) -> tuple[float, float]:
        """CPU seconds so far of the broker's whole process tree, and of the forwarder's own."""
        return sum(cpu_seconds(pid) for pid in self._broker_pids), forwarder.cpu_seconds()

    def wait_idle(self) -> None:
        """Until nothing is left in the hub's queues, twice. Raises LoadError."""
        idle, looks = hub_is_idle(self.hub.api, self.hub.vhost), 0
        deadline = time.monotonic() + IDLE_WAIT_SECONDS
        while looks < IDLE_LOOKS:
            if time.monotonic() > deadline:
                left = {name: depth for name, depth in depths(self.hub.api, self.hub.vhost).items() if depth}
                raise LoadError(f"at the end there is still something in {left}")
            time.sleep(IDLE_SECONDS)
            looks = looks + 1 if idle() else 0

    def yardstick_us(self) -> float:
        """CPU microseconds of one JSON parse of one body, now."""
        sender, recipient = self.pairs[0]
        return yardstick_us(self.bodies.message(0, sender.id, recipient.id, 1).body)

    def body_bytes(self) -> float:
        """The mean of all different bodies."""
        sender, recipient = self.pairs[0]
        count = len(self.bodies.templates)
        return sum(len(self.bodies.message(0, sender.id, recipient.id, n).body) for n in range(count)) / count
