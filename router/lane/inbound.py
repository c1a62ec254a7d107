"""The hot half of an AMQP 0-9-1 byte stream, sans I/O: bytes in, deliveries and publish replies out.

Law: on a data channel `basic.deliver`, its content, `basic.return`, `basic.ack` and `basic.nack` are taken out of the
stream whole and in order; every other frame leaves in `feed`'s result byte for byte, in order, for aiormq's reader.
A stream cut at any position gives the same events. A frame that cannot be is a FrameError, and the connection is over.
"""

from struct import Struct as Packer
from struct import error as StructError
from typing import Final, NamedTuple

from router.core.errors import FrameError

METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
FRAME_END: Final = 0xCE
FRAME_OVERHEAD_BYTES: Final = 8  # type, channel, size, end octet
SLACK_BYTES: Final = 64 * 1024
"""How much larger than frame_max a frame may be: the broker adds its headers (x-delivery-count, x-death) to a client's
without looking at frame_max; to refuse that frame would let one message end the connection again and again."""
OFFERED_FRAME_BYTES: Final = 131_072
"""frame_max as RabbitMQ offers it: the bound until a connection is tuned."""
HEARTBEAT_FRAME: Final = b"\x08\x00\x00\x00\x00\x00\x00\xce"

_DELIVER, _RETURN = b"\x00\x3c\x00\x3c", b"\x00\x3c\x00\x32"
_ACK, _NACK = b"\x00\x3c\x00\x50", b"\x00\x3c\x00\x78"
_BLOCKED, _UNBLOCKED = b"\x00\x0a\x00\x3c", b"\x00\x0a\x00\x3d"
_FRAME = Packer(">BHI").unpack_from
_TAG_AND_BIT = Packer(">QB").unpack_from
_U64 = Packer(">Q").unpack_from
_U16 = Packer(">H").unpack_from


class Content(NamedTuple):
    """A `basic.deliver` (tag > 0) or a `basic.return` (tag 0, `reply_code` > 0) with its content."""

    channel: int
    tag: int
    redelivered: bool
    reply_code: int
    exchange: str
    routing_key: str
    raw_properties: bytes
    body: bytes


class Confirm(NamedTuple):
    """A `basic.ack` (`stored`) or `basic.nack` of publishes up to `number` when `multiple`."""

    channel: int
    number: int
    multiple: bool
    stored: bool


class Blocked(NamedTuple):
    """`connection.blocked` or, with `blocked` False, `connection.unblocked`."""

    blocked: bool


Event = Content | Confirm | Blocked


class _Partial:
    """Content whose frames have not all come."""

    __slots__ = ("chunks", "exchange", "missing", "raw_properties", "redelivered", "reply_code", "routing_key", "tag")

    def __init__(self, tag: int, redelivered: bool, reply_code: int, exchange: str, routing_key: str) -> None:
        self.tag, self.redelivered, self.reply_code = tag, redelivered, reply_code
        self.exchange, self.routing_key = exchange, routing_key
        self.raw_properties: bytes | None = None
        self.missing = 0
        self.chunks: list[bytes] = []


