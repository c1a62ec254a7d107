"""A load on a running forwarder: at a rate, by the clock, or as fast as confirms come; what each message then takes.

Law: load, forwarder and readers run together, so what is measured is the time of a message, not the pace of a backlog.
The first part of a load is run-up: connections, caches and queues settle, and nothing of it is in a figure.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from bench.bodies import parse_mix
from bench.forwarders import Forwarder
from bench.hub_queues import hub_is_idle
from bench.journal import Kind, records
from bench.latency import measure
from bench.markers import Moment
from bench.results import Options, Result, Round
from bench.run import LoadRun
from bench.stage import Say, Stage
from deploy.local import LocalCluster

LOOK_SECONDS: Final = 0.05
STALL_SECONDS: Final = 30.0
RUN_UP_SHARE: Final = 0.1
"""Of the measured time, before it."""
ARRIVALS: Final = (Kind.RECEIVED, Kind.REPORTED)


class LiveBench:
    """The bench on a running cluster. `folder` gets the hub's files, its log and the journals."""

    def __init__(self, cluster: LocalCluster, folder: Path, options: Options, say: Say) -> None:
        self._stage = Stage(cluster, folder, options, say)

    def run(self, finished: Callable[[Round], None], command: str = "run") -> Result:
        """All rounds; `finished` gets each as it ends. Raises what its parts raise: none is tried again."""
        return self._stage.play(command, self._round, finished)

    def _round(self, number: int, forwarder: Forwarder) -> Round:
        self._stage.say(f"round {number} {forwarder.name}: starting")
        forwarder.start()
        forwarder.wait_ready()
        each = play_load(self._stage, number, forwarder)
        forwarder.stop()
        return each


def play_load(stage: Stage, number: int, forwarder: Forwarder) -> Round:
    """One load of the stage's options on a forwarder that runs already, and goes on running. Raises LoadError."""
    options, hub = stage.options, stage.hub
    before = stage.yardstick_us()
    with LoadRun(
        hub.target,
        stage.pairs,
        stage.folder / "load",
        rate=options.rate,
        count=0 if options.seconds else options.planned,
        seed=options.seed,
        mix=dict(parse_mix(options.mix)),
        invalid_share=options.invalid_share,
    ) as load:
        load.start()
        watch = Watch(stage, load, forwarder, f"round {number} {forwarder.name}: ")
        begin = watch.until("run-up", options.seconds * RUN_UP_SHARE, options.run_up)
        end = watch.until("measuring", options.seconds, options.planned)
        rss = forwarder.rss_bytes()
        stage.say(f"round {number} {forwarder.name}: reading the inboxes", 1.0)
        verdict = load.finish(hub_is_idle(hub.api, hub.vhost))
        sent, read = (list(records(journal)) for journal in load.journals)
    return Round(
        number=number,
        forwarder=forwarder.name,
        messages=sum(begin.nanoseconds <= each.nanoseconds < end.nanoseconds for each in read if each.kind in ARRIVALS),
        seconds=end.seconds - begin.seconds,
        skew_seconds=0.0,
        cpu_seconds=end.cpu_seconds[1] - begin.cpu_seconds[1],
        broker_cpu_seconds=end.cpu_seconds[0] - begin.cpu_seconds[0],
        yardstick_us=(before + stage.yardstick_us()) / 2,
        workers_rss_bytes=rss,
        verdict=verdict,
        latencies=measure(sent, read, load.formats, begin.nanoseconds, end.nanoseconds),
    )


class Watch(NamedTuple):
    """A load and its forwarder, looked at until a moment comes."""

    stage: Stage
    load: LoadRun
    forwarder: Forwarder
    what: str

    def until(self, doing: str, seconds: float, arrived: int) -> Moment:
        """After `seconds`; in a load of a number of messages, when so many have arrived, or none has for long: what is
        lost then is for the ledger to say. Raises LoadError."""
        begun = changed = time.monotonic()
        before = 0
        while True:
            self.forwarder.check()
            now, progress = time.monotonic(), self.load.progress()
            done = progress.received + progress.reported
            if done != before:
                before, changed = done, now
            timed = self.stage.options.seconds
            if now - begun >= seconds if timed else done >= arrived or now - changed > STALL_SECONDS:
                return Moment(time.monotonic(), self.stage.cpu(self.forwarder))
            self.stage.say(self.what + doing, (now - begun) / seconds if timed else done / arrived)
            time.sleep(LOOK_SECONDS)
