import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from router.observe.catalogue import BY_NAME, LATENCY_BOUNDS_SECONDS, METRICS, Kind, readme_table
from router.observe.metrics import MOST_SERIES_PER_METRIC, Counts

ROOT = Path(__file__).parents[3]
LATENCIES = (0.0, 0.0005, 0.00051, 0.003, 0.003, 1.0, 59.0, 60.0, 61.0, 5000.0)


def text(registry: CollectorRegistry) -> str:
    return generate_latest(registry).decode()


def test_cells_are_moved_as_deltas_at_most_every_200_ms() -> None:
    registry = CollectorRegistry()
    counts = Counts(registry)
    cell = counts.cell("hubex_messages_refused_total", "v", "300")
    assert counts.cell("hubex_messages_refused_total", "v", "300") is cell
    cell.n += 3
    counts.flush(10.0)
    series = 'hubex_messages_refused_total{code="300",vhost="v"}'
    assert f"{series} 3.0" in text(registry)
    cell.n += 1
    counts.flush(10.19)
    assert f"{series} 3.0" in text(registry)
    counts.flush(10.2)
    assert f"{series} 4.0" in text(registry)
    cell.n += 1
    counts.flush(10.2, force=True)
    assert f"{series} 5.0" in text(registry)


def test_a_bound_series_is_there_before_anything_happens() -> None:
    registry = CollectorRegistry()
    counts = Counts(registry)
    counts.cell("hubex_messages_received_total", "v")
    counts.cell("hubex_unsettled_inputs", "v")
    counts.latency("hubex_confirm_seconds", "v")
    counts.flush(0.0)
    assert 'hubex_messages_received_total{vhost="v"} 0.0' in text(registry)
    assert 'hubex_unsettled_inputs{vhost="v"} 0.0' in text(registry)
    assert 'hubex_confirm_seconds_count{vhost="v"} 0.0' in text(registry)


def test_gauges_go_up_and_down() -> None:
    registry = CollectorRegistry()
    counts = Counts(registry)
    cell = counts.cell("hubex_connections", "v", "consume", "open")
    for value in (2, 5, 1):
        cell.n = value
        counts.flush(0.0, force=True)
        assert f'hubex_connections{{role="consume",state="open",vhost="v"}} {value}.0' in text(registry)


def test_a_histogram_filled_in_bulk_reads_as_one_that_was_observed() -> None:
    """Pins the private values of prometheus-client's Histogram that the bulk way writes to."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    counts = Counts(ours)
    cells = counts.latency("hubex_delivery_seconds", "v")
    metric = BY_NAME["hubex_delivery_seconds"]
    histogram = Histogram(
        metric.name, metric.meaning, metric.labels, registry=theirs, buckets=LATENCY_BOUNDS_SECONDS
    ).labels("v")
    for latency in LATENCIES:
        cells.observe(latency)
        counts.flush(0.0, force=True)
        histogram.observe(latency)
    created = re.compile(r"_created.*")
    assert created.sub("", text(ours)) == created.sub("", text(theirs))


BULK_AND_ONE_BY_ONE = """
import sys
from prometheus_client import CollectorRegistry, Histogram
from router.observe.catalogue import BY_NAME, LATENCY_BOUNDS_SECONDS
from router.observe.metrics import Counts, name_metric_files
name_metric_files(int(sys.argv[1]))
counts = Counts()
cells = counts.latency("hubex_delivery_seconds", "bulk")
metric = BY_NAME["hubex_delivery_seconds"]
one = Histogram(metric.name, metric.meaning, metric.labels, registry=None, buckets=LATENCY_BOUNDS_SECONDS).labels("one")
for latency in map(float, sys.argv[2:]):
    cells.observe(latency)
    one.observe(latency)
counts.cell("hubex_messages_received_total", "v").n += 2
counts.cell("hubex_unsettled_inputs", "v").n = 5
counts.flush(0.0)
"""


def run_worker(folder: Path, index: int, *latencies: float) -> None:
    subprocess.run(
        [sys.executable, "-c", BULK_AND_ONE_BY_ONE, str(index), *map(str, latencies)],
        env=os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)}, check=True, cwd=ROOT,
    )  # fmt: skip


def test_workers_add_up_in_multiprocess_mode_and_go_on_after_a_restart(tmp_path: Path) -> None:
    run_worker(tmp_path, 0, *LATENCIES)
    run_worker(tmp_path, 1, 0.003)
    run_worker(tmp_path, 1, 0.004)  # worker 1 was restarted
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(tmp_path))  # type: ignore[no-untyped-call]
    lines = text(registry).splitlines()
    bulk = [line for line in lines if 'vhost="bulk"' in line]
    assert bulk == [line.replace('vhost="one"', 'vhost="bulk"') for line in lines if 'vhost="one"' in line]
    assert f'hubex_delivery_seconds_count{{vhost="bulk"}} {len(LATENCIES) + 2}.0' in bulk
    assert 'hubex_messages_received_total{vhost="v"} 6.0' in lines
    assert 'hubex_unsettled_inputs{vhost="v"} 10.0' in lines
    assert len(list(tmp_path.iterdir())) == 6


def test_what_is_not_in_the_catalogue_is_refused() -> None:
    counts = Counts()
    for name, labels in (
        ("hubex_nothing_total", ()),
        ("hubex_messages_received_total", ()),
        ("hubex_messages_received_total", ("v", "x")),
        ("hubex_delivery_seconds", ("v",)),
        ("hubex_workers_live", ()),
    ):
        with pytest.raises(ValueError, match=name):
            counts.cell(name, *labels)
    with pytest.raises(ValueError, match="hubex_messages_received_total"):
        counts.latency("hubex_messages_received_total", "v")


def test_series_are_bounded_whatever_the_labels() -> None:
    registry = CollectorRegistry()
    counts = Counts(registry)
    for number in range(2 * MOST_SERIES_PER_METRIC):
        counts.cell("hubex_messages_parked_total", "v", f"reason {number}").n += 1
    counts.flush(0.0)
    lines = [line for line in text(registry).splitlines() if line.startswith("hubex_messages_parked_total{")]
    assert len(lines) == MOST_SERIES_PER_METRIC + 1
    assert f'hubex_messages_parked_total{{reason="other",vhost="other"}} {MOST_SERIES_PER_METRIC}.0' in lines


def test_names_carry_their_unit_and_are_told_in_the_readme_table() -> None:
    assert len(BY_NAME) == len(METRICS)
    table = readme_table()
    for metric in METRICS:
        assert re.fullmatch(r"hubex_[a-z_]+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
        assert metric.kind is not Kind.HISTOGRAM or metric.name.endswith("_seconds")
        assert not set(metric.labels) & {"sender", "recipient", "distribution_id", "queue", "inbox"}
        assert f"| `{metric.name}` | {metric.kind} |" in table
