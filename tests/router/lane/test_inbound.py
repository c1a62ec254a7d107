"""The lane's parser: the same events and the same rest wherever the stream is cut, and only FrameError for garbage."""

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import frame, header
from pamqp.body import ContentBody
from pamqp.commands import Basic, Channel, Connection

from router.core.errors import FrameError
from router.lane.inbound import HEARTBEAT_FRAME, SLACK_BYTES, Blocked, Content, Event, Inbound
from tests.router.lane import wire
from tests.router.lane.wire import BODY_MAX_BYTES, COLD, CONSUMING, FRAME_MAX_BYTES, PUBLISHING

STEPS = wire.conversation()
STREAM = b"".join(data for data, _, _ in STEPS)
EVENTS = [event for _, event, _ in STEPS if event is not None]
PASSED = b"".join(data for data, _, passed in STEPS if passed)

HELD_MAX_BYTES = FRAME_MAX_BYTES + SLACK_BYTES + 8 + 2 * BODY_MAX_BYTES
"""One frame in the making, and one content in the making on each of two channels."""


def fed(*pieces: bytes, parser: Inbound | None = None) -> tuple[list[Event], bytes]:
    parser = parser or wire.inbound()
    events: list[Event] = []
    return events, b"".join([parser.feed(piece, events) for piece in pieces])


def made_frame(kind: int, channel: int, payload: bytes, end: int = 0xCE) -> bytes:
    return pack(">BHI", kind, channel, len(payload)) + payload + bytes((end,))


# ---- cuts ----------------------------------------------------------------------------------------


def test_a_whole_stream_gives_its_events_and_leaves_aiormq_its_frames() -> None:
    assert fed(STREAM) == (EVENTS, PASSED)


def test_a_stream_cut_in_two_at_any_position_gives_the_same() -> None:
    for at in range(len(STREAM) + 1):
        assert fed(STREAM[:at], STREAM[at:]) == (EVENTS, PASSED), at


def test_a_stream_byte_by_byte_gives_the_same() -> None:
    assert fed(*(STREAM[at : at + 1] for at in range(len(STREAM)))) == (EVENTS, PASSED)


