"""Hours at a rate on one router that is never restarted: what its memory and descriptors do over time.

Law: a slope is a failure, and so is a process that did not live through it. The load comes in segments, each with a
ledger of its own, so that the harness itself stays within bounds.
"""

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import linear_regression, median
from typing import Final

from msgspec.structs import replace

from bench.forwarders import RouterForwarder
from bench.live import play_load
from bench.procstat import PROC, describe_machine, load_average, tree
from bench.results import MIB, Options, Result, Round, Sample, Soak
from bench.stage import Say, Stage
from deploy.local import LocalCluster

SEGMENT_SECONDS: Final = 300.0
RUN_UP_SHARE: Final = 0.1
"""Of the samples: caches fill and the allocator settles; a slope there is none."""
GROWTH_SHARE: Final = 0.05
GROWTH_BYTES: Final = 2 * MIB
"""Over a whole soak, less than both is the allocator's noise. The longer it runs, the smaller the slope it finds."""
GROWTH_DESCRIPTORS: Final = 2.0


def soak(
    cluster: LocalCluster,
    folder: Path,
    options: Options,
    seconds: float,
    say: Say,
    finished: Callable[[Round], None],
) -> Soak:
    """A load at `options.rate` for `seconds`. Raises what its parts raise: none is tried again."""
    load_before, started = load_average(), time.strftime("%Y-%m-%dT%H:%M:%S%z")
    begun = time.monotonic()
    segments = max(1, round(seconds / SEGMENT_SECONDS))
    stage = Stage(
        cluster,
        folder,
        replace(options, seconds=seconds / segments, rounds=1),
        lambda text, share: say(text, min(1.0, (time.monotonic() - begun) / seconds)),
    )
    rounds = []
    with stage.set_up(), RouterForwarder(stage.hub, folder) as router:
        router.start()
        router.wait_ready()
        with Sampler(router.pids()[0], max(0.5, min(10.0, seconds / 100))) as sampler:
            for number in range(1, segments + 1):
                rounds.append(play_load(stage, number, router))
                finished(rounds[-1])
                _make_room(stage)
        router.stop()
        machine = describe_machine(stage.hub.versions())
    result = Result(
        command="soak", started=started, options=stage.options, body_bytes_mean=stage.body_bytes(), machine=machine,
        load_before=load_before, rounds=tuple(rounds),
    )  # fmt: skip
    return Soak(command="soak", result=result, samples=tuple(sampler.samples), growing=tuple(growing(sampler.samples)))


def _make_room(stage: Stage) -> None:
    """Hours of a log and of journals would fill the disk: the log is cut, what has been judged is removed."""
    os.truncate(stage.hub.config.log.target, 0)
    shutil.rmtree(stage.folder / "load")


class Sampler:
    """Reads memory and descriptors of a process tree now and then, in a thread, inside `with`."""

    def __init__(self, pid: int, every_seconds: float) -> None:
        self._pid, self._every = pid, every_seconds
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.samples: list[Sample] = []

    def __enter__(self) -> "Sampler":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        begun = time.monotonic()
        while not self._end.wait(self._every):
            at = time.monotonic() - begun
            for process in tree(self._pid):
                count = descriptors(process.pid)
                if count:  # else it has just ended
                    self.samples.append(Sample(at, process.pid, process.rss_bytes, count))


def descriptors(pid: int, proc: Path = PROC) -> int:
    """Open file descriptors of a process; 0 when it is gone."""
    try:
        return len(os.listdir(proc / str(pid) / "fd"))
    except OSError:
        return 0


def growing(samples: Iterable[Sample]) -> Iterable[str]:
    """Each process that grew by the line through its samples, or was not there all the time; nothing when all is well.

    The first tenth of the time is run-up.
    """
    found = list(samples)
    last = max((sample.seconds for sample in found), default=0.0)
    late = [sample for sample in found if sample.seconds >= last * RUN_UP_SHARE]
    moments = len({sample.seconds for sample in late})
    if moments < 2:
        yield "no samples"
        return
    for pid in sorted({sample.pid for sample in late}):
        own = [sample for sample in late if sample.pid == pid]
        if len(own) < moments:
            yield f"process {pid} was there in {len(own)} of {moments} samples"
            continue
        yield from _growing(pid, own)


def _growing(pid: int, own: list[Sample]) -> Iterable[str]:
    times = [sample.seconds for sample in own]
    span = times[-1] - times[0]
    sizes, counts = [sample.rss_bytes for sample in own], [sample.descriptors for sample in own]
    memory, files = (linear_regression(times, values).slope * span for values in (sizes, counts))
    if memory > max(GROWTH_BYTES, GROWTH_SHARE * median(sizes)):
        yield f"process {pid} grew by {memory / MIB:.1f} MiB in {span / 3600:.2f} h"
    if files > GROWTH_DESCRIPTORS:
        yield f"process {pid} opened {files:.1f} more descriptors in {span / 3600:.2f} h"
