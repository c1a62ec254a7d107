import os
import re
import subprocess
import time

from prometheus_client import CollectorRegistry, generate_latest

from router.observe.catalogue import METRICS, Home
from router.process.status import Cause, HubStatus, Phase, WorkerStatus
from router.process.usage import cpu_seconds, resident_bytes
from router.process.vitals import Vitals


def test_every_metric_of_the_supervisor_is_exported() -> None:
    worker = WorkerStatus(0, os.getpid(), True, True, "", time.monotonic(), {Cause.HANG: 2})
    dead = WorkerStatus(1, None, False, False, "died (exit)", None, {})
    vitals = Vitals(lambda: HubStatus(0.0, Phase.RUNNING, (worker, dead)), lambda: 7, "1.2")
    registry = CollectorRegistry()
    registry.register(vitals)
    text = generate_latest(registry).decode()
    for metric in METRICS:
        if metric.home is Home.SUPERVISOR:
            assert f"\n{metric.name}" in text or text.startswith(metric.name)
            assert f"# HELP {metric.name} {metric.meaning}" in text
    assert "hubex_workers_wanted 2.0" in text and "hubex_workers_live 1.0" in text
    assert 'hubex_worker_restarts_total{cause="hang",worker="0"} 2.0' in text
    assert 'hubex_worker_restarts_total{cause="exit",worker="1"} 0.0' in text
    (clock,) = re.findall(r"^hubex_clock_seconds (\S+)$", text, re.MULTILINE)
    assert abs(float(clock) - time.time()) < 5
    assert "hubex_supervisor_log_lines_lost_total 7.0" in text
    assert 'process="worker1"' not in text


def test_usage_of_this_process_and_of_none() -> None:
    assert (resident_bytes(os.getpid()) or 0) > 1_000_000
    before = cpu_seconds(os.getpid())
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    after = cpu_seconds(os.getpid())
    assert before is not None and after is not None and 0.02 < after - before < 1
    process = subprocess.Popen(["true"])
    process.wait()
    assert resident_bytes(process.pid) is None and cpu_seconds(process.pid) is None
