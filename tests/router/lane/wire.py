"""The broker's side of the wire, written by pamqp: frames as bytes, and what the lane must make of them."""

from pamqp import base, body, frame, header
from pamqp.commands import Basic, Channel, Connection

from router.lane.inbound import Blocked, Confirm, Content, Event, Inbound

FRAME_MAX_BYTES = 256
"""Small, so that a body of a few hundred bytes takes several frames."""
BODY_MAX_BYTES = 5_000
CONSUMING, PUBLISHING, COLD = 1, 2, 3
"""Channels of the examples: two that the lane has taken, one that it has not."""


def properties(**values: object) -> Basic.Properties:
    return Basic.Properties(**values)  # type: ignore[arg-type]


def raw(values: Basic.Properties) -> bytes:
    """A property list as it stands in a content header: flags, then values."""
    return header.ContentHeader(0, 0, values).marshal()[12:]


def content(values: Basic.Properties, payload: bytes, channel: int, frame_max_bytes: int = FRAME_MAX_BYTES) -> bytes:
    """The content header and the body frames of one message."""
    frames = [frame.marshal(header.ContentHeader(0, len(payload), values), channel)]
    room = frame_max_bytes - 8
    for at in range(0, len(payload), room):
        frames.append(frame.marshal(body.ContentBody(payload[at : at + room]), channel))
    return b"".join(frames)


def deliver(
    tag: int,
    payload: bytes,
    *,
    channel: int = CONSUMING,
    redelivered: bool = False,
    exchange: str = "hubsante",
    routing_key: str = "fr.health.hub.samu050.out.message",
    values: Basic.Properties | None = None,
) -> tuple[bytes, Content]:
    """A delivery as bytes, and as the event that it is."""
    values = values or properties(content_type="application/json", delivery_mode=2)
    method = Basic.Deliver("hubex.1.0.dispatch.00", tag, redelivered, exchange, routing_key)
    data = frame.marshal(method, channel) + content(values, payload, channel)
    return data, Content(channel, tag, redelivered, 0, exchange, routing_key, raw(values), payload)


def returned(
    payload: bytes, *, channel: int = PUBLISHING, values: Basic.Properties | None = None
) -> tuple[bytes, Content]:
    values = values or properties(headers={"x-hub-publish": 7})
    method = Basic.Return(312, "NO_ROUTE", "hub.inbox", "fr.x.in.message")
    data = frame.marshal(method, channel) + content(values, payload, channel)
    return data, Content(channel, 0, False, 312, "hub.inbox", "fr.x.in.message", raw(values), payload)


def ack(number: int, multiple: bool = False, channel: int = PUBLISHING) -> tuple[bytes, Confirm]:
    return frame.marshal(Basic.Ack(number, multiple), channel), Confirm(channel, number, multiple, True)


def nack(number: int, multiple: bool = False, channel: int = PUBLISHING) -> tuple[bytes, Confirm]:
    return frame.marshal(Basic.Nack(number, multiple, True), channel), Confirm(channel, number, multiple, False)


def inbound(*taken: int) -> Inbound:
    """A parser that has taken the hot channels of the examples, or those named."""
    made = Inbound(FRAME_MAX_BYTES, BODY_MAX_BYTES)
    for channel in taken or (CONSUMING, PUBLISHING):
        made.take_channel(channel)
    return made


def held_bytes(parser: Inbound) -> int:
    """What the parser keeps between two feeds."""
    chunks = (chunk for content in parser._partial.values() for chunk in content.chunks)
    return len(parser._rest) + sum(map(len, chunks))


Step = tuple[bytes, Event | None, bool]
"""Bytes of the broker, the event that they end in, and whether they are aiormq's."""


def _other(method: base.Frame | header.ContentHeader | body.ContentBody, channel: int) -> Step:
    return frame.marshal(method, channel), None, True


def _event(made: tuple[bytes, Event]) -> Step:
    return made[0], made[1], False


def _split(made: tuple[bytes, Content], at_frame: int, between: list[Step]) -> list[Step]:
    """A message with the frames of other channels between its own."""
    data, event = made
    cuts, at = [0], 0
    while at < len(data):
        at += 8 + int.from_bytes(data[at + 3 : at + 7], "big")
        cuts.append(at)
    return [(data[: cuts[at_frame]], None, False), *between, (data[cuts[at_frame] :], event, False)]


def conversation() -> list[Step]:
    """What a broker may say on one connection: every kind of frame that the lane must know or pass on."""
    cold, _ = deliver(9, b"for aiormq", channel=COLD)
    headers = {"a": "b", "n": [1, {"deep": True}], "CC": ["x"]}
    return [
        _other(Connection.OpenOk(), 0),
        (b"\x08\x00\x00\x00\x00\x00\x00\xce", None, True),
        _other(Channel.OpenOk(), CONSUMING),
        _other(Basic.QosOk(), CONSUMING),
        _other(Basic.ConsumeOk("hubex.1.0.dispatch.00"), CONSUMING),
        _event(deliver(1, b"")),
        _event(deliver(2, b"x")),
        (frame.marshal(Connection.Blocked("low on memory"), 0), Blocked(True), True),
        _event(deliver(3, b"\xce" * 200, redelivered=True, values=properties(headers=headers, priority=3))),
        (frame.marshal(Connection.Unblocked(), 0), Blocked(False), True),
        *_split(
            deliver(4, bytes(range(256)) * 3, values=properties()),
            3,
            [
                _event(ack(1)),
                _event(nack(4, multiple=True)),
                (cold, None, True),
                (b"\x08\x00\x00\x00\x00\x00\x00\xce", None, True),
                *_split(returned(b"r" * 300), 2, [(cold, None, True)]),
            ],
        ),
        _other(Channel.Flow(True), PUBLISHING),
        _event(deliver(2**40, b"y" * 248, exchange="hub.shard", routing_key="é" * 100)),
        _event(deliver(2**40 + 1, b"z" * 249, exchange="", routing_key="")),
        _event(returned(b"")),
        _event(ack(2**33, multiple=True)),
        _other(Basic.CancelOk("hubex.1.0.dispatch.00"), CONSUMING),
        _other(Channel.CloseOk(), CONSUMING),
        (b"\x08\x00\x00\x00\x00\x00\x00\xce", None, True),
        _event(nack(2)),
    ]
