import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from router.observe import logs
from router.observe.events import Event, Notice, Received
from router.observe.logs import EventLog
from tests.support.running_hub import wait_until

AT = datetime(2026, 1, 2, tzinfo=UTC)
ROOT = Path(__file__).parents[3]


def received(number: int, padding: str = "") -> Received:
    return Received(at=AT, worker=0, distribution_id=f"a_{number}", key=padding)


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


class Complaints(list[str]):
    def __call__(self, text: str) -> None:
        self.append(text)


def test_every_line_is_there_in_order_after_close(tmp_path: Path) -> None:
    log = EventLog(str(tmp_path / "log"))
    for number in range(5000):
        log.event(received(number))
        if number % 7 == 0:
            log.flush()
    assert log.close() and log.lost_lines == 0
    assert [line["distribution_id"] for line in read(tmp_path / "log")] == [f"a_{n}" for n in range(5000)]


def test_lines_come_out_without_close(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = EventLog(str(path))
    for number in range(3):
        log.event(received(number))
        log.flush()
        wait_until("the line", lambda want=number + 1: path.exists() and len(read(path)) == want)
    # The writer counts a line off after it wrote it: the file is ahead of the count for a moment.
    wait_until("nothing left to write", lambda: log.backlog_size_bytes == 0)
    log.close()


def test_a_full_disk_loses_and_counts_lines_and_complains_once() -> None:
    complaints = Complaints()
    log = EventLog("/dev/full", complain=complaints)
    for number in range(300):
        log.event(received(number))
        log.flush()
        time.sleep(0.001)
    wait_until("losses", lambda: log.lost_lines > 0)
    assert log.close() and log.lost_lines == 300
    assert complaints == ["log /dev/full: No space left on device; lines are being lost"]


def test_after_a_loss_the_log_goes_on_and_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "TROUBLE_OVER_SECONDS", 0.2)
    complaints = Complaints()
    target = tmp_path / "later" / "log"
    log = EventLog(str(target), worker=3, complain=complaints)
    log.event(received(0))
    log.flush()
    wait_until("the loss", lambda: log.lost_lines == 1)
    target.parent.mkdir()

    def back() -> bool:
        log.event(received(1))
        log.flush()
        return target.exists() and any(line["event"] == "notice" for line in read(target))

    wait_until("the gap in the log", back)
    log.close()
    gap = next(line for line in read(target) if line["event"] == "notice")
    assert (gap["name"], gap["worker"], gap["facts"]) == ("log_lines_lost", 3, {"lines": log.lost_lines})
    assert complaints[0].endswith("No such file or directory; lines are being lost")
    assert complaints[1:] == [f"log {target}: writing again, {log.lost_lines} lines were lost"]


