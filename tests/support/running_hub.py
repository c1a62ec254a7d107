"""A supervisor process with fake workers, and what a test asks of it."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from router.process.plan import Plan

PATIENCE_SECONDS = 15.0


def wait_until(what: str, test: Callable[[], Any], patience_seconds: float = PATIENCE_SECONDS) -> Any:
    """The first true value of `test`; an AssertionError naming `what` after the patience."""
    deadline = time.monotonic() + patience_seconds
    while not (value := test()):
        assert time.monotonic() < deadline, f"not within {patience_seconds} s: {what}"
        time.sleep(0.02)
    return value


def lives(pid: int) -> bool:
    """True while the process runs (a zombie does not)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


class RunningHub:
    """Leave it by `with`: nothing that it started survives."""

    def __init__(self, folder: Path, behaviour: str, **plan: Any) -> None:
        self.folder = folder
        self.journal = folder / "journal"
        self.log = folder / "log"
        times = {"startup_seconds": 20.0, "heartbeat_timeout_seconds": 2.0, "drain_seconds": 5.0, "grace_seconds": 0.5}
        self.plan = Plan(**({"workers": 2, "worker_module": "tests.support.fake_worker"} | times | plan))
        command = [sys.executable, "-m", "tests.support.run_supervisor"]
        with (folder / "stderr").open("wb") as stderr:
            self.process = subprocess.Popen(
                [*command, msgspec.json.encode(self.plan).decode(), str(self.log), str(folder)],
                env=os.environ | {"FAKE_WORKER": behaviour, "FAKE_JOURNAL": str(self.journal)},
                cwd=Path(__file__).parents[2],
                stdout=subprocess.PIPE,
                stderr=stderr,
            )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def __enter__(self) -> "RunningHub":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        for pid in {pid for _, pid, _ in self.facts()}:
            if lives(pid) and b"fake_worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)

    def facts(self) -> list[tuple[int, int, str]]:
        """(worker, pid, word) as the workers wrote them."""
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        return [(int(index), int(pid), word) for index, pid, word in (line.split(" ", 2) for line in lines)]

    def words(self, index: int) -> list[str]:
        return [word for who, _, word in self.facts() if who == index]

    def pids(self, index: int) -> list[int]:
        return [pid for who, pid, word in self.facts() if who == index and word.startswith("born")]

    def notices(self, name: str) -> list[dict[str, Any]]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line for line in map(json.loads, lines) if line["name"] == name]

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def ready(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.get("/readyz")[1])
        return answer

    def wait_ready(self) -> None:
        wait_until("ready", lambda: self.ready()["ready"])

    def metric(self, series: str) -> float | None:
        """The value of a series as written on /metrics, None when it is not there."""
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith(series + " "):
                return float(line.rpartition(" ")[2])
        return None

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        return self.process.wait(PATIENCE_SECONDS)
