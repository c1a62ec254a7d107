"""A configuration and clients for the topology's tests."""

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from router.core.directory import Client, Naming
from router.settings.config import Config, VhostConfig, load_config

VHOST = "v"
A = Client("fr.health.a")
B = Client("fr.fire.b", naming=Naming.FLAT)


def config_in(folder: Path, *vhosts: str, **topology: Any) -> Config:
    """A configuration whose topology file is in `folder`."""
    config = load_config(None, {})
    return replace(
        config,
        vhosts=tuple(VhostConfig(name=name, pack="v3") for name in vhosts or (VHOST,)),
        topology=replace(config.topology, file=folder / "topology.json", **topology),
    )
