"""Clusters that live as long as their maker, and are cleared away by the next one when it was killed."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.cluster import LocalCluster
from deploy.local.layout import Shape


@contextmanager
def temporary_cluster(root: Path, prefix: str, shape: Shape | None = None) -> Iterator[LocalCluster]:
    """A running cluster `<prefix>-<pid>` on free ports; nothing is left of it afterwards.

    Also ends the clusters of this prefix under `root` whose makers died without doing so.
    """
    _sweep(root, prefix)
    cluster = LocalCluster.new(root, f"{prefix}-{os.getpid()}", shape or Shape())
    cluster.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (cluster.folder / "owner").open("w") as owner:
        # Falls with this process, however it dies; children do not inherit it.
        fcntl.flock(owner, fcntl.LOCK_EX)
        try:
            cluster.up()
            yield cluster
        finally:
            cluster.destroy()


def _sweep(root: Path, prefix: str) -> None:
    for marker in root.glob(f"{prefix}-*/owner"):
        with marker.open("r+") as owner:
            try:
                fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            LocalCluster.open(root, marker.parent.name).destroy()
