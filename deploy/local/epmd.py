"""Erlang's port mapper: asking it, by its own protocol, which nodes it knows."""

import socket
from typing import Final

NAMES_REQUEST: Final = b"\x00\x01n"
PORT_BYTES: Final = 4


def registered_names(address: str, port: int) -> set[str] | None:
    """The nodes (without `@host`) that the epmd there knows; None when none answers."""
    try:
        with socket.create_connection((address, port), timeout=2) as connection:
            connection.sendall(NAMES_REQUEST)
            answer = b""
            while piece := connection.recv(4096):
                answer += piece
    except OSError:
        return None
    # A line each: "name hubex at port 25603"
    lines = answer[PORT_BYTES:].decode(errors="replace").splitlines()
    return {words[1] for line in lines if len(words := line.split()) > 1}
