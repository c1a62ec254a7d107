"""The event log: events in, whole JSON lines out, by a thread of its own.

Law: logging never raises, never blocks the event loop and holds a bounded number of bytes. What does not
fit (a slow reader) or cannot be written (a full disk) is dropped and counted in `lost_lines`, and people are
told on standard error and, once it works again, in the log itself.
"""

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from router.observe.events import Event, Notice
from router.observe.sink import Sink

BACKLOG_BYTES = 8 * 1024 * 1024
CHUNK_BYTES = 2 * 1024 * 1024  # the most that one write takes from the backlog
GATHER_SECONDS = 0.02  # lines wait this long for company: one write and one thread switch for many batches
FIRST_BACKOFF_SECONDS = 0.1
LONGEST_BACKOFF_SECONDS = 5.0
COMPLAIN_EVERY_SECONDS = 60.0
TROUBLE_OVER_SECONDS = 1.0  # a loss is over when no line was lost for so long
SWITCH_SECONDS = 0.0005
"""The interpreter's switch interval, set for the whole process. At Python's own 5 ms a busy event loop, which
lets go of the interpreter for a few µs a batch, starved the writer thread for up to a second (measured: 60 % of
the lines lost at 30 000 messages/s); at 1 ms and below none were lost and no cost was found."""
ROTATION_CHECK_SECONDS = 1.0


def complain_on_stderr(text: str) -> None:
    """One line on standard error; silent when even that cannot be written."""
    try:
        os.write(2, f"hubex: {text}\n".encode())
    except OSError:
        pass


