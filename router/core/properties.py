"""AMQP basic properties as bytes: read once, forwarded as they came but for what the law names.

Law (DELIVERY.md 2, 4, 5): hub headers of a client are stripped before anything reads them; user_id, CC, BCC, x-death*,
x-first-death*, x-last-death*, x-delivery-count are never forwarded; expiration is set by the hub alone.
The publish number is the last header of the table, so a message is encoded once and numbered when it is written.
"""

from copy import copy
from struct import Struct as Packer
from struct import error as StructError
from typing import Any, Final

from pamqp.decode import embedded_value

from router.core.errors import MalformedProperties
from router.core.names import HEADER_PUBLISH, HUB_HEADER_PREFIX

_CONTENT_TYPE, _CONTENT_ENCODING, _HEADERS, _DELIVERY_MODE = 0x8000, 0x4000, 0x2000, 0x1000
_PRIORITY, _CORRELATION_ID, _REPLY_TO, _EXPIRATION = 0x0800, 0x0400, 0x0200, 0x0100
_MESSAGE_ID, _TIMESTAMP, _TYPE, _USER_ID, _APP_ID, _CLUSTER_ID = 0x0080, 0x0040, 0x0020, 0x0010, 0x0008, 0x0004
_KNOWN_FLAGS: Final = 0xFFFC  # the two low bits are reserved and "more flags follow": neither exists in 0-9-1

_U16, _U32, _U64 = Packer(">H"), Packer(">I"), Packer(">Q")

# Length of a field-table value by its type octet, as RabbitMQ writes them; S, x, A and F carry their own length.
_FIXED: Final = {
    ord("t"): 1, ord("b"): 1, ord("B"): 1, ord("s"): 2, ord("u"): 2, ord("U"): 2, ord("I"): 4, ord("i"): 4,
    ord("l"): 8, ord("L"): 8, ord("f"): 4, ord("d"): 8, ord("D"): 5, ord("T"): 8, ord("V"): 0,
}  # fmt: skip
_SIZED: Final = frozenset(b"SxAF")

_DEATH_PREFIXES: Final = (b"x-death", b"x-first-death", b"x-last-death")
_NEVER_FORWARDED: Final = frozenset((b"CC", b"BCC", b"x-delivery-count"))
_HUB_PREFIX: Final = HUB_HEADER_PREFIX.encode("ascii")
_NUMBER_KEY: Final = bytes((len(HEADER_PUBLISH),)) + HEADER_PUBLISH.encode("ascii") + b"l"
_NUMBER_BYTES: Final = 8

MAX_HEADER_BYTES: Final = 16 * 1024
"""A client's own headers; longer ones are malformed. A content header is one frame: the hub's headers must fit behind
the client's within frame_max, or the broker cuts the connection for the message, each time anew. Hub and broker
headers, forged ones too, are held to the same, each by itself: what climbs the ladder never becomes malformed."""
MAX_VALUE_BYTES: Final = 4096
"""A hub or broker header longer than this is none: depth costs time only when a value is decoded."""


class Properties:
    """The properties of one delivery, sliced.

    `kept` are the encoded client headers that may travel on; `trusted` the encoded values of hub and broker headers
    by name, which the caller believes only where DELIVERY.md 2 lets it.
    """

    __slots__ = ("content_type", "flags", "has_cc", "head", "kept", "middle", "persistent", "tail", "trusted")

    def __init__(self) -> None:
        self.flags = 0
        self.head = self.middle = self.tail = self.kept = b""
        self.content_type: str | None = None
        self.persistent = False
        self.has_cc = False
        self.trusted: dict[str, bytes] | None = None

    def value(self, name: str) -> Any:
        """The decoded value of a hub or broker header, None if absent or unreadable."""
        raw = self.trusted.get(name) if self.trusted else None
        if raw is None or len(raw) > MAX_VALUE_BYTES:
            return None
        try:
            return embedded_value(raw)[1]
        except (ValueError, IndexError, StructError, UnicodeError, OverflowError, RecursionError):
            return None

    def number(self, name: str) -> int:
        """An integer header, 0 if absent or no integer."""
        value = self.value(name)
        return value if type(value) is int else 0

    def text(self, name: str) -> str:
        """A string header, "" if absent or no text."""
        value = self.value(name)
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        return value if isinstance(value, str) else ""


def parse(raw: bytes) -> Properties:
    """Slice the property list of a content header (flags first). Raises MalformedProperties, nothing else."""
    found = Properties()
    try:
        _slice(raw, found)
    except (IndexError, StructError) as error:
        raise MalformedProperties from error
    return found


def _slice(raw: bytes, found: Properties) -> None:
    (flags,) = _U16.unpack_from(raw, 0)
    if flags & ~_KNOWN_FLAGS:
        raise MalformedProperties
    found.flags = flags
    at = 2
    if flags & _CONTENT_TYPE:
        end = at + 1 + raw[at]
        found.content_type = raw[at + 1 : end].decode("latin-1")
        at = end
    if flags & _CONTENT_ENCODING:
        at += 1 + raw[at]
    found.head = raw[2:at]
    if flags & _HEADERS:
        end = at + 4 + _U32.unpack_from(raw, at)[0]
        if end > len(raw):
            raise MalformedProperties
        table = _table(raw[at + 4 : end])
        found.kept, found.trusted, found.has_cc = table.kept, table.trusted, table.has_cc
        at = end
    start = at
    if flags & _DELIVERY_MODE:
        found.persistent = raw[at] == 2
        at += 1
    if flags & _PRIORITY:
        at += 1
    if flags & _CORRELATION_ID:
        at += 1 + raw[at]
    if flags & _REPLY_TO:
        at += 1 + raw[at]
    found.middle = raw[start:at]
    if flags & _EXPIRATION:
        at += 1 + raw[at]
    start = at
    if flags & _MESSAGE_ID:
        at += 1 + raw[at]
    if flags & _TIMESTAMP:
        at += 8
    if flags & _TYPE:
        at += 1 + raw[at]
    tail = raw[start:at]
    if flags & _USER_ID:
        at += 1 + raw[at]
    start = at
    if flags & _APP_ID:
        at += 1 + raw[at]
    if flags & _CLUSTER_ID:
        at += 1 + raw[at]
    found.tail = tail + raw[start:at]
    if at != len(raw):
        raise MalformedProperties


