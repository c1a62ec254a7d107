"""What a vhost session makes of its flow's wishes, without a connection. (The rest is for the tests on a broker.)"""

from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any

import pytest
from yarl import URL

from router.core.delivery import Role
from router.core.outcomes import Kind, Step
from router.core.outputs import Output
from router.session.pair import Pair, Source, State
from router.session.vhost import Settings, VhostSession
from tests.router.core.making import EasyPack, rules
from tests.router.session.stage import Channel


class Forgetful:
    """A flow that takes note of what it is to forget."""

    def __init__(self) -> None:
        self.forgotten: list[Pair] = []

    def forget(self, pair: Pair) -> None:
        self.forgotten.append(pair)


def session(prefetch: int, monkeypatch: pytest.MonkeyPatch) -> tuple[VhostSession, Forgetful, list[str]]:
    """A session that spawns nothing; the names of what it would have."""
    spawned: list[str] = []

    def spawn(_: VhostSession, work: Coroutine[Any, Any, None]) -> None:
        spawned.append(work.cr_code.co_name)
        work.close()

    monkeypatch.setattr(VhostSession, "_spawn", spawn)
    made = VhostSession(
        lambda role: URL("amqp://nowhere"),
        rules(EasyPack()),
        [],
        [],
        Settings("tag", prefetch, 30.0, 1000, 1000, 1000, False),
        None,  # type: ignore[arg-type]
        lambda ready, why: None,
    )
    flow = Forgetful()
    made._flow = flow  # type: ignore[assignment]
    return made, flow, spawned


def open_pair(prefetch: int) -> Pair:
    made = Pair(Source("dispatch.00", Role.SHARD, 0), prefetch)
    made.state = State.OPEN
    return made


def test_a_suspected_poison_is_isolated_and_left_behind_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made, flow, spawned = session(256, monkeypatch)
    crowd, alone = open_pair(256), open_pair(1)
    made.isolate(crowd)
    made.past_poison(alone)
    assert flow.forgotten == [crowd, alone] and spawned == ["_resubscribe", "_resubscribe"]


def test_a_prefetch_of_one_is_not_a_poison_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Configured so, each settled message would make the pair subscribe anew."""
    made, flow, spawned = session(1, monkeypatch)
    made.past_poison(open_pair(1))
    assert flow.forgotten == [] and spawned == []


@pytest.mark.parametrize("state", (State.CLOSING, State.CLOSED))
def test_a_pair_that_is_going_is_left_alone(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    made, flow, spawned = session(256, monkeypatch)
    pair = open_pair(256)
    pair.state = state
    made.isolate(pair)
    assert flow.forgotten == [] and spawned == []


def test_only_the_silence_of_an_inbox_makes_it_suspect(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _, _ = session(256, monkeypatch)
    made.silent(Step.TROUBLE, "hub.parked")
    assert len(made._suspects) == 0
    made.silent(Step.SUSPECT, "x.in.message")
    assert "x.in.message" in made._suspects


def output_of(pair: Pair, queue: str) -> Output:
    delivery = SimpleNamespace(pair=pair)
    return Output(Kind.FORWARD, delivery, "hub.inbox", queue, (b"", b""), b"")  # type: ignore[arg-type]


def test_a_first_nack_starts_the_pair_anew_once_and_what_comes_meanwhile_is_void(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, _, spawned = session(256, monkeypatch)
    made._failure = SimpleNamespace(done=lambda: False)  # type: ignore[assignment]
    pair = open_pair(256)
    pair.publishing = Channel(1)  # type: ignore[assignment]
    assert made.doubts(output_of(pair, "x.in.message")) and spawned == ["_reset"]
    assert made.doubts(output_of(pair, "x.in.message")) and made.doubts(output_of(pair, "y.in.message"))
    pair.resetting = False
    assert not made.doubts(output_of(pair, "x.in.message"))
    assert made.doubts(output_of(pair, "y.in.message")) and spawned == ["_reset", "_reset"]


def test_a_nack_is_believed_of_a_queue_that_confirmed_on_the_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _, spawned = session(256, monkeypatch)
    made._failure = SimpleNamespace(done=lambda: False)  # type: ignore[assignment]
    pair = open_pair(256)
    pair.opened_for_publishing(Channel(1))  # type: ignore[arg-type]
    pair.confirmed.add(("hub.inbox", "x.in.message"))
    assert not made.doubts(output_of(pair, "x.in.message")) and spawned == []
    pair.opened_for_publishing(Channel(2))  # type: ignore[arg-type]
    assert made.doubts(output_of(pair, "x.in.message"))
