"""Where log lines go: a file that several processes append to, or standard output.

Law: a reader sees whole lines only, whoever else writes to the same target. A file gets one write per chunk
under a lock, and the torn end of a write that met a full disk is taken back; a pipe gets writes of whole
lines small enough to be atomic. `write` raises nothing: what could not be written is an answer.
"""

import errno
import fcntl
import os
import select
import stat
from collections.abc import Iterator
from contextlib import suppress

import msgspec

PIPE_BYTES = select.PIPE_BUF  # a write up to this size is never interleaved with another process's (POSIX)
SHORTENED_TEXT_CHARACTERS = 32
STDOUT_TARGET = "-"
STDOUT = 1


def check_target(target: str) -> None:
    """Opens `target` and closes it again, at the start of the service; raises OSError when that fails."""
    if target != STDOUT_TARGET:
        os.close(_open(target))


def _open(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY, 0o640)


def pieces(lines: bytes, limit_bytes: int = PIPE_BYTES) -> Iterator[bytes]:
    """Cuts at line borders into pieces of at most `limit_bytes`; a longer line has its texts shortened."""
    start = 0
    while len(lines) - start > limit_bytes:
        end = lines.rfind(b"\n", start, start + limit_bytes) + 1
        if end:
            yield lines[start:end]
        else:
            end = lines.index(b"\n", start) + 1
            yield _shortened(lines[start:end])
        start = end
    if start < len(lines):
        yield lines[start:]


def _shortened(line: bytes) -> bytes:
    fields = msgspec.json.decode(line, type=dict[str, object])
    short = {
        name: value[:SHORTENED_TEXT_CHARACTERS] if isinstance(value, str) and name != "body_sha256" else value
        for name, value in fields.items()
        if not isinstance(value, dict)
    }
    return msgspec.json.encode(short) + b"\n"


class Sink:
    """A target for chunks of whole lines. Used by one thread; may block as long as the target does."""

    def __init__(self, target: str) -> None:
        self._path = None if target == STDOUT_TARGET else target
        self._fd = -1
        self._inode = (0, 0)
        self._regular = False

    def write(self, chunk: bytes) -> tuple[int, OSError | None]:
        """Writes `chunk` (whole lines, each with its newline): (lines written, what stopped it or None)."""
        try:
            if self._fd < 0:
                self._connect()
        except OSError as error:
            return 0, error
        return self._append(chunk) if self._regular and self._path is not None else self._stream(chunk)

    def close(self) -> None:
        """Closes the file (standard output stays open); the next write opens it again."""
        if self._fd >= 0 and self._path is not None:
            with suppress(OSError):  # a network file system may only now tell that it is full
                os.close(self._fd)
        self._fd = -1

    def follow(self) -> None:
        """Lets go of a file that was renamed or removed (log rotation): the next write makes a new one."""
        if self._path is None or self._fd < 0:
            return
        try:
            found = os.stat(self._path)
        except OSError:
            self.close()
        else:
            if (found.st_dev, found.st_ino) != self._inode:
                self.close()

    def _connect(self) -> None:
        self._fd = STDOUT if self._path is None else _open(self._path)
        status = os.fstat(self._fd)
        self._inode = (status.st_dev, status.st_ino)
        self._regular = stat.S_ISREG(status.st_mode)

    def _append(self, chunk: bytes) -> tuple[int, OSError | None]:
        locked = self._lock(fcntl.LOCK_EX)
        done, failure = 0, None
        while done < len(chunk) and failure is None:
            try:
                count = os.write(self._fd, chunk[done:] if done else chunk)
                done, failure = self._whole(chunk, done, count, locked)
            except OSError as error:
                failure = error
        if locked:
            self._lock(fcntl.LOCK_UN)
        return chunk.count(b"\n", 0, done), failure

    def _whole(self, chunk: bytes, start: int, count: int, locked: bool) -> tuple[int, OSError | None]:
        """Where the next write goes on after one of `count` bytes from `start`. A short write means that the
        disk is filling up: its torn last line is taken back (only under the lock: the file's end is ours)."""
        end = start + count
        if end == len(chunk):
            return end, None
        whole = chunk.rfind(b"\n", start, end) + 1 or start
        if locked:
            os.ftruncate(self._fd, os.fstat(self._fd).st_size - (end - whole))
        return whole, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) if whole == start else None

    def _lock(self, operation: int) -> bool:
        try:
            fcntl.flock(self._fd, operation)
        except OSError:  # a file system without locks: a chunk is still appended by one write
            return False
        return True

    def _stream(self, chunk: bytes) -> tuple[int, OSError | None]:
        written = 0
        try:
            for piece in (chunk,) if self._regular else pieces(chunk):
                self._write_all(piece)
                written += piece.count(b"\n")
        except OSError as error:
            return written, error
        return written, None

    def _write_all(self, piece: bytes) -> None:
        rest = memoryview(piece)
        while rest:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:  # somebody made the shared pipe non-blocking
                poll = select.poll()
                poll.register(self._fd, select.POLLOUT)
                poll.poll()
