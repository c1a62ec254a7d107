"""Where log lines go: a file that several processes append to, or standard output.

Law: a reader sees whole lines only, whichever of the hub's processes write to the same target: each chunk is
written under a lock on the target itself, and the torn end of a write that met a full disk is taken back.
`write` raises nothing: what could not be written is an answer.

Few and large system calls, because after each one the writer thread waits for the interpreter while the event
loop is busy: the way without a lock, atomic writes of 4 KiB to a pipe, would reach 800 KB/s there.
"""

import fcntl
import os
import select
import stat
from contextlib import suppress

STDOUT_TARGET = "-"
STDOUT = 1


def check_target(target: str) -> None:
    """Opens `target` and closes it again, at the start of the service; raises OSError when that fails."""
    if target != STDOUT_TARGET:
        os.close(_open(target))


def _open(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY, 0o640)


class Sink:
    """A target for chunks of whole lines. Used by one thread; may block as long as the target does."""

    def __init__(self, target: str) -> None:
        self._path = None if target == STDOUT_TARGET else target
        self._fd = -1
        self._inode = (0, 0)
        self._can_take_back = False

    def write(self, chunk: bytes) -> tuple[int, OSError | None]:
        """Writes `chunk` (whole lines, each with its newline): (lines written, what stopped it or None)."""
        try:
            if self._fd < 0:
                self._connect()
        except OSError as error:
            return 0, error
        locked = self._lock(fcntl.LOCK_EX)
        done, failure = 0, None
        while done < len(chunk) and failure is None:
            try:
                done += os.write(self._fd, memoryview(chunk)[done:])
            except BlockingIOError:  # somebody made the shared pipe non-blocking
                self._wait_for_room()
            except OSError as error:
                done, failure = self._take_back(chunk, done, locked), error
        if locked:
            self._lock(fcntl.LOCK_UN)
        return chunk.count(b"\n", 0, done), failure

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
        fd = STDOUT if self._path is None else _open(self._path)
        status = os.fstat(fd)
        self._fd, self._inode = fd, (status.st_dev, status.st_ino)
        appends = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_APPEND
        self._can_take_back = bool(appends) and stat.S_ISREG(status.st_mode)

    def _lock(self, operation: int) -> bool:
        """A POSIX lock: it belongs to the process, so that processes which inherited one standard output keep
        each other out too; Linux has it for pipes and sockets as well. False where there is none."""
        try:
            fcntl.lockf(self._fd, operation)
        except OSError:
            return False
        return True

    def _take_back(self, chunk: bytes, done: int, locked: bool) -> int:
        """Removes the torn last line of a failed write from a file (only under the lock: its end is ours);
        how much of `chunk` is left there as whole lines."""
        whole = chunk.rfind(b"\n", 0, done) + 1
        if locked and self._can_take_back and whole < done:
            with suppress(OSError):
                os.ftruncate(self._fd, os.fstat(self._fd).st_size - (done - whole))
        return whole

    def _wait_for_room(self) -> None:
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        poll.poll()
