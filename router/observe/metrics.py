"""Counting in plain integers, moved to prometheus-client a few times a second.

Law: the hot path touches a Python attribute and nothing else; a pre-bound counter of prometheus-client would
cost 0.9 µs, a histogram 2.4 µs. A kill -9 loses the counts since the last flush (200 ms), no message
(DELIVERY.md 11).
"""

import os
from bisect import bisect_left
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values

from router.observe.catalogue import BY_NAME, LATENCY_BOUNDS_SECONDS, Home, Kind, Metric

FLUSH_SECONDS: Final = 0.2
MOST_SERIES_PER_METRIC: Final = 512
OTHER: Final = "other"

Child = Counter | Gauge | Histogram


def name_metric_files(worker: int) -> None:
    """Names this process's metric files after the worker's index. Call it before the first `Counts`.

    prometheus-client names them after the pid, so that each restart would leave its files behind for ever.
    With the index a restarted worker goes on counting where its predecessor ended. Two live processes must
    not share an index. Without PROMETHEUS_MULTIPROC_DIR it does nothing.
    """
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        values.ValueClass = values.MultiProcessValue(lambda: metric_file_id(worker))  # type: ignore[no-untyped-call]


def metric_file_id(worker: int) -> str:
    """What stands for the pid in the names of a worker's metric files."""
    return f"worker{worker}"


class Cell:
    """One series of a counter or gauge. A counter's `n` only grows; a gauge's may be set to anything."""

    __slots__ = ("n",)

    def __init__(self) -> None:
        self.n: float = 0


class LatencyCells:
    """One series of a latency histogram. `observe` takes seconds."""

    __slots__ = ("buckets", "sum_seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (len(LATENCY_BOUNDS_SECONDS) + 1)
        self.sum_seconds = 0.0

    def observe(self, seconds: float) -> None:
        """Counts one latency."""
        self.buckets[bisect_left(LATENCY_BOUNDS_SECONDS, seconds)] += 1
        self.sum_seconds += seconds


class Counts:
    """The cells of one process. Belongs to one thread.

    Bind cells at start and keep them; binding the same series twice gives the same cell. A metric that is
    not in the catalogue, or a wrong number of labels, is a ValueError. Call `flush` after each batch and from
    a timer.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._registry = registry if registry is not None else CollectorRegistry()
        self._parents: dict[str, Child] = {}
        self._cells: dict[tuple[str, ...], Cell] = {}
        self._latencies: dict[tuple[str, ...], LatencyCells] = {}
        self._series: dict[str, int] = {}
        self._movers: list[Callable[[], None]] = []
        self._flush_at = 0.0

    def cell(self, name: str, *labels: str) -> Cell:
        """The cell of a counter's or gauge's series. Beyond 512 series of a metric it is that of `other`."""
        found = self._cells.get((name, *labels))
        if found is None:
            metric = _checked(name, labels, Kind.COUNTER, Kind.GAUGE)
            series = self._bounded(metric, labels)
            found = self._cells.get((name, *series))
            if found is None:
                found = self._cells[name, *series] = Cell()
                self._movers.append(_cell_mover(found, self._child(metric, series)))
        return found

    def latency(self, name: str, *labels: str) -> LatencyCells:
        """The cells of a histogram's series."""
        found = self._latencies.get((name, *labels))
        if found is None:
            metric = _checked(name, labels, Kind.HISTOGRAM)
            series = self._bounded(metric, labels)
            found = self._latencies.get((name, *series))
            if found is None:
                found = self._latencies[name, *series] = LatencyCells()
                self._movers.append(_latency_mover(found, self._child(metric, series)))
        return found

    def flush(self, now: float, *, force: bool = False) -> None:
        """Moves what was counted to prometheus-client, at most every 200 ms of `now` (seconds of a monotonic
        clock) unless `force`, which is for the exit."""
        if now < self._flush_at and not force:
            return
        self._flush_at = now + FLUSH_SECONDS
        for move in self._movers:
            move()

    def _bounded(self, metric: Metric, labels: tuple[str, ...]) -> tuple[str, ...]:
        count = self._series.get(metric.name, 0)
        if count >= MOST_SERIES_PER_METRIC:
            return (OTHER,) * len(labels)
        self._series[metric.name] = count + 1
        return labels

    def _child(self, metric: Metric, labels: tuple[str, ...]) -> Child:
        parent = self._parents.get(metric.name)
        if parent is None:
            parent = self._parents[metric.name] = _parent(metric, self._registry)
        return parent.labels(*labels) if labels else parent


def _checked(name: str, labels: tuple[str, ...], *kinds: Kind) -> Metric:
    metric = BY_NAME.get(name)
    if metric is None or metric.kind not in kinds or metric.home is not Home.WORKER:
        raise ValueError(f"{name} is not a {' or '.join(kinds)} of the workers in the catalogue")
    if len(labels) != len(metric.labels):
        raise ValueError(f"{name} has the labels {', '.join(metric.labels) or 'none'}; {len(labels)} given")
    return metric


def _parent(metric: Metric, registry: CollectorRegistry) -> Child:
    if metric.kind is Kind.COUNTER:
        return Counter(metric.name, metric.meaning, metric.labels, registry=registry)
    if metric.kind is Kind.GAUGE:
        return Gauge(metric.name, metric.meaning, metric.labels, registry=registry, multiprocess_mode=metric.merge)
    return Histogram(metric.name, metric.meaning, metric.labels, registry=registry, buckets=LATENCY_BOUNDS_SECONDS)


def _cell_mover(cell: Cell, child: Child) -> Callable[[], None]:
    assert not isinstance(child, Histogram)
    return _counter_mover(cell, child) if isinstance(child, Counter) else _gauge_mover(cell, child)


def _counter_mover(cell: Cell, child: Counter) -> Callable[[], None]:
    moved: float = 0

    def move() -> None:
        nonlocal moved
        delta = cell.n - moved
        if delta > 0:
            moved = cell.n
            child.inc(delta)

    return move


def _gauge_mover(cell: Cell, child: Gauge) -> Callable[[], None]:
    moved: float | None = None  # the first flush sets it, whatever the file of a predecessor holds

    def move() -> None:
        nonlocal moved
        if cell.n != moved:
            moved = cell.n
            child.set(moved)

    return move


def _latency_mover(cells: LatencyCells, child: Child) -> Callable[[], None]:
    """prometheus-client cannot observe in bulk, so the counts go to the values that its `observe` writes to
    (one per bucket, not cumulative). A test compares the two ways for the pinned version."""
    assert isinstance(child, Histogram)
    moved = [0] * len(cells.buckets)
    moved_sum_seconds = 0.0

    def move() -> None:
        nonlocal moved_sum_seconds
        if cells.buckets == moved:
            return
        for index, count in enumerate(cells.buckets):
            if count != moved[index]:
                child._buckets[index].inc(count - moved[index])
                moved[index] = count
        child._sum.inc(cells.sum_seconds - moved_sum_seconds)
        moved_sum_seconds = cells.sum_seconds

    return move
