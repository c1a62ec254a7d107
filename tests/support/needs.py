"""What not every machine has: its tests are skipped there, with a line that says what is missing."""

import os
import shutil
import subprocess

import pytest

from deploy.local import LocalClusterError
from deploy.local.balancer import haproxy


def need_haproxy() -> None:
    """`./hubex test` installs it where it may."""
    try:
        haproxy()
    except LocalClusterError as missing:
        pytest.skip(str(missing))


def need_namespaces() -> None:
    """Root's, where the kernel and the container let root make them."""
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("nsenter"):
        pytest.skip("network namespaces need root and the commands ip and nsenter")
    name = f"hubex-try-{os.getpid()}"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"network namespaces are not to be had here: {tried.stderr.strip()}")
    subprocess.run(["ip", "netns", "delete", name], check=True)