class EventLog:
    """Lines of one process to one target ("-": standard output, else a path that is appended to).

    `event` and `flush` belong to one thread (the event loop's). `event(struct)` keeps the struct until
    `flush`: do not change it afterwards. Memory: `backlog_bytes` plus what was given to `event` since the
    last `flush`.
    """

    def __init__(
        self,
        target: str,
        *,
        worker: int | None = None,
        backlog_bytes: int = BACKLOG_BYTES,
        gather_seconds: float = GATHER_SECONDS,
        complain: Callable[[str], None] = complain_on_stderr,
    ) -> None:
        self._worker = worker
        self._backlog_bytes = backlog_bytes
        self._gather_seconds = gather_seconds
        self._encoder = msgspec.json.Encoder()
        self._pending: list[Event] = []
        self.event: Callable[[Event], None] = self._pending.append  # the hot path: nothing but an append
        # Between the threads: each counter has one writing thread, so no lock is needed.
        self._chunks: deque[bytes] = deque()
        self._handed_bytes = self._handed_lines = 0
        self._done_bytes = self._done_lines = 0
        self._overflow_lines = 0
        self._failed_lines = 0
        self._closed = False
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._sink = Sink(target)
        self._trouble = _Trouble(f"log {target}", complain)
        self._rotation_check_at = 0.0
        sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_SECONDS))
        self._thread = threading.Thread(target=self._run, name="hubex-log", daemon=True)
        self._thread.start()

    @property
    def lost_lines(self) -> int:
        """Lines dropped since the start, for whatever reason."""
        return self._overflow_lines + self._failed_lines

    @property
    def backlog_size_bytes(self) -> int:
        """Bytes handed over and not yet written: 0 when the target is abreast."""
        return self._handed_bytes - self._done_bytes

    def flush(self) -> None:
        """Hands the events since the last flush to the writer thread. Never blocks, never raises."""
        pending = self._pending
        if not pending:
            return
        chunk = self._encoded(pending)
        size_bytes = len(chunk)
        if self._closed or self._handed_bytes - self._done_bytes + size_bytes > self._backlog_bytes:
            self._overflow_lines += len(pending)
        else:
            self._handed_bytes += size_bytes
            self._handed_lines += len(pending)
            self._chunks.append(chunk)
        pending.clear()
        if not self._wake.is_set():
            self._wake.set()

    def close(self, deadline_seconds: float = 2.0) -> bool:
        """Writes what is left, for at most `deadline_seconds`; false when the target was still blocking then
        (what was in its hands counts as lost, though some of it may have gone out).
        Blocks: call it when the event loop has nothing left to do. Later events are lost and counted."""
        self.flush()
        self._closed = True
        self._stop.set()
        self._wake.set()
        self._thread.join(deadline_seconds)
        if not self._thread.is_alive():
            return True
        self._overflow_lines += self._handed_lines - self._done_lines
        return False

    def _encoded(self, events: list[Event]) -> bytes:
        """The lines of `events`; an event that cannot be encoded leaves the list, counted as lost."""
        try:
            return self._encoder.encode_lines(events)
        except Exception:  # its neighbours must not go with it
            lines = [line for line in map(self._mended, events) if line]
            self._overflow_lines += len(events) - len(lines)
            del events[len(lines) :]
            return b"".join(lines)

    def _mended(self, event: Event) -> bytes:
        """The line of `event` with its half surrogates escaped; empty when that does not help."""
        try:
            fields: dict[str, object] = {"event": event.__struct_config__.tag}
            fields |= msgspec.structs.asdict(event)
            for name, value in fields.items():
                if isinstance(value, str):
                    fields[name] = value.encode("utf-8", "backslashreplace").decode()
            return self._encoder.encode(fields) + b"\n"
        except Exception:
            return b""

    # The writer thread.

    def _run(self) -> None:
        backoff_seconds = FIRST_BACKOFF_SECONDS
        while not (self._stop.is_set() and not self._chunks):
            self._wait_for_lines()
            failure = self._write_some()
            self._trouble.report(self.lost_lines, failure)
            if failure is None:
                backoff_seconds = FIRST_BACKOFF_SECONDS
                self._write_gap()
            else:
                self._sink.close()
                self._stop.wait(backoff_seconds)
                backoff_seconds = min(backoff_seconds * 2, LONGEST_BACKOFF_SECONDS)
        self._sink.close()

    def _wait_for_lines(self) -> None:
        if self._chunks:  # more than one write's worth: no pause
            return
        self._wake.wait(TROUBLE_OVER_SECONDS if self._trouble.losing else None)
        self._stop.wait(self._gather_seconds)
        self._wake.clear()

    def _write_some(self) -> OSError | None:
        """Writes up to CHUNK_BYTES of the backlog; on a failure those lines are lost and counted."""
        chunks: list[bytes] = []
        size_bytes = 0
        while self._chunks and size_bytes < CHUNK_BYTES:
            chunks.append(self._chunks.popleft())
            size_bytes += len(chunks[-1])
        if not chunks:
            return None
        if (now := time.monotonic()) >= self._rotation_check_at:
            self._sink.follow()
            self._rotation_check_at = now + ROTATION_CHECK_SECONDS
        data = b"".join(chunks)
        written, failure = self._sink.write(data)
        lines = data.count(b"\n")
        self._failed_lines += lines - written
        self._done_lines += lines
        self._done_bytes += size_bytes
        return failure

    def _write_gap(self) -> None:
        """After a loss, a line in the log itself: its reader must know that something is missing."""
        lost = self._trouble.over()
        if lost:
            gap = Notice(
                at=datetime.now(UTC),
                worker=self._worker,
                level="error",
                name="log_lines_lost",
                text="log lines were lost before this one",
                facts={"lines": lost},
            )
            self._sink.write(self._encoder.encode(gap) + b"\n")


class _Trouble:
    """What the writer thread tells people about losing lines: once when it begins, once when it is over."""

    def __init__(self, subject: str, complain: Callable[[str], None]) -> None:
        self.losing = False
        self._subject = subject
        self._complain = complain
        self._seen_lost = 0
        self._lost_before = 0
        self._lost_at = 0.0
        self._complained = False
        self._complain_at = 0.0

    def report(self, lost_lines: int, failure: OSError | None) -> None:
        """Told after each round of writing."""
        if lost_lines == self._seen_lost and failure is None:
            return
        self._seen_lost = lost_lines
        self._lost_at = time.monotonic()
        if not self.losing:
            self.losing = True
            cause = "the reader is too slow" if failure is None else failure.strerror or str(failure)
            self._complained = self._lost_at >= self._complain_at
            if self._complained:
                self._complain_at = self._lost_at + COMPLAIN_EVERY_SECONDS
                self._complain(f"{self._subject}: {cause}; lines are being lost")

    def over(self) -> int:
        """Asked after a round without failure: the lines that a loss took which has just ended, else 0."""
        if not self.losing or time.monotonic() < self._lost_at + TROUBLE_OVER_SECONDS:
            return 0
        self.losing = False
        lost = self._seen_lost - self._lost_before
        self._lost_before = self._seen_lost
        if self._complained:
            self._complain(f"{self._subject}: writing again, {lost} lines were lost")
        return lost
