"""The same drain at every combination of workers, prefetch and shards: the curve that defaults are chosen from.

Law: each point is a whole drain bench of the router alone, on a vhost of its own; nothing is carried over but the seed.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import product
from pathlib import Path

from msgspec.structs import replace

from bench.drain import DrainBench
from bench.results import MIB, ROUTER, Options, Result, Round, Sweep
from bench.stage import Say
from deploy.local import LocalCluster

HEADING = ("workers", "prefetch", "shards", "msg/s", "CPU µs/msg", "broker µs/msg", "RSS MiB/worker", "kept")


def combinations(
    options: Options, workers: Sequence[int], prefetch: Sequence[int], shards: Sequence[int]
) -> list[Options]:
    """The options of every point, workers outermost."""
    return [
        replace(options, workers=each, prefetch=unsettled, shards=queues)
        for each, unsettled, queues in product(workers, prefetch, shards)
    ]


def sweep(
    cluster: LocalCluster, folder: Path, points: Sequence[Options], say: Say, finished: Callable[[Round], None]
) -> Sweep:
    """Measure every point. Raises what a drain bench raises: none is tried again."""
    results = []
    for index, point in enumerate(points):
        what = f"{point.workers} workers, prefetch {point.prefetch}, {point.shards} shards: "

        def tell(text: str, share: float, index: int = index, what: str = what) -> None:
            say(what + text, (index + share) / len(points))

        results.append(DrainBench(cluster, folder / f"point-{index}", point, tell).run(finished, "sweep"))
    return Sweep(command="sweep", started=results[0].started, results=tuple(results))


def markdown(found: Sweep) -> Iterable[str]:
    """The curve as a table for `bench/README.md`: medians with their spread."""
    yield f"| {' | '.join(HEADING)} |"
    yield "|" + "---:|" * len(HEADING)
    for result in found.results:
        yield f"| {' | '.join(_cells(result))} |"


def _cells(result: Result) -> tuple[str, ...]:
    options = result.options
    rate, cpu, broker = (
        result.spread(ROUTER, figure)
        for figure in (lambda each: each.rate, lambda each: each.cpu_us, lambda each: each.broker_cpu_us)
    )
    largest = max((size for each in result.rounds for size in each.workers_rss_bytes), default=0)
    return (
        str(options.workers or "one a core"),
        str(options.prefetch),
        str(options.shards),
        f"{rate.median:.0f} ({rate.lowest:.0f}–{rate.highest:.0f})",
        f"{cpu.median:.1f} ({cpu.lowest:.1f}–{cpu.highest:.1f})",
        f"{broker.median:.1f}",
        f"{largest / MIB:.0f}",
        "; ".join(result.faults) or "all",
    )
