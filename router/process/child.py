"""One worker process as its supervisor sees it: its place, its link, what it last said.

Law: a child is started in a process group of its own, so that a Ctrl-C in the terminal reaches the supervisor
alone and a drain is not cut short; it holds no descriptor but its own end of the link.
"""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import msgspec

from router.process.heartbeat import AFTER_CRASH_VARIABLE, FD_VARIABLE, STACK_SIGNAL, WORKERS_VARIABLE
from router.process.plan import Backoff, Plan, hang_deadline
from router.process.status import Cause, WorkerStatus

LONGEST_WHY_CHARACTERS = 200
LONGEST_LINE_BYTES = 4096
METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


class _Line(msgspec.Struct):
    beat: int | None = None
    ready: bool | None = None
    why: str = ""


_LINE = msgspec.json.Decoder(_Line)


class Child:
    """The place of worker `index`: at most one process at a time. All times are monotonic seconds."""

    def __init__(self, index: int, plan: Plan, metrics_folder: Path) -> None:
        self.index = index
        self.process: subprocess.Popen[bytes] | None = None
        self.link: socket.socket | None = None
        self.restart_at: float | None = 0.0
        self.kill_at: float | None = None
        self.hung = False
        self.beaten = False
        self.reload_due = False
        self.restarts: dict[Cause, int] = {}
        self._plan = plan
        self._metrics_folder = metrics_folder
        self._backoff = Backoff(plan)
        self._started_at = 0.0
        self._last_beat_at: float | None = None
        self._ready = False
        self._why = "is starting"
        self._buffer = b""
        self._after_crash = False

    def start(self, now: float) -> None:
        """Starts the process. OSError when the machine has no room for one."""
        self._started_at, self._last_beat_at, self._buffer = now, None, b""
        self._ready, self._why = False, "is starting"
        self.restart_at = self.kill_at = None
        self.hung = self.beaten = self.reload_due = False
        ours, theirs = socket.socketpair()
        try:
            self.process = self._spawn(theirs.fileno())
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.setblocking(False)
        self.link = ours

    def _spawn(self, fd: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", self._plan.worker_module, "--index", str(self.index)]
        if self._plan.config_path is not None:
            command += ["--config", str(self._plan.config_path)]
        environment = os.environ | {
            FD_VARIABLE: str(fd),
            WORKERS_VARIABLE: str(self._plan.workers),
            METRICS_VARIABLE: str(self._metrics_folder),
        }
        environment.pop(AFTER_CRASH_VARIABLE, None)
        if self._after_crash:
            environment[AFTER_CRASH_VARIABLE] = "1"
        return subprocess.Popen(command, env=environment, pass_fds=(fd,), stdin=subprocess.DEVNULL, process_group=0)

    def read(self, now: float) -> bool:
        """Takes in what the worker said; false when it has closed its end."""
        assert self.link is not None
        while True:
            try:
                data = self.link.recv(65536)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not data:
                return False
            *lines, rest = (self._buffer + data).split(b"\n")
            self._buffer = rest[:LONGEST_LINE_BYTES]
            for line in lines:
                self._hear(line, now)

    def _hear(self, line: bytes, now: float) -> None:
        try:
            said = _LINE.decode(line)
        except msgspec.DecodeError:
            return  # not from our protocol: a line that cannot be read is no sign of life
        if said.beat is not None:
            self._last_beat_at = now
            self.beaten = True
        if said.ready is not None:
            self._ready, self._why = said.ready, said.why[:LONGEST_WHY_CHARACTERS]

    def close_link(self) -> None:
        """Drops the link; the process, if it lives, sees an end of file."""
        if self.link is not None:
            self.link.close()
            self.link = None

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the process, if there is one."""
        if self.process is not None:
            self.process.send_signal(number)

    def silent_too_long(self, now: float) -> bool:
        """True when the process lives but its loop has not turned for too long."""
        if self.process is None or self.hung:
            return False
        return now >= hang_deadline(self._plan, self._started_at, self._last_beat_at)

    def grant(self, seconds: float) -> None:
        """Moves the deadlines: the supervisor itself was late, perhaps the whole machine stood still."""
        self._started_at += seconds
        if self._last_beat_at is not None:
            self._last_beat_at += seconds

    def condemn(self, now: float) -> None:
        """For a hung process: asks where it stands (on its standard error), to be killed soon after."""
        self.hung = True
        self._ready, self._why = False, "its event loop hangs"
        self.kill_at = now + self._plan.stack_seconds
        self.signal(STACK_SIGNAL)

    def gone(self, now: float, *, again: bool) -> tuple[Cause, float]:
        """Clears the place of a process that was found dead; sets `restart_at` if it shall start `again`.
        Returns the cause and the age of the process in seconds."""
        code = None if self.process is None else self.process.returncode
        cause = Cause.HANG if self.hung else Cause.SIGNAL if code is not None and code < 0 else Cause.EXIT
        alive_seconds = now - self._started_at
        self._after_crash = code != 0
        self.process = self.kill_at = self._last_beat_at = None
        self._ready, self._why = False, f"died ({cause})"
        if again:
            self.restart_at = now + self._backoff.after(alive_seconds)
            self.restarts[cause] = self.restarts.get(cause, 0) + 1
        return cause, alive_seconds

    def status(self) -> WorkerStatus:
        """What the HTTP side may know."""
        return WorkerStatus(
            index=self.index,
            pid=None if self.process is None else self.process.pid,
            live=self.process is not None and self.beaten and not self.hung,
            ready=self._ready,
            why=self._why,
            last_beat_at=self._last_beat_at,
            restarts=dict(self.restarts),
        )
