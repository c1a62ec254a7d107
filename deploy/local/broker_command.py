"""Where the tools of RabbitMQ are, and how they are called: the only place that knows.

Debian's wrappers in /usr/sbin are never used: they change to the user and the folders of the system's own
broker, which is not ours to touch.
"""

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NoReturn

VARIABLE: Final = "HUBEX_RABBITMQ"
"""Words of a shell: an optional command prefix, then the folder of the tools
(`/opt/rabbitmq/sbin`, `chroot /srv/rabbitmq-4.1 /opt/rabbitmq/sbin`)."""

FOLDERS: Final = ("/usr/lib/rabbitmq/bin", "/opt/rabbitmq/sbin", "/usr/local/opt/rabbitmq/sbin")


class BrokerNotFound(Exception):
    """There is no RabbitMQ here. The text says what to install."""


def broker_command(tool: str, environ: Mapping[str, str] = os.environ) -> list[str]:
    """The command line that starts `tool` (rabbitmq-server, rabbitmqctl, ...), without arguments.

    Raises BrokerNotFound.
    """
    if words := shlex.split(environ.get(VARIABLE, "")):
        return [*words[:-1], f"{words[-1].rstrip('/')}/{tool}"]
    for folder in FOLDERS:
        if os.access(Path(folder, tool), os.X_OK):
            return [f"{folder}/{tool}"]
    raise BrokerNotFound(
        f"RabbitMQ is not installed (apt-get install --no-install-recommends rabbitmq-server; "
        f"or name the folder of its tools in {VARIABLE})"
    )


def check() -> NoReturn:
    """For the shell: exit code 0, or 1 and the line that says what is missing."""
    try:
        broker_command("rabbitmq-server")
    except BrokerNotFound as missing:
        print(missing)
        sys.exit(1)
    sys.exit(0)
