"""Draining a backlog: the same messages in the same queues, moved by each forwarder in turns.

Law: the forwarder is not running while the load is made, the load is not running while the forwarder is measured, and
the inboxes are read afterwards. Start-up lies before the measure: a run-up of messages comes before the front markers.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.bodies import parse_mix
from bench.forwarders import Forwarder
from bench.markers import Markers
from bench.results import Options, Result, Round
from bench.run import LoadRun
from bench.stage import Say, Stage
from deploy.local import LocalCluster

DRAIN_SECONDS: Final = 600.0


class DrainBench:
    """The bench on a running cluster. `folder` gets the hub's files, its log and the journals."""

    def __init__(self, cluster: LocalCluster, folder: Path, options: Options, say: Say) -> None:
        self._stage = Stage(cluster, folder, options, say)

    def run(self, finished: Callable[[Round], None], command: str = "run") -> Result:
        """All rounds; `finished` gets each as it ends. Raises what its parts raise: none is tried again."""
        return self._stage.play(command, self._round, finished)

    def _round(self, number: int, forwarder: Forwarder) -> Round:
        stage, options = self._stage, self._stage.options
        stage.say(f"round {number} {forwarder.name}: prefilling")
        with LoadRun(
            stage.hub.target,
            stage.pairs,
            stage.folder / "load",
            count=options.messages,
            seed=options.seed,
            mix=dict(parse_mix(options.mix)),
            invalid_share=options.invalid_share,
            read_live=False,
        ) as load:
            markers = Markers(stage.hub.target, stage.marker_lines, stage.bodies, options.run_up)
            asyncio.run(markers.publish_front())
            load.start()
            load.wait_sent(DRAIN_SECONDS)
            asyncio.run(markers.publish_back())
            stage.say(f"round {number} {forwarder.name}: draining", 0.4)
            before = stage.yardstick_us()
            cpu, alive = lambda: stage.cpu(forwarder), forwarder.check
            drain = asyncio.run(markers.watch(forwarder.start, cpu, alive, DRAIN_SECONDS))
            rss = forwarder.rss_bytes()
            stage.wait_idle()
            forwarder.stop()
            yardstick = (before + stage.yardstick_us()) / 2
            stage.say(f"round {number} {forwarder.name}: reading the inboxes", 0.8)
            verdict = load.read_to_the_end()
        return Round(
            number=number,
            forwarder=forwarder.name,
            messages=options.messages + drain.run_up_left,
            seconds=drain.seconds,
            skew_seconds=drain.skew_seconds,
            cpu_seconds=drain.cpu_seconds(1),
            broker_cpu_seconds=drain.cpu_seconds(0),
            yardstick_us=yardstick,
            workers_rss_bytes=rss,
            verdict=verdict,
        )
