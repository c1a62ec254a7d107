"""Processes that belong to a cluster, found by a tag in their environment.

The law: a process is ours when its environment carries our tag, nothing else. Its children inherit the tag,
whoever started it may be dead, and no file of pids can be stale. A signal goes through a pidfd that is
checked after it is opened, so it never reaches a process that took over the pid.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TAG: Final = "HUBEX_LOCAL_CLUSTER"
ROLE: Final = "HUBEX_LOCAL_ROLE"
POLL_SECONDS: Final = 0.05

_children: list[subprocess.Popen[bytes]] = []
"""What this process started and has to reap."""


@dataclass(frozen=True, order=True)
class Process:
    """One process. `started` (clock ticks since the boot) tells it from a later one with the same pid."""

    started: int
    pid: int
    program: str
    role: str


def spawn(command: list[str], environment: Mapping[str, str], *, folder: Path, log: Path) -> None:
    """Starts a process that outlives this one: a session of its own, output appended to `log`."""
    with log.open("ab") as output:
        _children.append(
            subprocess.Popen(
                command,
                env=environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        )


def find(tag: str) -> list[Process]:
    """The living processes with this tag, the oldest first."""
    _children[:] = [child for child in _children if child.poll() is None]
    numbers = (int(name) for name in os.listdir("/proc") if name.isdigit())
    return sorted(process for pid in numbers if (process := _read(pid, tag)))


def send(process: Process, tag: str, number: signal.Signals) -> None:
    """Signals this very process; nothing happens when it is gone."""
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(process.pid)
        try:
            if _read(process.pid, tag) == process:
                signal.pidfd_send_signal(descriptor, number)
        finally:
            os.close(descriptor)


def wait_gone(processes: Iterable[Process], tag: str, seconds: float) -> bool:
    """Whether all of them ended in this time."""
    waiting, deadline = set(processes), time.monotonic() + seconds
    while waiting.intersection(find(tag)):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _read(pid: int, tag: str) -> Process | None:
    """The process if it is alive and carries the tag. A zombie's environment is empty, so it is gone."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        if f"{TAG}={tag}".encode() not in environment:
            return None
        program, _, rest = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
    except (OSError, UnicodeDecodeError):
        return None
    role = next((item.partition(b"=")[2].decode() for item in environment if item.startswith(f"{ROLE}=".encode())), "")
    return Process(started=int(rest.split()[19]), pid=pid, program=program, role=role)
