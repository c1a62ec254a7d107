"""The compiled code of a pack, in a file beside the pack as Python's own is beside its modules: `__pycache__`.

The law: the file is executed, so it is read only when it is root's or the hub's own user's and nobody else may write
it. Where the folder cannot be written, the hub does without: `hubex schemas check`, run by whoever may, leaves the code
there, as the image's build does.
"""

import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

NAME: Final = f"checks.{sys.implementation.cache_tag}.code"
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


class CodeFile:
    """The one file of a pack's folder; a `CodeStore`. Nothing is raised."""

    def __init__(self, pack: Path) -> None:
        self.path = pack / "__pycache__" / NAME

    def read(self) -> bytes | None:
        """The content, or None when there is none that may be trusted."""
        try:
            with open(os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
                status = os.fstat(file.fileno())
                owned = status.st_uid in (0, os.geteuid())
                trusted = owned and stat.S_ISREG(status.st_mode) and not status.st_mode & _OTHERS_WRITE
                return file.read() if trusted else None
        except OSError:
            return None

    def write(self, content: bytes) -> None:
        """Replace the file as a whole. A crash of the machine may leave it cut, which its reader notices."""
        temporary = self.path.with_name(f".{NAME}.{os.getpid()}.new")
        try:
            self.path.parent.mkdir(mode=0o755, exist_ok=True)
            temporary.unlink(missing_ok=True)
            # A new file, so that it is ours whatever lay there.
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644), "wb") as file:
                file.write(content)
            temporary.replace(self.path)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
