"""A bridge of the cluster's own, with a network namespace for each of its parts, so that wires can be cut.

The law: a cut is silent. Each side believes the other at a hardware address that nobody has, so what it sends is lost
on the wire, as it is when a switch fails: no refusal, no error, no rule of a firewall to install.
"""

import ipaddress
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from deploy.local.failure import LocalClusterError, one_line
from deploy.local.layout import BRIDGE_BITS, Layout, bridge_exists, bridge_name

NAMESPACES: Final = Path("/run/netns")
NOBODY: Final = "02:00:00:00:00:00"
INSIDE: Final = "eth0"
COMMAND_SECONDS: Final = 20.0


class Network:
    """The network of a cluster with namespaces. Methods block and raise LocalClusterError.

    `tag` is written on the bridge last of all, so that only a whole network that is ours is taken for one. `host` is
    this machine's address there: routers and clients are on this side.
    """

    def __init__(self, base_port: int, layout: Layout, tag: str) -> None:
        self._tag = tag
        self.host = layout.host
        self.base_port = base_port
        self._bridge = bridge_name(base_port)
        # What is in a namespace together: a node, or both frontends of the balancer.
        parts: list[tuple[str, ...]] = [(address,) for address in layout.nodes]
        if layout.balancer:
            parts.append((layout.balancer, layout.admin))
        self._parts = {self._name(number): addresses for number, addresses in enumerate(parts, 1)}

    def enter(self, address: str) -> list[str]:
        """The words before a command that run it where this address is. It replaces them, so its pid stays."""
        return ["nsenter", f"--net={NAMESPACES / self._where(address)}", "--"]

    def whole(self) -> bool:
        """Whether it is there."""
        return self._alias() == self._tag and all((NAMESPACES / name).exists() for name in self._parts)

    def make(self) -> None:
        """Makes it anew; nothing may run in it."""
        if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("nsenter"):
            raise LocalClusterError("network namespaces need root and the commands ip and nsenter (Debian: iproute2)")
        if self._alias() not in (None, "", self._tag):
            raise LocalClusterError(f"the bridge {self._bridge} is another cluster's: take another port block")
        self.remove()
        _ip("link", "add", self._bridge, "type", "bridge")
        _ip("address", "add", f"{self.host}/{BRIDGE_BITS}", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")
        for name, addresses in self._parts.items():
            self._make_part(name, addresses)
        _ip("link", "set", self._bridge, "alias", self._tag)

    def remove(self) -> None:
        """Removes all of it; nothing happens when there is nothing. Does not touch another cluster's."""
        if self._alias() not in ("", self._tag):
            return
        # The wires go with their bridge side at once; with the namespace only when its last process is gone.
        for name in self._parts:
            if Path("/sys/class/net", name).exists():
                _ip("link", "delete", name)
            if (NAMESPACES / name).exists():
                _ip("netns", "delete", name)
        _ip("link", "delete", self._bridge)

    def partition(self, one: str, other: str) -> None:
        """Cuts the wire between two addresses, in both directions, without a word to either. `heal` mends it."""
        for here, there in ((one, other), (other, one)):
            self._neighbours(here, "replace", there, "lladdr", NOBODY, "nud", "permanent", "dev", self._device(here))

    def heal(self) -> None:
        """Mends every cut."""
        for here, there in self._cuts():
            self._neighbours(here, "delete", there, "dev", self._device(here))

    # ---- inside ----------------------------------------------------------------------------------

    def _name(self, number: int) -> str:
        """Of a namespace, and of its wire's end on the bridge: at most 15 characters."""
        return f"{self._bridge}-{number}"

    def _where(self, address: str) -> str:
        """The namespace of an address."""
        return next(name for name, addresses in self._parts.items() if address in addresses)

    def _alias(self) -> str | None:
        """What is written on the bridge; None when there is none."""
        if not bridge_exists(self.base_port):
            return None
        return Path("/sys/class/net", self._bridge, "ifalias").read_text().rstrip("\n")

    def _make_part(self, name: str, addresses: tuple[str, ...]) -> None:
        _ip("netns", "add", name)
        _ip("link", "add", name, "type", "veth", "peer", "name", INSIDE, "netns", name)
        _ip("link", "set", name, "master", self._bridge, "up")
        for address in addresses:
            _ip("-n", name, "address", "add", f"{address}/{BRIDGE_BITS}", "dev", INSIDE)
        _ip("-n", name, "link", "set", "lo", "up")
        _ip("-n", name, "link", "set", INSIDE, "up")

    def _device(self, address: str) -> str:
        return self._bridge if address == self.host else INSIDE

    def _neighbours(self, here: str, *words: str) -> str:
        """`ip neighbour` where an address is."""
        inside = () if here == self.host else ("-n", self._where(here))
        return _ip(*inside, "neighbour", *words)

    def _cuts(self) -> Iterator[tuple[str, str]]:
        for here in (self.host, *(addresses[0] for addresses in self._parts.values())):
            # A line each: "198.18.0.12 lladdr 02:00:00:00:00:00 PERMANENT"
            for line in self._neighbours(here, "show", "nud", "permanent", "dev", self._device(here)).splitlines():
                words = line.split()
                if NOBODY in words and ipaddress.ip_address(words[0]).version == 4:
                    yield here, words[0]


def _ip(*words: str) -> str:
    try:
        done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=COMMAND_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LocalClusterError(f"ip {' '.join(words)}: {error}") from None
    if done.returncode != 0:
        raise LocalClusterError(f"ip {' '.join(words)}: {one_line(done.stderr)}")
    return done.stdout
