"""The frames that the lane writes are what pamqp reads: publishes with their content, acknowledgements."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import frame
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from router.core.errors import HubError
from router.core.properties import entry, numbered, pack_number, parse, publish_number
from router.lane import outbound
from tests.router.lane import wire

FRAME_MAX_BYTES = 64
ROOM_BYTES = FRAME_MAX_BYTES - 8


def unmarshalled(data: bytes) -> list[tuple[int, frame.FrameTypes, int]]:
    """Channel, frame and length of each frame; there may be nothing between or behind them."""
    found = []
    while data:
        length, channel, read = frame.unmarshal(data)
        found.append((channel, read, length))
        data = data[length:]
    return found


def written(channel: int, properties: bytes, body: bytes, frame_max_bytes: int = FRAME_MAX_BYTES) -> bytes:
    out: list[bytes] = []
    outbound.content(channel, properties, body, frame_max_bytes, out)
    return b"".join(out)


@pytest.mark.parametrize("channel", (1, 2047, 65535))
@pytest.mark.parametrize(
    "exchange, key",
    (("hub.inbox", "fr.health.hub.samu050.in.message"), ("", ""), ("hub.parked", "é" * 127), ("x" * 255, "k" * 255)),
)
def test_a_publish_method_says_where_to_and_is_mandatory(channel: int, exchange: str, key: str) -> None:
    ((read_channel, method, _),) = unmarshalled(outbound.publish_method(channel, exchange, key))
    assert read_channel == channel and isinstance(method, Basic.Publish)
    assert (method.exchange, method.routing_key, method.mandatory, method.immediate) == (exchange, key, True, False)


def test_a_routing_key_that_is_not_utf8_is_written_as_the_bytes_it_was() -> None:
    key = b"dispatch.\xff\x80"
    assert key in outbound.publish_method(1, "hub.shard", key.decode("utf-8", "surrogateescape"))


@pytest.mark.parametrize("key", ("k" * 256, "é" * 128))
def test_a_routing_key_too_long_for_a_short_string_is_our_error(key: str) -> None:
    with pytest.raises(HubError):
        outbound.publish_method(1, "hub.inbox", key)


@pytest.mark.parametrize("size", (0, 1, ROOM_BYTES - 1, ROOM_BYTES, ROOM_BYTES + 1, 3 * ROOM_BYTES, 3 * ROOM_BYTES + 1))
def test_a_body_is_split_at_frame_max_and_an_empty_one_has_no_frame(size: int) -> None:
    body = bytes(at % 251 for at in range(size))
    raw = wire.raw(wire.properties(content_type="application/json", delivery_mode=2))
    (_, head, _), *pieces = unmarshalled(written(3, raw, body))
    assert isinstance(head, ContentHeader)
    assert head.body_size == size
    assert head.properties == wire.properties(content_type="application/json", delivery_mode=2)
    assert len(pieces) == -(-size // ROOM_BYTES)
    assert all(length <= FRAME_MAX_BYTES and channel == 3 for channel, _, length in pieces)
    assert all(isinstance(piece, ContentBody) for _, piece, _ in pieces)
    assert b"".join(piece.value for _, piece, _ in pieces) == body  # type: ignore[union-attr]


@given(st.binary(max_size=2_000), st.integers(9, 3_000))
def test_any_body_at_any_frame_max_comes_back_whole(body: bytes, frame_max_bytes: int) -> None:
    (_, head, _), *pieces = unmarshalled(written(1, wire.raw(wire.properties()), body, frame_max_bytes))
    assert isinstance(head, ContentHeader) and head.body_size == len(body)
    assert all(length <= frame_max_bytes for _, _, length in pieces)
    assert b"".join(piece.value for _, piece, _ in pieces) == body  # type: ignore[union-attr]


@pytest.mark.parametrize("tag", (1, 2**32, 2**63 - 1))
@pytest.mark.parametrize("multiple", (True, False))
def test_an_acknowledgement_names_its_tag(tag: int, multiple: bool) -> None:
    ((channel, method, _),) = unmarshalled(outbound.ack(5, tag, multiple))
    assert channel == 5 and isinstance(method, Basic.Ack)
    assert (method.delivery_tag, method.multiple) == (tag, multiple)


@pytest.mark.parametrize("number", (1, 255, 2**40))
def test_the_publish_number_joins_the_halves_and_comes_back_from_a_return(number: int) -> None:
    values = wire.properties(content_type="application/json", message_id="m", headers={"own": "x"}, delivery_mode=2)
    first, last = numbered(parse(wire.raw(values)), entry("x-hub-key", "k"), None)
    (_, head, _), *_ = unmarshalled(written(1, first + pack_number(number) + last, b""))
    assert isinstance(head, ContentHeader)
    assert head.properties.headers == {"own": "x", "x-hub-key": "k", "x-hub-publish": number}
    assert head.properties.message_id == "m"
    data, _ = wire.returned(b"", values=head.properties)
    events: list[object] = []
    wire.inbound().feed(data, events)  # type: ignore[arg-type]
    assert publish_number(events[0].raw_properties) == number  # type: ignore[attr-defined]


def test_what_the_lane_writes_the_lane_reads() -> None:
    """A publish is laid out as a delivery is, but for its method."""
    raw = wire.raw(wire.properties(headers={"a": 1}))
    _, event = wire.deliver(1, b"z" * 700, values=wire.properties(headers={"a": 1}))
    method = frame.marshal(Basic.Deliver("t", 1, False, event.exchange, event.routing_key), wire.CONSUMING)
    events: list[object] = []
    wire.inbound().feed(method + written(wire.CONSUMING, raw, b"z" * 700, wire.FRAME_MAX_BYTES), events)  # type: ignore[arg-type]
    assert events == [event]
