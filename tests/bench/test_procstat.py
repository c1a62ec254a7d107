"""CPU of a tree and RSS, against real processes and against a made-up /proc."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.procstat import (
    TICKS_PER_SECOND,
    CpuMeter,
    cpu_seconds,
    describe_machine,
    load_average,
    peak_rss_bytes,
    read_process,
    tree,
    yardstick_us,
)

BURN = "import time\nend = time.process_time() + {}\nwhile time.process_time() < end: pass\n"


def add(proc: Path, pid: int, parent: int, cpu: tuple[int, int, int, int], name: str = "x", rss: int = 3) -> None:
    """One process of a made-up /proc; `cpu` in ticks: user, system, reaped user, reaped system."""
    fields = ["S", str(parent), *["0"] * 9, *map(str, cpu), *["0"] * 4, "77", "0", str(rss), *["0"] * 20]
    (proc / str(pid)).mkdir(parents=True)
    (proc / str(pid) / "stat").write_text(f"{pid} ({name}) {' '.join(fields)}\n")


def test_a_tree_sums_the_living_and_the_reaped(tmp_path: Path) -> None:
    add(tmp_path, 10, 1, (100, 20, 3, 4))
    add(tmp_path, 11, 10, (1000, 200, 0, 0))
    add(tmp_path, 12, 11, (5, 5, 5, 5))
    add(tmp_path, 13, 1, (9999, 9999, 0, 0))
    (tmp_path / "self").mkdir()
    assert [process.pid for process in tree(10, tmp_path)] == [10, 11, 12]
    assert cpu_seconds(10, tmp_path) == pytest.approx((127 + 1200 + 20) / TICKS_PER_SECOND)


@pytest.mark.parametrize("name", ["beam.smp", "a b", ") S 1 (", "((("])
def test_a_process_name_may_be_anything(tmp_path: Path, name: str) -> None:
    add(tmp_path, 10, 7, (1, 2, 3, 4), name)
    process = read_process(10, tmp_path)
    assert process is not None and process.parent == 7 and process.started_ticks == 77
    assert process.rss_bytes == 3 * os.sysconf("SC_PAGE_SIZE")


def test_a_process_that_is_gone_has_nothing(tmp_path: Path) -> None:
    assert read_process(10, tmp_path) is None and tree(10, tmp_path) == ()
    assert cpu_seconds(10, tmp_path) == 0 and peak_rss_bytes(10, tmp_path) == 0


def test_a_child_s_cpu_counts_while_it_lives_and_after_it_was_waited_for() -> None:
    parent = (
        "import subprocess, sys\nsubprocess.run([sys.executable, '-c', sys.argv[1]])\nprint('reaped', flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent + "sys.stdin.read()", BURN.format(0.3)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        meter = CpuMeter(process.pid)
        assert process.stdout is not None and process.stdout.readline() == b"reaped\n"
        assert len(tree(process.pid)) == 1
        assert 0.25 < meter.seconds() < 3
        assert peak_rss_bytes(process.pid) > 1_000_000


def test_a_living_child_is_in_the_tree() -> None:
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as child:
        deadline = time.monotonic() + 5
        while child.pid not in [process.pid for process in tree(os.getpid())]:
            assert time.monotonic() < deadline
        me = read_process(os.getpid())
        assert me is not None and me.rss_bytes > 1_000_000


def test_a_meter_does_not_run_backwards(tmp_path: Path) -> None:
    add(tmp_path, 10, 1, (100, 0, 0, 0))
    meter = CpuMeter(10, tmp_path)
    (tmp_path / "10" / "stat").unlink()
    assert meter.seconds() == 0.0


def test_the_machine_is_described() -> None:
    machine = describe_machine({"rabbitmq": "3.10.8"})
    assert machine.cores >= 1 and machine.memory_bytes > 10**8 and machine.kernel and machine.cpu_model
    assert machine.packages["msgspec"] and machine.python.startswith("3.") and machine.broker == {"rabbitmq": "3.10.8"}
    assert load_average() >= 0


def test_the_yardstick_is_the_time_of_one_parse() -> None:
    small, large = yardstick_us(b"[1]", 0.02), yardstick_us(b"[" + b"1," * 5000 + b"1]", 0.02)
    assert 0 < small * 20 < large