class _Table:
    """A sorted field table; shared by every message that carries the same bytes, so nothing may change it."""

    __slots__ = ("has_cc", "kept", "trusted")

    def __init__(self, kept: bytes, trusted: dict[str, bytes]) -> None:
        self.kept, self.trusted = kept, trusted
        self.has_cc = "CC" in trusted


CACHED_TABLE_BYTES: Final = 128
CACHED_TABLES: Final = 1024
"""Most messages carry no header but the broker's own, so most tables are one of a few; 256 KiB at most."""
_tables: dict[bytes, _Table] = {}


def _table(raw: bytes) -> _Table:
    found = _tables.get(raw)
    if found is None:
        found = _sorted_table(raw)
        if len(raw) <= CACHED_TABLE_BYTES:
            if len(_tables) >= CACHED_TABLES:
                _tables.clear()
            _tables[raw] = found
    return found


def _sorted_table(raw: bytes) -> _Table:
    """Walk the top level of a field table; nested tables are skipped by their length, so depth costs nothing."""
    kept: list[bytes] = []
    trusted: dict[str, bytes] = {}
    at, end, kept_bytes = 0, len(raw), 0
    while at < end:
        start = at
        at += 1 + raw[at]
        key = raw[start + 1 : at]
        value = at
        kind = raw[at]
        fixed = _FIXED.get(kind)
        if fixed is not None:
            at += 1 + fixed
        elif kind in _SIZED:
            at += 5 + _U32.unpack_from(raw, at + 1)[0]
        else:
            raise MalformedProperties
        if at > end:
            raise MalformedProperties
        if key.startswith(_HUB_PREFIX) or key.startswith(_DEATH_PREFIXES) or key in _NEVER_FORWARDED:
            trusted[key.decode("latin-1")] = raw[value:at]
        else:
            kept.append(raw[start:at])
            kept_bytes += at - start
    if max(kept_bytes, end - kept_bytes) > MAX_HEADER_BYTES:
        raise MalformedProperties
    return _Table(b"".join(kept), trusted)


def entry(name: str, value: int | bool | str) -> bytes:
    """One encoded header: bool, 64-bit integer or long string (cut to what a header needs by the caller)."""
    key = name.encode("ascii")
    start = bytes((len(key),)) + key
    if isinstance(value, bool):
        return start + (b"t\x01" if value else b"t\x00")
    if isinstance(value, int):
        return start + b"l" + value.to_bytes(8, "big", signed=True)
    text = value.encode("utf-8", "surrogateescape")
    return start + b"S" + _U32.pack(len(text)) + text


def numbered(client: Properties, hub_headers: bytes, expiration_ms: int | None) -> tuple[bytes, bytes]:
    """Properties of an output in two halves, to be joined by the 8 bytes of its publish number.

    `client`: what travels on unchanged (content type and encoding, priority, correlation, reply-to, message id,
    timestamp, type, app id, the client's own headers). `hub_headers`: entries from `entry`.
    `expiration_ms` None means none of its own (the queue's TTL rules).
    """
    flags = (client.flags & ~(_USER_ID | _EXPIRATION)) | _HEADERS
    expiration = b""
    if expiration_ms is not None:
        flags |= _EXPIRATION
        digits = str(expiration_ms).encode("ascii")
        expiration = bytes((len(digits),)) + digits
    middle = client.middle
    if not client.persistent:
        # Everything the hub stores is persistent, whatever a partner hub said (it was logged).
        middle = b"\x02" + (middle[1:] if flags & _DELIVERY_MODE else middle)
        flags |= _DELIVERY_MODE
    table = client.kept + hub_headers + _NUMBER_KEY
    first = b"".join((_U16.pack(flags), client.head, _U32.pack(len(table) + _NUMBER_BYTES), table))
    return first, middle + expiration + client.tail


def publish_number(raw: bytes) -> int:
    """The publish number of a returned message, read back from its properties. Raises MalformedProperties."""
    number = parse(raw).number(HEADER_PUBLISH)
    if number <= 0:
        raise MalformedProperties
    return number


def own(content_type: str) -> Properties:
    """Properties of a message that the hub itself writes: content type, persistent."""
    made = Properties()
    made.flags = _CONTENT_TYPE | _DELIVERY_MODE
    made.content_type = content_type
    made.head = _short(content_type)
    made.middle = b"\x02"
    made.persistent = True
    return made


def retyped(client: Properties, content_type: str) -> Properties:
    """The same properties with another content type; everything else travels on."""
    made = copy(client)
    made.flags |= _CONTENT_TYPE
    before = 0 if client.content_type is None else 1 + len(client.content_type)
    made.content_type = content_type
    made.head = _short(content_type) + client.head[before:]
    return made


def _short(text: str) -> bytes:
    raw = text.encode("ascii")
    return bytes((len(raw),)) + raw


pack_number = _U64.pack
"""The 8 bytes that join the two halves of `numbered`."""
