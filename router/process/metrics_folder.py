"""Where the workers' metric files live: a new folder each run, those of dead runs are removed.

In memory where there is one: the files are written through mmap, and a full disk would end a worker by SIGBUS.
A running hub holds a lock on its folder, which the kernel drops however the supervisor ends.
"""

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
YOUNG_SECONDS = 60.0  # a folder so young may not have its lock yet


class MetricsFolder:
    """The folder of this run: private, empty, locked until `close` removes it. OSError when it cannot be made.

    Workers of a killed supervisor that still drain keep writing to their removed files and disturb nobody.
    """

    def __init__(self, parent: Path | None = None) -> None:
        memory = os.access(SHARED_MEMORY, os.W_OK)
        place = parent or (SHARED_MEMORY if memory else Path(tempfile.gettempdir()))
        prefix = f"hubex-metrics-{os.getuid()}-"
        for old in place.glob(prefix + "*"):
            with suppress(OSError):
                _remove_if_dead(old)
        self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
        self._lock = _locked(self.path)

    def close(self) -> None:
        """Removes the folder, at the end of the run."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def _locked(folder: Path) -> int:
    """A descriptor that locks the folder; OSError when somebody has it, or when it is not a folder itself."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise
    return fd


def _remove_if_dead(folder: Path) -> None:
    if time.time() - folder.lstat().st_mtime > YOUNG_SECONDS:
        fd = _locked(folder)
        shutil.rmtree(folder, ignore_errors=True)
        os.close(fd)