def test_a_reader_that_stands_still_costs_lines_never_time(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reading = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    complaints = Complaints()
    log = EventLog(str(fifo), backlog_bytes=100_000, complain=complaints)
    slowest_seconds = 0.0
    for number in range(5000):
        log.event(received(number, "x" * 100))
        began = time.monotonic()
        log.flush()
        slowest_seconds = max(slowest_seconds, time.monotonic() - began)
        assert log.backlog_size_bytes <= 100_000
    assert slowest_seconds < 0.5
    lost = log.lost_lines
    assert lost > 3000
    assert not log.close(deadline_seconds=0.1), "the target still blocks"
    assert 5000 >= log.lost_lines > lost
    os.set_blocking(reading, True)
    data = b""
    while not data.endswith(b"\n") or log._thread.is_alive():
        data += os.read(reading, 65536)
    os.close(reading)
    ids = [json.loads(line)["distribution_id"] for line in data.splitlines()]
    assert ids == [f"a_{n}" for n in range(len(ids))], "what was kept is whole and in order"


def test_a_half_surrogate_spoils_no_neighbour(tmp_path: Path) -> None:
    log = EventLog(str(tmp_path / "log"))
    for event in (received(1), received(2, "bad \ud800 text"), received(3)):
        log.event(event)
    log.close()
    lines = read(tmp_path / "log")
    assert [line["distribution_id"] for line in lines] == ["a_1", "a_2", "a_3"]
    assert lines[1]["event"] == "received" and lines[1]["key"] == "bad \\ud800 text"


def test_an_event_that_cannot_be_encoded_is_counted_not_raised(tmp_path: Path) -> None:
    log = EventLog(str(tmp_path / "log"))
    broken: Event = Notice(at=AT, facts={"x": object()})  # type: ignore[dict-item]
    for event in (received(1), broken, received(2)):
        log.event(event)
    log.close()
    assert log.lost_lines == 1 and len(read(tmp_path / "log")) == 2


def test_events_after_close_are_lost_and_counted(tmp_path: Path) -> None:
    log = EventLog(str(tmp_path / "log"))
    log.close()
    log.event(received(1))
    log.flush()
    assert log.lost_lines == 1


WRITER = """
import sys, time
from datetime import UTC, datetime
from router.observe.events import Received
from router.observe.logs import EventLog
log = EventLog(sys.argv[1], gather_seconds=0.0)
for n in range(4000):
    log.event(Received(at=datetime.now(UTC), worker=int(sys.argv[2]), distribution_id=str(n), key="k" * (n % 250)))
    if n % 10 == 0:
        log.flush()
        time.sleep(0.0001)
sys.exit(0 if log.close(30) and log.lost_lines == 0 else 1)
"""


@pytest.mark.parametrize("target", ["file", "pipe", "redirected"])
def test_lines_of_several_processes_are_never_torn(tmp_path: Path, target: str) -> None:
    path = tmp_path / "log"
    reading, writing = os.pipe()
    out = path.open("wb") if target == "redirected" else os.fdopen(writing, "wb")
    name = str(path) if target == "file" else "-"
    with out:
        writers = [
            subprocess.Popen([sys.executable, "-c", WRITER, name, str(n)], stdout=out, cwd=ROOT) for n in range(3)
        ]
    if target == "redirected":
        os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        piped = pipe.read()
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    lines = [json.loads(line) for line in (piped if target == "pipe" else path.read_bytes()).splitlines()]
    for worker in range(3):
        assert [line["distribution_id"] for line in lines if line["worker"] == worker] == [str(n) for n in range(4000)]


def test_the_log_follows_a_rotation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "ROTATION_CHECK_SECONDS", 0.0)
    path = tmp_path / "log"
    log = EventLog(str(path))
    log.event(received(1))
    log.flush()
    wait_until("the first line", path.exists)
    wait_until("its end", lambda: log.backlog_size_bytes == 0)
    path.rename(tmp_path / "log.1")
    log.event(received(2))
    log.close()
    assert [line["distribution_id"] for line in read(path)] == ["a_2"]


BUSY_LOOP = """
import os, sys, time
from datetime import UTC, datetime
from router.observe.events import Received
from router.observe.logs import EventLog
log = EventLog(sys.argv[1])
assert sys.getswitchinterval() <= 0.001  # what it is for shows only now and then: up to a second of starvation
at = datetime.now(UTC)
end = time.perf_counter() + 1.5
lines = 0
while time.perf_counter() < end:  # batches of 20 messages with 100 µs of work each, never idle
    for _ in range(20):
        done = time.perf_counter() + 100e-6
        while time.perf_counter() < done:
            pass
        log.event(Received(at=at, distribution_id="i" * 100, key="k" * 200))
        log.event(Received(at=at, distribution_id="i" * 100, key="k" * 200))
        lines += 2
    log.flush()
    os.sched_yield()
lost = log.lost_lines
log.close(10)
print(lines, lost, log.lost_lines, file=sys.stderr)
"""


@pytest.mark.parametrize("target", ["/dev/null", "-"])
def test_a_busy_event_loop_does_not_starve_the_writer(target: str) -> None:
    run = subprocess.run([sys.executable, "-c", BUSY_LOOP, target], capture_output=True, cwd=ROOT, check=True)
    lines, lost_before, lost = map(int, run.stderr.split())
    assert lines > 1000 and lost_before == lost == 0
    assert target != "-" or run.stdout.count(b"\n") == lines
