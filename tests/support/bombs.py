"""Bodies made to cost: as large as the hub takes, valid but for what each is named after, in JSON and in XML.

Each says what must become of it. They come dense, with as many pieces as fit, or with as many values as the hub takes.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from router.core.directory import Format
from validators import Pack

TAKEN = 0
SPARE = 100
"""Values of the message around a filling."""


class Bomb(NamedTuple):
    """`code`: of its refusal, or `TAKEN`."""

    name: str
    form: Format
    body: bytes
    code: int


class Room(NamedTuple):
    """How large a body may be, and how many values it may have (0: as many as fit)."""

    bytes: int
    values: int = 0

    def filled(
        self,
        around: tuple[bytes, bytes],
        piece: Callable[[int], bytes] | bytes,
        last: bytes = b"",
        between: bytes = b"",
    ) -> bytes:
        """As many pieces as there is room for (numbered, if `piece` is a function), `between` them a sign, `last`
        behind them."""
        head, tail = around
        make = piece if callable(piece) else lambda _: piece
        one = make(999_999) + between
        count = (self.bytes - len(head) - len(tail) - len(last)) // len(one)
        signs = one.count(b"<") - one.count(b"</") if tail.endswith(b">") else sum(map(one.count, (b",", b"[", b"{")))
        if self.values and signs:
            count = min(count, (self.values - SPARE) // signs)
        return head + between.join(make(at) for at in range(count)) + last + tail


def bombs(sender: str, recipient: str, pack: Pack, room: Room) -> Iterator[Bomb]:
    """All of them, from a client to another."""
    from tests.support import bombs_json, bombs_xml

    for name, body, code in bombs_json.made(sender, recipient, room):
        yield Bomb(name, Format.JSON, body, code)
    for name, body, code in bombs_xml.made(sender, recipient, pack, room):
        yield Bomb(name, Format.XML, body, code)
