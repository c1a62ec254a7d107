"""The secrets of a local cluster: made once, kept in files that only their owner reads.

None is ever on a command line or in an environment; the broker gets hashes, in a file.
"""

import base64
import hashlib
import secrets
from pathlib import Path
from typing import Final

from deploy.local.files import write_private

ADMIN: Final = "hubex-admin"
ROUTER: Final = "hubex-router"
CLIENTS: Final = "clients"
"""Not a user: the one password of all client users of a local broker."""


class SecretsStore:
    """The passwords and the Erlang cookie under one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def make(self) -> None:
        """Makes what is missing; what is there stays."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for owner in (ADMIN, ROUTER, CLIENTS):
            if not self._whole(self.file(owner)):
                write_private(self.file(owner), secrets.token_urlsafe(24) + "\n", 0o600)

    def make_cookie(self, home: Path) -> None:
        """Erlang reads its cookie from the home folder, and refuses a cookie that others can read."""
        cookie = home / ".erlang.cookie"
        if not self._whole(cookie):
            write_private(cookie, secrets.token_hex(20), 0o400)

    def file(self, owner: str) -> Path:
        return self.folder / f"{owner}.password"

    def password(self, owner: str) -> str:
        """Raises FileNotFoundError before `make`."""
        return self.file(owner).read_text().rstrip("\n")

    def hash(self, owner: str) -> str:
        """As RabbitMQ stores it: salt and SHA-256 in base64. The salt comes from the password, so that the
        same password gives the same file of definitions."""
        password = self.password(owner).encode()
        salt = hashlib.sha256(b"salt of " + password).digest()[:4]
        return base64.b64encode(salt + hashlib.sha256(salt + password).digest()).decode()

    @staticmethod
    def _whole(path: Path) -> bool:
        return path.is_file() and path.stat().st_size > 0
