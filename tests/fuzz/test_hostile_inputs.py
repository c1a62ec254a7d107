"""Hostile inputs through the lane, the decision and its outputs, in process: 20 000 of them, a million by night.

Each gets exactly one decision, and outputs that a broker would take and a recipient can read; nothing is raised,
nothing forged gets through, none is slow. An input is told by its seed: `hostile(Random(seed), …)`.
"""

import struct
import time
from random import Random

from pamqp import commands, frame

from router.core import names, outputs
from router.core.decide import decide
from router.core.decisions import Discard, Forward, Park, Refuse, Retry
from router.core.delivery import Delivery, Role
from router.core.envelope import fast_read
from router.core.outputs import Output
from router.core.properties import MAX_HEADER_BYTES, parse
from router.lane import outbound
from router.lane.inbound import Content, Event, Inbound
from tests.conftest import Scale
from tests.router.core.making import CLIENTS, SHARDS, pack, rules
from tests.support.hostile import BROKER_HEADERS, Hostile, hostile

LIMIT_SECONDS = 0.25
FRAME_BYTES = 4096
CHANNEL = 1
RULES = rules()
HUBS_OWN = {names.HEADER_KEY, names.HEADER_FIRST_SEEN, names.HEADER_PUBLISH, names.HEADER_CONVERSION}
"""What a recipient sees of the hub; the mark comes with what came twice."""


def delivered(given: Hostile, key: str, exchange: str, redelivered: bool) -> bytes:
    """The frames of a broker that hands it over."""
    method = commands.Basic.Deliver("tag", 1, redelivered, exchange, key)
    head = struct.pack(">HHQ", 60, 0, len(given.body)) + given.properties
    frames = [frame.marshal(method, CHANNEL), _frame(2, head)]
    room = FRAME_BYTES - 8
    frames += [_frame(3, given.body[at : at + room]) for at in range(0, len(given.body), room)]
    return b"".join(frames)


def _frame(kind: int, payload: bytes) -> bytes:
    return struct.pack(">BHI", kind, CHANNEL, len(payload)) + payload + b"\xce"


def read_back(data: bytes, rnd: Random) -> Content:
    """The one content that the lane makes of these bytes, cut anywhere."""
    parser = Inbound(FRAME_BYTES + MAX_HEADER_BYTES, 1 << 20)
    parser.take_channel(CHANNEL)
    events: list[Event] = []
    cut = rnd.randrange(len(data))
    assert parser.feed(data[:cut], events) == b"" and parser.feed(data[cut:], events) == b""
    (event,) = events
    assert isinstance(event, Content)
    return event


def through(seed: int) -> tuple[str, float]:
    """One input; what became of it, and the CPU seconds that it took."""
    rnd = Random(seed)
    sender, recipient = rnd.choice(CLIENTS), rnd.choice(CLIENTS)
    given = hostile(rnd, sender, recipient, pack())
    role = rnd.choice(list(Role)) if rnd.randrange(4) == 0 else Role.SHARD
    exchange = names.ENTRANCE if rnd.randrange(5) else rnd.choice((names.SHARD_EXCHANGE, *names.DEAD_QUEUES))
    key = rnd.choice(sender.publish_keys) if rnd.randrange(10) else rnd.choice(("", "x", "fr.health.x.out.message"))
    redelivered, now = rnd.randrange(8) == 0, time.time()
    data = delivered(given, key, exchange, redelivered)
    begun = time.process_time()
    event = read_back(data, rnd)
    one = Delivery(
        "dispatch.00", role, SHARDS[sender.id], 1, event.redelivered, event.exchange, event.routing_key,
        event.raw_properties, event.body, 100.0,
    )  # fmt: skip
    decision = decide(one, RULES, now)
    made: tuple[Output, ...] = ()
    match decision:
        case Forward():
            made = (outputs.forward(one, decision, now),)
        case Refuse():
            made = outputs.refusal(one, decision, RULES.pack, now)
            assert len(made) == (decision.client is not None)
        case Park():
            made = outputs.parking(one, decision, RULES.pack, now)
        case Retry():
            climbed = outputs.climb(one, decision.reason, now)
            made = () if climbed is None else (climbed,)
        case Discard():
            pass
    cost = time.process_time() - begun
    for output in made:
        _publishable(output, rnd)
    if isinstance(decision, Forward):
        _nothing_forged(one, made[0], key)
        assert decision.converted_to is not None or decision.body == given.body
    if isinstance(decision, Refuse) and made:
        _is_a_report(made[0].body)
    return type(decision).__name__, cost


def _publishable(output: Output, rnd: Random) -> None:
    """It goes out in frames that are read back as they were; a key is a short string."""
    out: list[bytes] = [outbound.publish_method(CHANNEL, output.exchange, output.queue)]
    outbound.content(CHANNEL, output.properties(7), output.body, FRAME_BYTES, out)
    head = frame.marshal(commands.Basic.Deliver("tag", 1, False, output.exchange, "k"), CHANNEL)
    event = read_back(head + b"".join(out[1:]), rnd)
    assert event.body == output.body
    assert parse(event.raw_properties).number(names.HEADER_PUBLISH) == 7


def _nothing_forged(one: Delivery, output: Output, key: str) -> None:
    written = parse(output.properties(7))
    headers = set(written.trusted or ())
    assert headers <= HUBS_OWN, headers - HUBS_OWN
    for name in (*BROKER_HEADERS, "CC", "BCC"):  # as an entry begins
        assert bytes((len(name),)) + name.encode() not in written.kept, name
    assert not written.flags & 0x0010, "user_id"
    assert written.persistent
    if not one.believed:
        assert written.text(names.HEADER_KEY) == key


def _is_a_report(body: bytes) -> None:
    text = body if body[:1] == b"{" else pack().xml.read_message(body).json
    read = fast_read(text)
    assert read is not None and read[0].distributionKind == "Error"
    assert pack().judge(read[0].content)[0] == ("RS-ERROR",)


def test_each_hostile_input_has_one_decision(scale: Scale) -> None:
    count = scale(20_000, 1_000_000)
    first = 0 if count < 1_000_000 else int(time.time()) * 1_000_000  # others each night
    became: dict[str, int] = {}
    slowest = (0.0, 0)
    for seed in range(first, first + count):
        try:
            what, cost = through(seed)
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error
        became[what] = became.get(what, 0) + 1
        if cost > slowest[0]:
            # Once more: a neighbour on the same core makes one slow, not the input.
            slowest = max(slowest, (min(cost, through(seed)[1]), seed))
    print(f"{became}; slowest {slowest[0] * 1000:.1f} ms, seed {slowest[1]}")
    assert sum(became.values()) == count
    assert set(became) == {"Forward", "Refuse", "Park", "Retry", "Discard"}
    assert slowest[0] < LIMIT_SECONDS
