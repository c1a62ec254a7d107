"""Draining a backlog: the same messages in the same queues, moved by the router and by the broker's shovel in turns.

Law: the forwarder is not running while the load is made, the load is not running while the forwarder is measured, and
the inboxes are read afterwards. Start-up lies before the measure: a run-up of messages comes before the front markers.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from bench.bodies import Bodies, parse_mix
from bench.child import LoadError
from bench.hub import MARKER_INBOX, MIB, BenchHub, RouterProcess, make_clients, make_markers
from bench.hub_queues import depths, hub_is_idle
from bench.job import Line, lines_of, ring
from bench.markers import Drain, Markers
from bench.procstat import cpu_seconds, describe_machine, load_average, yardstick_us
from bench.results import ROUTER, SHOVEL, Options, Result, Round
from bench.run import IDLE_LOOKS, IDLE_SECONDS, LoadRun
from bench.shovel import Shovels
from deploy.local import LocalCluster
from router.core.directory import Client

DRAIN_SECONDS: Final = 600.0
IDLE_WAIT_SECONDS: Final = 60.0
SCRAPE_SECONDS: Final = 5.0
BYTES_PER_MESSAGE: Final = 8 * 1024
"""Room in a shard for each message of the run, should one shard get them all."""

Say = Callable[[str], None]


class DrainBench:
    """The bench on a running cluster. `folder` gets the hub's files, its log and the journals."""

    def __init__(self, cluster: LocalCluster, folder: Path, options: Options, say: Say) -> None:
        self._folder, self._options, self._say = folder, options, say
        self._broker_pids = tuple(cluster.status().pids.values())
        clients = make_clients(options.clients)
        markers, inbox = make_markers(options.shards), Client(id=MARKER_INBOX, editor="bench")
        room = (options.messages + options.run_up) * BYTES_PER_MESSAGE
        self._bodies = Bodies(options.seed, time.time(), parse_mix(options.mix))
        self._pairs = ring(clients)
        self._marker_lines = lines_of([(marker, inbox) for marker in markers])
        self._hub = BenchHub(
            cluster,
            folder,
            [*clients, *markers, inbox],
            workers=options.workers,
            prefetch=options.prefetch,
            shards=options.shards,
            shard_max_bytes=max(64 * MIB, room // options.shards * 4),
        )

    def run(self, finished: Callable[[Round], None]) -> Result:
        """All rounds; `finished` gets each as it ends. Raises what its parts raise: none is tried again."""
        load_before = load_average()
        started = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        self._hub.remove()
        try:
            self._hub.apply()
            rounds = self._rounds(finished)
            machine = describe_machine(self._hub.versions())
        finally:
            self._hub.remove()
        return Result(
            command="run",
            started=started,
            options=self._options,
            body_bytes_mean=self._body_bytes(),
            machine=machine,
            load_before=load_before,
            rounds=tuple(rounds),
        )

    def _rounds(self, finished: Callable[[Round], None]) -> list[Round]:
        lines: Sequence[Line] = [*lines_of(self._pairs), *self._marker_lines]
        shovels = Shovels(self._hub, lines, self._options.prefetch)
        shovels.prepare()
        rounds = []
        for number in range(1, self._options.rounds + 1):
            # Whoever comes first in a round finds the broker fresher: each does in turn.
            first = (number - 1) % len(self._options.forwarders)
            for forwarder in self._options.forwarders[first:] + self._options.forwarders[:first]:
                rounds.append(self._round(number, forwarder, shovels))
                finished(rounds[-1])
        return rounds

    def _round(self, number: int, forwarder: str, shovels: Shovels) -> Round:
        options = self._options
        self._say(f"round {number} {forwarder}: prefilling")
        with LoadRun(
            self._hub.target,
            self._pairs,
            self._folder / "load",
            count=options.messages,
            seed=options.seed,
            mix=dict(parse_mix(options.mix)),
            read_live=False,
        ) as load:
            markers = Markers(self._hub.target, self._marker_lines, self._bodies, options.run_up)
            asyncio.run(markers.publish_front())
            load.start()
            load.wait_sent(DRAIN_SECONDS)
            asyncio.run(markers.publish_back())
            self._say(f"round {number} {forwarder}: draining")
            before = self._yardstick_us()
            if forwarder == ROUTER:
                drain, rss = self._router(markers)
            else:
                drain, rss = self._shovel(markers, shovels, forwarder == SHOVEL), ()
            yardstick = (before + self._yardstick_us()) / 2
            self._say(f"round {number} {forwarder}: reading the inboxes")
            verdict = load.read_to_the_end()
        return Round(
            number=number,
            forwarder=forwarder,
            messages=options.messages + drain.run_up_left,
            seconds=drain.seconds,
            skew_seconds=drain.skew_seconds,
            cpu_seconds=drain.cpu_seconds(1) if forwarder == ROUTER else 0.0,
            broker_cpu_seconds=drain.cpu_seconds(0),
            yardstick_us=yardstick,
            workers_rss_bytes=rss,
            verdict=verdict,
        )

    def _router(self, markers: Markers) -> tuple[Drain, tuple[int, ...]]:
        with contextlib.ExitStack() as stack:
            started: list[RouterProcess] = []
            scraped = [time.monotonic()]

            def begin() -> None:
                config, port = self._hub.config_file, self._hub.config.http.port
                started.append(stack.enter_context(RouterProcess(config, self._folder, port)))

            def alive() -> None:
                started[0].check()
                if time.monotonic() - scraped[0] >= SCRAPE_SECONDS:
                    scraped[0] = time.monotonic()
                    started[0].scrape()

            def cpu() -> tuple[float, ...]:
                return self._broker_cpu(), cpu_seconds(started[0].pid)

            drain = asyncio.run(markers.watch(begin, cpu, alive, DRAIN_SECONDS))
            rss = tuple(started[0].workers_rss_bytes())
            self._wait_idle()
            if code := started[0].stop():
                raise LoadError(f"hubex run ended with {code}")
        return drain, rss

    def _shovel(self, markers: Markers, shovels: Shovels, direct: bool) -> Drain:
        try:
            drain = asyncio.run(
                markers.watch(lambda: shovels.start(direct), lambda: (self._broker_cpu(),), lambda: None, DRAIN_SECONDS)
            )
            self._wait_idle()
        finally:
            shovels.stop()
        return drain

    def _broker_cpu(self) -> float:
        return sum(cpu_seconds(pid) for pid in self._broker_pids)

    def _wait_idle(self) -> None:
        """Until nothing is left in the hub's queues, twice. Raises LoadError."""
        idle, looks = hub_is_idle(self._hub.api, self._hub.vhost), 0
        deadline = time.monotonic() + IDLE_WAIT_SECONDS
        while looks < IDLE_LOOKS:
            if time.monotonic() > deadline:
                left = {name: depth for name, depth in depths(self._hub.api, self._hub.vhost).items() if depth}
                raise LoadError(f"after the drain there is still something in {left}")
            time.sleep(IDLE_SECONDS)
            looks = looks + 1 if idle() else 0

    def _yardstick_us(self) -> float:
        sender, recipient = self._pairs[0]
        return yardstick_us(self._bodies.message(0, sender.id, recipient.id, 1).body)

    def _body_bytes(self) -> float:
        sender, recipient = self._pairs[0]
        count = len(self._bodies.templates)
        return sum(len(self._bodies.message(0, sender.id, recipient.id, n).body) for n in range(count)) / count
