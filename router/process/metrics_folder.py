"""Where the workers' metric files live: a folder of this user, emptied at each start.

In memory where there is one: the files are written through mmap, and a full disk would end a worker by SIGBUS.
"""

import os
import shutil
import stat
import tempfile
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")


def make_metrics_folder(name: str, parent: Path | None = None) -> Path:
    """A new, empty folder for one run of the hub called `name` (its HTTP address, say: no two run at once).

    What earlier runs of that name left behind is removed. Workers of a killed supervisor that still drain keep
    writing to their removed files and disturb nobody. Raises OSError; PermissionError when somebody else's
    folder has that name.
    """
    place = parent or (SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else Path(tempfile.gettempdir()))
    safe = "".join(c if c.isalnum() or c in ".-" else "_" for c in name)
    base = place / f"hubex-{os.getuid()}-{safe}"
    base.mkdir(mode=0o700, exist_ok=True)
    status = base.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise PermissionError(f"{base} belongs to somebody else")
    for old in base.iterdir():
        shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(dir=base))


def remove_metrics_folder(folder: Path) -> None:
    """Removes what `make_metrics_folder` made, at the end of the run."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.parent.rmdir()
    except OSError:
        pass