class Inbound:
    """Parser of one connection's incoming bytes.

    `max_frame_bytes` is the negotiated frame_max, to be set when it is known; `max_body_bytes` bounds the memory of one
    content in the making.
    """

    def __init__(self, max_frame_bytes: int, max_body_bytes: int) -> None:
        self.max_frame_bytes = max_frame_bytes
        self._max_body_bytes = max_body_bytes
        self._rest = b""
        self._hot: set[int] = set()
        self._partial: dict[int, _Partial] = {}

    def take_channel(self, channel: int) -> None:
        """From the next frame on, this channel's hot frames are events."""
        self._hot.add(channel)
        self._partial.pop(channel, None)

    def leave_channel(self, channel: int) -> None:
        """Hand a closed channel's frames back to aiormq."""
        self._hot.discard(channel)
        self._partial.pop(channel, None)

    def feed(self, data: bytes, events: list[Event]) -> bytes:
        """Append what `data` completes to `events`; return the bytes that are aiormq's. Raises FrameError."""
        try:
            return self._feed(data, events)
        except (IndexError, StructError) as error:
            raise FrameError("a frame shorter than its fields") from error

    def _feed(self, data: bytes, events: list[Event]) -> bytes:
        if self._rest:
            data = self._rest + data
        at, end = 0, len(data)
        hot, partial, largest = self._hot, self._partial, self.max_frame_bytes + SLACK_BYTES
        others: list[bytes] = []
        while end - at >= FRAME_OVERHEAD_BYTES:
            kind, channel, size = _FRAME(data, at)
            if size > largest:
                raise FrameError("a frame larger than frame_max")
            after = at + FRAME_OVERHEAD_BYTES + size
            if after > end:
                break
            if data[after - 1] != FRAME_END:
                raise FrameError("a frame without its end octet")
            if channel in hot:
                content = partial.get(channel)
                if content is not None:
                    if self._continue(content, kind, data[at + 7 : after - 1]):
                        del partial[channel]
                        events.append(_complete(channel, content))
                    at = after
                    continue
                if kind == METHOD and self._method(channel, data, at + 7, after - 1, events):
                    at = after
                    continue
            elif channel == 0 and kind == METHOD:
                method = data[at + 7 : at + 11]
                if method == _BLOCKED or method == _UNBLOCKED:
                    events.append(Blocked(method == _BLOCKED))
            others.append(data[at:after])
            at = after
        self._rest = data[at:]
        return b"".join(others) if others else b""

    def _method(self, channel: int, data: bytes, at: int, end: int, events: list[Event]) -> bool:
        """True if the method frame is ours. Every read stays inside the frame or the frame is refused."""
        method = data[at : at + 4]
        if method == _DELIVER:
            at += 5 + data[at + 4]
            tag, bit = _TAG_AND_BIT(data, at)
            if not tag:
                raise FrameError("a delivery without a tag")
            self._open(channel, tag, bit & 1 == 1, 0, data, at + 9, end)
        elif method == _ACK or method == _NACK:
            number, bits = _TAG_AND_BIT(data, at + 4)
            if at + 13 != end:
                raise FrameError("a confirm of the wrong length")
            events.append(Confirm(channel, number, bits & 1 == 1, method == _ACK))
        elif method == _RETURN:
            (reply_code,) = _U16(data, at + 4)
            self._open(channel, 0, False, reply_code, data, at + 7 + data[at + 6], end)
        else:
            return False
        return True

    def _open(self, channel: int, tag: int, redelivered: bool, reply_code: int, data: bytes, at: int, end: int) -> None:
        middle = at + 1 + data[at]
        after = middle + 1 + data[middle]
        if after != end:
            raise FrameError("a delivery of the wrong length")
        exchange = data[at + 1 : middle].decode("utf-8", "surrogateescape")
        routing_key = data[middle + 1 : after].decode("utf-8", "surrogateescape")
        self._partial[channel] = _Partial(tag, redelivered, reply_code, exchange, routing_key)

    def _continue(self, content: _Partial, kind: int, payload: bytes) -> bool:
        """Add a content frame; True when the content is whole."""
        if content.raw_properties is None:
            if kind != HEADER:
                raise FrameError("a delivery without its content header")
            (content.missing,) = _U64(payload, 4)
            if content.missing > self._max_body_bytes:
                raise FrameError("a body larger than the broker may accept")
            content.raw_properties = payload[12:]
        else:
            if kind != BODY or not payload or len(payload) > content.missing:
                raise FrameError("a body that does not fit its header")
            content.missing -= len(payload)
            content.chunks.append(payload)
        return content.missing == 0


def _complete(channel: int, content: _Partial) -> Content:
    chunks = content.chunks
    return Content(
        channel,
        content.tag,
        content.redelivered,
        content.reply_code,
        content.exchange,
        content.routing_key,
        content.raw_properties or b"",
        chunks[0] if len(chunks) == 1 else b"".join(chunks),
    )
