"""Which sockets the given processes listen on, read from /proc."""

import os
import socket
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

LISTEN = "0A"
Listener = tuple[str, int]


def listeners(pids: Iterable[int]) -> set[Listener]:
    """(address, port) of every TCP socket, IPv4 and IPv6, that one of them listens on."""
    inodes = {inode for pid in pids for inode in _socket_inodes(pid)}
    return {place for table in ("tcp", "tcp6") for inode, place in _table(table) if inode in inodes}


def _socket_inodes(pid: int) -> Iterator[str]:
    try:
        descriptors = os.listdir(f"/proc/{pid}/fd")
    except (FileNotFoundError, ProcessLookupError):
        return
    for descriptor in descriptors:
        try:
            target = os.readlink(f"/proc/{pid}/fd/{descriptor}")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if target.startswith("socket:["):
            yield target.removeprefix("socket:[").removesuffix("]")


def _table(name: str) -> Iterator[tuple[str, Listener]]:
    for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == LISTEN:
            address, _, port = fields[1].partition(":")
            yield fields[9], (_address(address), int(port, 16))


def _address(text: str) -> str:
    """The kernel prints each 32-bit word in the machine's byte order."""
    words = [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return socket.inet_ntop(family, struct.pack(f"={len(words)}I", *words))
