"""The frames that the lane writes: `basic.publish` with its content, and `basic.ack`."""

from struct import Struct as Packer
from typing import Final

from router.core.errors import HubError
from router.lane.inbound import BODY, FRAME_END, FRAME_OVERHEAD_BYTES, HEADER, METHOD

_ACK = Packer(">BHIHHQBB").pack
_HEADER = Packer(">BHIHHQ").pack
_BODY = Packer(">BHI").pack
_END: Final = bytes((FRAME_END,))
_BASIC, _PUBLISH_METHOD, _ACK_METHOD = 60, 40, 80
_MANDATORY: Final = b"\x01"
_SHORT_STRING_BYTES: Final = 255  # AMQP short strings carry their length in one octet


def publish_method(channel: int, exchange: str, routing_key: str) -> bytes:
    """The method frame of a mandatory `basic.publish`; constant per channel and queue, so callers keep it."""
    name, key = exchange.encode("utf-8"), routing_key.encode("utf-8", "surrogateescape")
    if len(key) > _SHORT_STRING_BYTES:
        raise HubError("routing key longer than a short string")
    payload = b"".join(
        (
            _BASIC.to_bytes(2, "big"),
            _PUBLISH_METHOD.to_bytes(2, "big"),
            b"\x00\x00",
            bytes((len(name),)),
            name,
            bytes((len(key),)),
            key,
            _MANDATORY,
        )
    )
    return _BODY(METHOD, channel, len(payload)) + payload + _END


def content(channel: int, properties: bytes, body: bytes, max_frame_bytes: int, out: list[bytes]) -> None:
    """Append the header frame and the body frames (none for an empty body) to `out`."""
    out.append(_HEADER(HEADER, channel, 12 + len(properties), _BASIC, 0, len(body)))
    out.append(properties)
    room = max_frame_bytes - FRAME_OVERHEAD_BYTES
    if len(body) <= room:
        if body:
            out += (_END, _BODY(BODY, channel, len(body)), body, _END)
        else:
            out.append(_END)
        return
    out.append(_END)
    for at in range(0, len(body), room):
        piece = body[at : at + room]
        out += (_BODY(BODY, channel, len(piece)), piece, _END)


def ack(channel: int, tag: int, multiple: bool) -> bytes:
    """`basic.ack` of one delivery, or of all up to `tag` when `multiple`."""
    return _ACK(METHOD, channel, 13, _BASIC, _ACK_METHOD, tag, multiple, FRAME_END)
