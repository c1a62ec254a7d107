"""What a recipient reads out of one delivery, JSON or XML: whose publish it is, which one, whether it is marked. Pure.

Nothing here comes from the router's code but the names on the wire: a fault in its reading must not hide one in its
writing. A delivery that cannot be told is a `None`, and the ledger's strangers.
"""

import re
from struct import Struct as Packer
from typing import Final, NamedTuple
from zlib import crc32

from router.core.names import (
    HEADER_FIRST_SEEN,
    HEADER_POSSIBLE_DUPLICATE,
    HEADER_PUBLISH,
    HUB_ID,
)

_ID: Final = re.compile(rb'["<]distributionID(?:": ?"|>)([^"<]{1,300})_(\d{1,18})["<]')
_HUB: Final = re.compile(rb'["<]senderID(?:": ?"|>)' + re.escape(HUB_ID.encode()) + rb'["<]')
_REFERENCE: Final = re.compile(rb'["<]referencedDistributionID(?:": ?"|>)([^"<]{1,300})_(\d{1,18})["<]')
_STATUS: Final = re.compile(rb'["<]statusCode(?:": ?|>)(\d{1,9})')
_I64: Final = Packer(">q").unpack_from

MARKED: Final = bytes((len(HEADER_POSSIBLE_DUPLICATE),)) + HEADER_POSSIBLE_DUPLICATE.encode() + b"t\x01"
"""The mark as AMQP writes it in a header table: name, type `t` (boolean), true."""


def _integer_header(name: str) -> bytes:
    return bytes((len(name),)) + name.encode() + b"l"


_PUBLISH, _FIRST_SEEN = _integer_header(HEADER_PUBLISH), _integer_header(HEADER_FIRST_SEEN)


class Arrival(NamedTuple):
    """A delivery as the ledger wants it. `status_code` 0: a message of `client`; else an error report about one."""

    client: str
    number: int
    status_code: int
    marked: bool
    digest: int


def read(raw_properties: bytes, body: bytes) -> Arrival | None:
    """The facts of one delivery; `raw_properties` is AMQP's property list, flags first."""
    marked, digest = MARKED in raw_properties, crc32(body)
    found = _ID.search(body)
    status_code = 0
    # A report's own id is a UUID, whose last digits could look like a number: it is told by its sender.
    if _HUB.search(body, 0, 400) is not None:
        found, status = _REFERENCE.search(body), _STATUS.search(body)
        if status is None:
            return None
        status_code = int(status[1])
    if found is None:
        return None
    return Arrival(found[1].decode("utf-8", "replace"), int(found[2]), status_code, marked, digest)


def fingerprint(raw_properties: bytes, digest: int) -> tuple[int, int, int, bool]:
    """The same for two readings of one queue entry, different for two entries: the router's publish number on its
    channel, its first-seen time, the body and the mark.

    What the broker adds when it redelivers (a delivery count) is not in it.
    """
    return (
        _integer(raw_properties, _PUBLISH),
        _integer(raw_properties, _FIRST_SEEN),
        digest,
        MARKED in raw_properties,
    )


def _integer(raw_properties: bytes, name: bytes) -> int:
    at = raw_properties.find(name)
    if at < 0 or len(raw_properties) < at + len(name) + 8:
        return 0
    value: int = _I64(raw_properties, at + len(name))[0]
    return value
