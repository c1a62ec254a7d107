"""Who looked at a payload, replayed or dropped: one JSON object a line, appended, never rewritten.

Law: the line is on the disk before the payload is shown or the message dropped; what cannot be written down
is not done. A line has ids and names, never a payload value.
"""

import os
import pwd
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from router.parked.message import Parked

FILE_NAME: Final = "audit.log"
_MODE: Final = 0o600


class AuditError(OSError):
    """The audit file cannot be written; one line."""


class Entry(Struct, frozen=True):
    """One line of the file. `user` is the account that the command ran as, `sudo_user` who became it."""

    at: datetime
    user: str
    sudo_user: str
    action: str
    vhost: str
    id: str
    reference: str
    key: str
    reason: str
    body_sha256: str


class Audit:
    """The audit file, beside the topology file."""

    def __init__(self, path: Path, environ: Mapping[str, str] = os.environ) -> None:
        self._path = path
        self._sudo_user = environ.get("SUDO_USER", "")

    def note(self, action: str, parked: Parked) -> None:
        """Appends a line and waits until it is on the disk. Raises AuditError; then the action must not be."""
        entry = Entry(
            at=datetime.now(UTC),
            user=_user(),
            sudo_user=self._sudo_user,
            action=action,
            vhost=parked.vhost,
            id=parked.id,
            reference=parked.reference,
            key=parked.key,
            reason=parked.reason,
            body_sha256=parked.body_sha256,
        )
        line = msgspec.json.encode(entry) + b"\n"
        try:
            self._append(line)
        except OSError as error:
            raise AuditError(f"the audit file {self._path} cannot be written ({error.strerror})") from None

    def _append(self, line: bytes) -> None:
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)
        try:
            # One write: lines of two commands at once do not mix.
            written = os.write(file, line)
            os.fsync(file)
        finally:
            os.close(file)
        if written != len(line):
            raise OSError(28, "the disk is full")


def _user() -> str:
    uid = os.getuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"  # a container's user often has no name
