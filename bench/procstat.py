"""CPU and memory of processes, read from /proc by the harness: nothing that is measured takes part in measuring itself.

CPU of a tree is user + system of a process and of all its descendants: those that live, and those that were waited for,
whose times the kernel adds to their parent's. Linux only; the clock tick (10 ms) is the resolution.
"""

import os
import platform
import time
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import orjson
from msgspec import Struct

PROC: Final = Path("/proc")
TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
PACKAGES: Final = (
    "aio-pika", "aiormq", "fastjsonschema", "faststream", "hdrhistogram", "hubex",
    "msgspec", "orjson", "pamqp", "prometheus-client", "typer", "uvloop",
)  # fmt: skip


class Process(Struct, frozen=True):
    """One reading of one process. Seconds and bytes; `reaped_seconds` is the CPU of children it has waited for."""

    pid: int
    parent: int
    cpu_seconds: float
    reaped_seconds: float
    rss_bytes: int
    started_ticks: int
    """With the pid, who it is: pids are used again."""


def read_process(pid: int, proc: Path = PROC) -> Process | None:
    """None when there is no such process (any more), or it is a zombie's remains that cannot be read."""
    try:
        text = (proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name is in brackets and may hold blanks and brackets: what counts starts after the last one.
    fields = text[text.rindex(")") + 2 :].split()
    user, system, reaped_user, reaped_system = (int(field) for field in fields[11:15])
    return Process(
        pid,
        int(fields[1]),
        (user + system) / TICKS_PER_SECOND,
        (reaped_user + reaped_system) / TICKS_PER_SECOND,
        int(fields[21]) * os.sysconf("SC_PAGE_SIZE"),
        int(fields[19]),
    )


def tree(pid: int, proc: Path = PROC) -> tuple[Process, ...]:
    """The process and all its living descendants, the process first; empty when it is gone."""
    root = read_process(pid, proc)
    if root is None:
        return ()
    children: dict[int, list[Process]] = {}
    for process in _all(proc):
        children.setdefault(process.parent, []).append(process)
    found = [root]
    for process in found:  # grows while it is walked
        found += children.get(process.pid, ())
    return tuple(found)


def _all(proc: Path) -> Iterable[Process]:
    for entry in os.listdir(proc):
        if entry.isdigit() and (process := read_process(int(entry), proc)) is not None:
            yield process


class CpuMeter:
    """CPU seconds of a tree since the meter was made.

    A descendant that dies and is waited for moves its time into its parent's: nothing is lost or counted twice. One
    whose parent dies first is re-parented out of the tree: the harness starts routers that do not do that.
    """

    def __init__(self, pid: int, proc: Path = PROC) -> None:
        self._pid, self._proc = pid, proc
        self._start = cpu_seconds(pid, proc)

    def seconds(self) -> float:
        """CPU so far. 0.0 when the process is gone: read before you stop it."""
        return max(0.0, cpu_seconds(self._pid, self._proc) - self._start)


def cpu_seconds(pid: int, proc: Path = PROC) -> float:
    """User + system seconds of the whole tree since it was started, reaped children included."""
    return sum(process.cpu_seconds + process.reaped_seconds for process in tree(pid, proc))


def peak_rss_bytes(pid: int, proc: Path = PROC) -> int:
    """The largest resident size a process has had; 0 when it is gone."""
    try:
        lines = (proc / str(pid) / "status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


class Machine(Struct, frozen=True):
    """Where a figure was measured; a figure without this is a rumour."""

    cpu_model: str
    cores: int
    memory_bytes: int
    kernel: str
    python: str
    packages: dict[str, str]
    broker: dict[str, str]
    """`rabbitmq` and `erlang`, as the broker's management API says them; empty when it was not asked."""


def describe_machine(broker: dict[str, str], proc: Path = PROC) -> Machine:
    """This machine. `broker`: the versions that only the broker knows."""
    return Machine(
        _line(proc / "cpuinfo", "model name") or platform.machine(),
        len(os.sched_getaffinity(0)),
        int((_line(proc / "meminfo", "MemTotal") or "0").split()[0]) * 1024,
        platform.release(),
        platform.python_version(),
        dict(_versions()),
        broker,
    )


def _line(path: Path, name: str) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _versions() -> Iterable[tuple[str, str]]:
    for package in PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            continue


def yardstick_us(body: bytes, seconds: float = 0.1) -> float:
    """CPU microseconds that this machine needs now to parse one body as JSON: what a figure's machine was worth.

    CPU time is no constant of a program: neighbours on the same cores double it. A figure beside this is a ratio.
    """
    begun, count = time.process_time(), 0
    while (used := time.process_time() - begun) < seconds:
        for _ in range(100):
            orjson.loads(body)
        count += 100
    return used / count * 1e6


def load_average(proc: Path = PROC) -> float:
    """The one-minute load: what else the machine was doing before a run began."""
    try:
        return float((proc / "loadavg").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError):
        return 0.0
