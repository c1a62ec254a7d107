import pamqp.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader
from pamqp.heartbeat import Heartbeat

from router.parked.tap import HeaderTap


def raw_of(properties: Basic.Properties) -> bytes:
    # class (2), weight (2), body size (8), then the property list
    return ContentHeader(properties=properties, body_size=0).marshal()[12:]


def stream(*messages: Basic.Properties) -> bytes:
    frames = []
    for properties in messages:
        frames += [
            pamqp.frame.marshal(Basic.GetOk(delivery_tag=1, exchange="e", routing_key="k", message_count=2), 1),
            pamqp.frame.marshal(ContentHeader(properties=properties, body_size=7), 1),
            pamqp.frame.marshal(Heartbeat(), 0),
            pamqp.frame.marshal(ContentBody(b"\x02\x00\x01\x00\x00"), 1),
        ]
    return b"".join(frames)


FIRST = Basic.Properties(content_type="application/json", headers={"a": 1, "b": {"c": [True, None, "x"]}})
SECOND = Basic.Properties(message_id="m", delivery_mode=2)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 64, 10_000])
def test_it_keeps_the_newest_property_list_wherever_the_stream_is_cut(size: int) -> None:
    tap = HeaderTap()
    data = stream(FIRST)
    for at in range(0, len(data), size):
        tap.feed(data[at : at + size])
    assert tap.raw_properties == raw_of(FIRST)
    data = stream(SECOND, FIRST, SECOND)
    for at in range(0, len(data), size):
        tap.feed(data[at : at + size])
    assert tap.raw_properties == raw_of(SECOND)


@given(st.lists(st.integers(0, 300), max_size=8))
def test_any_cuts(cuts: list[int]) -> None:
    tap, data = HeaderTap(), stream(FIRST, SECOND)
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for start, end in zip(edges, edges[1:], strict=False):
        tap.feed(data[start:end])
    assert tap.raw_properties == raw_of(SECOND)


def test_bodies_are_not_kept() -> None:
    tap = HeaderTap()
    tap.feed(pamqp.frame.marshal(ContentBody(b"x" * 100_000), 1))
    assert len(tap._payload) == 0 and tap.raw_properties == b""
