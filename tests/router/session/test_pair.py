"""A pair's own affairs: its method frames, and what a fresh channel starts from."""

from pamqp import frame
from pamqp.commands import Basic

from router.core.delivery import Role
from router.session.pair import METHOD_CACHE_ENTRIES, Pair, Source, State
from tests.router.session.stage import Channel, Stage, message


def method(pair: Pair, exchange: str, queue: str) -> tuple[int, Basic.Publish]:
    _, channel, found = frame.unmarshal(pair.method(exchange, queue))
    assert isinstance(found, Basic.Publish)
    return channel, found


def test_method_frames_are_those_of_the_channel_of_now() -> None:
    pair = Pair(Source("dispatch.00", Role.SHARD, 0), 256)
    for number in (3, 4):
        pair.opened_for_publishing(Channel(number))  # type: ignore[arg-type]
        for exchange, queue in (("hub.inbox", "a.message"), ("hub.inbox", "b.message"), ("hub.parked", "hub.parked")):
            channel, found = method(pair, exchange, queue)
            assert (channel, found.exchange, found.routing_key) == (number, exchange, queue)


def test_method_frames_are_kept_within_their_bound() -> None:
    pair = Pair(Source("dispatch.00", Role.SHARD, 0), 256)
    pair.opened_for_publishing(Channel(1))  # type: ignore[arg-type]
    assert pair.method("hub.inbox", "a") is pair.method("hub.inbox", "a")
    for at in range(3 * METHOD_CACHE_ENTRIES):
        assert method(pair, "hub.inbox", f"q{at}")[1].routing_key == f"q{at}"
        assert len(pair._methods) <= METHOD_CACHE_ENTRIES


def test_only_a_prefetch_of_one_is_alone() -> None:
    source = Source("dispatch.00", Role.SHARD, 0)
    assert Pair(source, 1).alone and not Pair(source, 2).alone


def test_a_pair_begins_closed_and_a_fresh_channel_begins_with_nothing_open() -> None:
    stage = Stage()
    assert Pair(Source("dispatch.00", Role.SHARD, 0), 256).state is State.CLOSED
    pair = stage.pair()
    stage.deliver(pair, message("a"), message("b"))
    stage.flow.blocked = True
    stage.deliver(pair, message("c"))
    freed = sum(len(one.body) for one in pair.undecided)
    assert (len(pair.inputs), len(pair.outputs)) == (2, 2) and freed == stage.flow.undecided_bytes > 0
    assert pair.forget_undecided() == freed and pair.forget_undecided() == 0
    pair.opened_for_publishing(Channel(7))  # type: ignore[arg-type]
    pair.opened_for_consuming(Channel(8))  # type: ignore[arg-type]
    assert (len(pair.inputs), len(pair.outputs), len(pair.undecided)) == (0, 0, 0)
    assert (pair.publish_number, pair.consume_number, pair.outputs.next_number()) == (7, 8, 1)
