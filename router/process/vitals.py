"""The supervisor's own metrics, computed when they are asked for."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from router.observe.catalogue import BY_NAME, METRICS, Home, Kind
from router.process.status import Cause, HubStatus
from router.process.usage import cpu_seconds, resident_bytes

Sample = tuple[tuple[str, ...], float]


class Vitals(Collector):
    """Every metric of the catalogue whose home is the supervisor. Called by the HTTP threads."""

    def __init__(self, status: Callable[[], HubStatus], lost_lines: Callable[[], int], version: str) -> None:
        self._status = status
        self._lost_lines = lost_lines
        self._version = version

    def collect(self) -> Iterator[Metric]:
        """The families, in the order of the catalogue."""
        samples = self._samples(self._status())
        for metric in METRICS:
            if metric.home is Home.SUPERVISOR:
                family = _family(metric.name)
                for labels, value in samples[metric.name]:
                    family.add_metric(labels, value)
                yield family

    def _samples(self, status: HubStatus) -> dict[str, list[Sample]]:
        workers = status.workers
        pids = [("supervisor", os.getpid())]
        pids += [(f"worker{w.index}", w.pid) for w in workers if w.pid is not None]
        now = time.monotonic()
        return {
            "hubex_workers_wanted": [((), len(workers))],
            "hubex_workers_live": [((), sum(w.live for w in workers))],
            "hubex_workers_ready": [((), sum(w.live and w.ready for w in workers))],
            # Each cause from 0 on: `increase` does not see a series' birth.
            "hubex_worker_restarts_total": [
                ((str(w.index), cause), w.restarts.get(cause, 0)) for w in workers for cause in Cause
            ],
            "hubex_heartbeat_age_seconds": [
                ((str(w.index),), now - w.last_beat_at) for w in workers if w.last_beat_at is not None
            ],
            "hubex_resident_bytes": _of_processes(pids, resident_bytes),
            "hubex_cpu_seconds_total": _of_processes(pids, cpu_seconds),
            "hubex_clock_seconds": [((), time.time())],
            "hubex_supervisor_log_lines_lost_total": [((), self._lost_lines())],
            "hubex_build_info": [((self._version,), 1)],
        }


def registry_of(vitals: Vitals, metrics_folder: Path) -> CollectorRegistry:
    """What /metrics shows: the workers' files added up, and the supervisor's own."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(metrics_folder))  # type: ignore[no-untyped-call]
    registry.register(vitals)
    return registry


def _family(name: str) -> CounterMetricFamily | GaugeMetricFamily:
    metric = BY_NAME[name]
    family = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    return family(metric.name, metric.meaning, labels=metric.labels)


def _of_processes(pids: Iterable[tuple[str, int]], measure: Callable[[int], float | None]) -> list[Sample]:
    return [((name,), value) for name, pid in pids if (value := measure(pid)) is not None]