@given(st.lists(st.integers(0, len(STREAM)), max_size=40))
def test_a_stream_cut_anywhere_gives_the_same(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    assert fed(*(STREAM[a:b] for a, b in zip(edges, edges[1:], strict=False))) == (EVENTS, PASSED)


def test_events_come_with_the_last_byte_of_their_frame_and_no_later() -> None:
    parser, events, passed = wire.inbound(), [], b""
    for data, event, _ in STEPS:
        before = len(events)
        passed += parser.feed(data[:-1], events)
        assert len(events) == before
        passed += parser.feed(data[-1:], events)
        assert events[before:] == ([] if event is None else [event])
    assert passed == PASSED
    assert wire.held_bytes(parser) == 0


def test_several_streams_on_end_give_their_events_on_end() -> None:
    assert fed(STREAM * 3) == (EVENTS * 3, PASSED * 3)


# ---- what is ours and what is aiormq's -----------------------------------------------------------


def test_a_channel_that_was_not_taken_passes_untouched() -> None:
    parser = Inbound(FRAME_MAX_BYTES, BODY_MAX_BYTES)
    events, passed = fed(STREAM, parser=parser)
    assert passed == STREAM
    assert events == [Blocked(True), Blocked(False)]


def test_a_channel_is_taken_from_the_next_frame_on_and_left_again() -> None:
    parser = Inbound(FRAME_MAX_BYTES, BODY_MAX_BYTES)
    data, event = wire.deliver(1, b"abc")
    assert fed(data, parser=parser) == ([], data)
    parser.take_channel(CONSUMING)
    assert fed(data, parser=parser) == ([event], b"")
    parser.leave_channel(CONSUMING)
    assert fed(data, parser=parser) == ([], data)


def test_a_channel_taken_anew_forgets_what_was_in_the_making() -> None:
    parser = wire.inbound()
    data, event = wire.deliver(1, b"x" * 600)
    fed(data[: 8 + int.from_bytes(data[3:7], "big")], parser=parser)
    parser.leave_channel(CONSUMING)
    parser.take_channel(CONSUMING)
    assert fed(data, parser=parser) == ([event], b"")


def test_a_channel_left_in_the_middle_of_a_content_keeps_nothing_of_it() -> None:
    parser = wire.inbound()
    data, _ = wire.deliver(1, b"x" * 1000)
    fed(data[:-1], parser=parser)
    before = wire.held_bytes(parser)
    parser.leave_channel(CONSUMING)
    assert wire.held_bytes(parser) < before - 700
    other = frame.marshal(Channel.CloseOk(), CONSUMING)
    assert fed(data[-1:] + other, parser=parser)[1].endswith(other)


@pytest.mark.parametrize(
    "method",
    (
        Basic.ConsumeOk("t"),
        Basic.CancelOk("t"),
        Basic.Cancel("t"),
        Basic.QosOk(),
        Basic.RecoverOk(),
        Channel.Flow(False),
        Channel.Close(406, "PRECONDITION_FAILED", 60, 40),
        Channel.CloseOk(),
        Connection.Close(320, "CONNECTION_FORCED", 0, 0),
    ),
)
def test_every_other_method_is_aiormqs_on_a_taken_channel_too(method: Basic.ConsumeOk) -> None:
    data = frame.marshal(method, CONSUMING)
    assert fed(data) == ([], data)


def test_blocked_is_told_and_also_passed_on() -> None:
    data = frame.marshal(Connection.Blocked("disk"), 0) + frame.marshal(Connection.Unblocked(), 0)
    assert fed(data) == ([Blocked(True), Blocked(False)], data)


def test_blocked_is_only_that_on_channel_zero() -> None:
    data = frame.marshal(Connection.Blocked("disk"), COLD)
    assert fed(data) == ([], data)


def test_a_heartbeat_is_what_pamqp_calls_one() -> None:
    assert frame.unmarshal(HEARTBEAT_FRAME)[2].name == "Heartbeat"


def test_a_routing_key_that_is_not_utf8_comes_back_as_the_same_bytes() -> None:
    key = b"fr.\xff\xfe.out.message"
    payload = b"\x00\x3c\x00\x3c\x01t" + pack(">QB", 5, 0) + b"\x00" + bytes((len(key),)) + key
    data = made_frame(1, CONSUMING, payload) + wire.content(wire.properties(), b"", CONSUMING)
    (event,), passed = fed(data)
    assert isinstance(event, Content) and passed == b""
    assert event.routing_key.encode("utf-8", "surrogateescape") == key


# ---- frames that cannot be -----------------------------------------------------------------------

DELIVER = frame.marshal(Basic.Deliver("tag", 7, False, "hubsante", "key"), CONSUMING)[7:-1]
RETURN = frame.marshal(Basic.Return(312, "NO_ROUTE", "hub.inbox", "key"), PUBLISHING)[7:-1]
ACK = frame.marshal(Basic.Ack(7, True), PUBLISHING)[7:-1]
NACK = frame.marshal(Basic.Nack(7, True, True), PUBLISHING)[7:-1]


@pytest.mark.parametrize("payload", (DELIVER, RETURN, ACK, NACK), ids=("deliver", "return", "ack", "nack"))
@pytest.mark.parametrize("behind", (b"", HEARTBEAT_FRAME * 64), ids=("alone", "with more behind"))
def test_a_hot_method_of_a_wrong_length_is_refused(payload: bytes, behind: bytes) -> None:
    for length in range(4, len(payload)):
        with pytest.raises(FrameError):
            fed(made_frame(1, CONSUMING, payload[:length]) + behind)
    for more in (b"\x00", b"\xce", b"x" * 50):
        with pytest.raises(FrameError):
            fed(made_frame(1, CONSUMING, payload + more) + behind)


def test_strings_inside_a_hot_method_may_not_reach_past_it() -> None:
    for at in (4, 4 + 4 + 8 + 1, len(DELIVER) - 4):  # the length octets of consumer tag, exchange, routing key
        longer = DELIVER[:at] + bytes((DELIVER[at] + 1,)) + DELIVER[at + 1 :]
        shorter = DELIVER[:at] + bytes((DELIVER[at] - 1,)) + DELIVER[at + 1 :]
        for payload in (longer, shorter):
            with pytest.raises(FrameError):
                fed(made_frame(1, CONSUMING, payload) + HEARTBEAT_FRAME * 64)


def test_a_frame_without_its_end_octet_is_refused() -> None:
    for channel in (CONSUMING, COLD, 0):
        with pytest.raises(FrameError):
            fed(made_frame(1, channel, ACK, end=0))


def test_a_frame_larger_than_the_bound_is_refused_from_its_header_alone() -> None:
    for channel in (CONSUMING, COLD, 0):
        with pytest.raises(FrameError):
            fed(pack(">BHI", 1, channel, FRAME_MAX_BYTES + SLACK_BYTES + 1) + b"x")
        with pytest.raises(FrameError):
            fed(pack(">BHI", 3, channel, 2**32 - 1) + b"x")


def test_the_bound_follows_what_is_negotiated() -> None:
    """A broker with a larger frame_max sends larger frames; the lane would end every connection to it."""
    method = made_frame(1, CONSUMING, DELIVER)
    size = FRAME_MAX_BYTES + SLACK_BYTES + 1
    parser = Inbound(FRAME_MAX_BYTES, 2 * size)
    parser.take_channel(CONSUMING)
    parser.max_frame_bytes = size
    head = frame.marshal(header.ContentHeader(0, size, wire.properties()), CONSUMING)
    events, _ = fed(method, head, frame.marshal(ContentBody(b"x" * size), CONSUMING), parser=parser)
    assert len(events) == 1


def test_a_header_frame_that_the_broker_made_a_little_larger_than_frame_max_is_read() -> None:
    """RabbitMQ adds x-delivery-count or x-death to a client's headers without looking at frame_max; refusing the frame
    would let one client end the connection again and again."""
    values = wire.properties(headers={"big": "h" * (FRAME_MAX_BYTES - 30), "x-delivery-count": 1})
    data, event = wire.deliver(1, b"body", values=values)
    assert fed(data) == ([event], b"")


def test_a_delivery_must_be_followed_by_its_header_and_body_alone() -> None:
    method = made_frame(1, CONSUMING, DELIVER)
    head = frame.marshal(header.ContentHeader(0, 5, wire.properties()), CONSUMING)
    piece = frame.marshal(ContentBody(b"abc"), CONSUMING)
    rest = frame.marshal(ContentBody(b"de"), CONSUMING)
    assert len(fed(method + head + piece + rest)[0]) == 1
    for wrong in (
        method + method,
        method + piece,
        method + made_frame(8, CONSUMING, b""),
        method + head + head,
        method + head + method,
        method + head + piece + piece,  # one byte too many
        method + head + made_frame(3, CONSUMING, b""),  # an empty body frame never ends
        method + head + piece + frame.marshal(Channel.CloseOk(), CONSUMING),
    ):
        with pytest.raises(FrameError):
            fed(wrong)


def test_a_content_header_shorter_than_its_fields_is_refused() -> None:
    method = made_frame(1, CONSUMING, DELIVER)
    payload = header.ContentHeader(0, 5, wire.properties()).marshal()
    for length in range(12):
        with pytest.raises(FrameError):
            fed(method + made_frame(2, CONSUMING, payload[:length]) + HEARTBEAT_FRAME * 4)


def test_a_body_larger_than_the_bound_is_refused_from_its_header_alone() -> None:
    method = made_frame(1, CONSUMING, DELIVER)
    at_most = frame.marshal(header.ContentHeader(0, BODY_MAX_BYTES, wire.properties()), CONSUMING)
    too_large = frame.marshal(header.ContentHeader(0, BODY_MAX_BYTES + 1, wire.properties()), CONSUMING)
    assert fed(method + at_most) == ([], b"")
    with pytest.raises(FrameError):
        fed(method + too_large)


def test_a_delivery_without_a_tag_is_refused() -> None:
    """Tag 0 means every delivery when it is acknowledged; no broker gives it."""
    data, _ = wire.deliver(0, b"")
    with pytest.raises(FrameError):
        fed(data)


# ---- garbage -------------------------------------------------------------------------------------


def survive(pieces: list[bytes]) -> None:
    """Feed until the parser refuses; it may refuse with FrameError only, and hold no more than its bounds."""
    parser, events = wire.inbound(), []
    given_bytes = 0
    passed_bytes = 0
    for piece in pieces:
        given_bytes += len(piece)
        try:
            passed_bytes += len(parser.feed(piece, events))
        except FrameError:
            return
        assert wire.held_bytes(parser) <= HELD_MAX_BYTES
        bodies = sum(len(event.body) for event in events if isinstance(event, Content))
        assert passed_bytes + wire.held_bytes(parser) + bodies <= given_bytes


@given(st.lists(st.binary(max_size=600), max_size=8))
def test_random_bytes_end_in_a_frame_error_or_nothing(pieces: list[bytes]) -> None:
    survive(pieces)


@st.composite
def almost_frames(draw: st.DrawFn) -> bytes:
    """Frames whose outside is right, so that the fields inside are reached."""
    methods = (DELIVER, RETURN, ACK, NACK)
    start = draw(st.sampled_from((b"", *methods, *(method[:4] for method in methods), b"\x00\x3c\x00\x00")))
    size = draw(st.sampled_from((b"", pack(">Q", 0), pack(">Q", 20), pack(">Q", BODY_MAX_BYTES + 1))))
    kind = draw(st.sampled_from((1, 1, 2, 3, 8, 0, 255)))
    return made_frame(kind, draw(st.integers(0, 3)), start + size + draw(st.binary(max_size=60)))


@given(st.lists(almost_frames(), max_size=12))
def test_frames_with_random_insides_end_in_a_frame_error_or_nothing(frames: list[bytes]) -> None:
    survive(frames)


@given(st.lists(st.tuples(st.integers(0, len(STREAM) - 1), st.integers(0, 7)), min_size=1, max_size=4))
def test_a_stream_with_flipped_bits_ends_in_a_frame_error_or_nothing(flips: list[tuple[int, int]]) -> None:
    spoilt = bytearray(STREAM)
    for at, bit in flips:
        spoilt[at] ^= 1 << bit
    survive([bytes(spoilt[at : at + 97]) for at in range(0, len(spoilt), 97)])


def test_every_single_flipped_bit_ends_in_a_frame_error_or_nothing() -> None:
    for at in range(len(STREAM)):
        for bit in (0, 3, 7):
            spoilt = bytearray(STREAM)
            spoilt[at] ^= 1 << bit
            survive([bytes(spoilt)])


@given(st.lists(st.one_of(almost_frames(), st.sampled_from([data for data, _, _ in STEPS])), max_size=12), st.data())
def test_garbage_is_judged_the_same_wherever_it_is_cut(frames: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(frames)
    at = data.draw(st.integers(0, len(stream)))

    def judged(*pieces: bytes) -> tuple[list[Event], bytes | None]:
        parser, events, passed = wire.inbound(), [], b""
        try:
            for piece in pieces:
                passed += parser.feed(piece, events)
        except FrameError:
            return events, None
        return events, passed

    assert judged(stream) == judged(stream[:at], stream[at:])


def test_a_stream_that_never_ends_a_frame_is_held_to_one_frame() -> None:
    parser, events = wire.inbound(), []
    with pytest.raises(FrameError):
        for _ in range(10_000):
            parser.feed(b"\x01\x00\x01\x00\x00\x00\xff" * 7, events)
            assert wire.held_bytes(parser) <= HELD_MAX_BYTES


def test_bodies_in_tiny_frames_on_every_channel_are_held_to_their_bound() -> None:
    channels = tuple(range(1, 9))
    parser, events = wire.inbound(*channels), []
    for channel in channels:
        head = header.ContentHeader(0, BODY_MAX_BYTES, wire.properties())
        parser.feed(made_frame(1, channel, DELIVER) + frame.marshal(head, channel), events)
    for _ in range(BODY_MAX_BYTES - 1):
        parser.feed(b"".join(made_frame(3, channel, b"x") for channel in channels), events)
    assert events == []
    assert wire.held_bytes(parser) == len(channels) * (BODY_MAX_BYTES - 1)
    parser.feed(b"".join(made_frame(3, channel, b"x") for channel in channels), events)
    assert [len(event.body) for event in events if isinstance(event, Content)] == [BODY_MAX_BYTES] * len(channels)
    assert wire.held_bytes(parser) == 0


def test_a_return_on_the_publishing_channel_is_told_from_a_delivery() -> None:
    data, event = wire.returned(b"body")
    (seen,), _ = fed(data)
    assert seen == event and isinstance(seen, Content)
    assert (seen.tag, seen.reply_code, seen.channel) == (0, 312, PUBLISHING)
