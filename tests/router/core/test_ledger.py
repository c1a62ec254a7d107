"""The ledgers against naive models: what is settled, what is open, and confirms that do not add up."""

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from router.core.errors import FrameError
from router.core.ledger import UnconfirmedOutputs, UnsettledInputs


class Thing:
    """Stands in for a delivery or an output: the ledgers look at nothing else."""

    def __init__(self, tag: int = 0, published_at: float = 0.0) -> None:
        self.tag, self.settled = tag, False
        self.published_at, self.returned = published_at, False


def made(**values: Any) -> Any:
    return Thing(**values)


class Inputs(RuleBasedStateMachine):
    """Cumulative acknowledgements say the settled prefix, the whole of it, and never more."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = UnsettledInputs()
        self.all: list[Any] = []
        self.acknowledged = 0

    @rule(gap=st.integers(1, 3))
    def arrive(self, gap: int) -> None:
        """Tags grow, but those of deliveries that were never decided on are missing."""
        thing = made(tag=(self.all[-1].tag if self.all else 0) + gap)
        self.all.append(thing)
        self.ledger.add(thing)

    @precondition(lambda self: self.all)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.all)).settled = True

    @rule()
    def acknowledge(self) -> None:
        prefix = []
        for thing in self.all:
            if not thing.settled:
                break
            prefix.append(thing.tag)
        expected = prefix[-1] if prefix and prefix[-1] > self.acknowledged else 0
        assert self.ledger.take_ack() == expected
        self.acknowledged = expected or self.acknowledged

    @invariant()
    def what_is_open_is_counted(self) -> None:
        assert len(self.ledger) == sum(thing.tag > self.acknowledged for thing in self.all)


class Outputs(RuleBasedStateMachine):
    """Publishes and confirms against a plain dict of open numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = UnconfirmedOutputs()
        self.open: dict[int, Any] = {}
        self.published = 0
        self.now = 0.0

    @initialize(count=st.integers(0, 5))
    def start(self, count: int) -> None:
        for _ in range(count):
            self.publish(1.0)

    @rule(step=st.sampled_from((0.0, 1.0)))
    def publish(self, step: float) -> None:
        self.now += step
        thing = made(published_at=self.now)
        self.published += 1
        assert self.ledger.next_number() == self.published
        assert self.ledger.add(thing) == self.published
        self.open[self.published] = thing

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def confirm_one(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.open)))
        assert self.ledger.take(number, False) == [self.open.pop(number)]

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def confirm_up_to(self, data: st.DataObject) -> None:
        """The broker names a number that is open; all open ones up to it are closed, in their order."""
        number = data.draw(st.sampled_from(sorted(self.open)))
        closed = [self.open.pop(one) for one in sorted(self.open) if one <= number]
        assert self.ledger.take(number, True) == closed

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def come_back(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.open)))
        self.ledger.returned(number)
        assert self.open[number].returned

    @rule(data=st.data(), multiple=st.booleans())
    def confirm_what_is_not_open(self, data: st.DataObject, multiple: bool) -> None:
        """Refused, and nothing is closed by it."""
        closed = sorted(set(range(1, self.published + 1)) - set(self.open))
        oldest = min(self.open, default=self.published + 1)
        wrong = [-1, 0, self.published + 1, self.published + 2**40]
        # One that was closed out of turn may still be named by a confirm of several; it is not open itself.
        wrong += [number for number in closed if number < oldest or not multiple]
        with pytest.raises(FrameError):
            self.ledger.take(data.draw(st.sampled_from(wrong)), multiple)

    @rule(data=st.data())
    def come_back_of_what_is_not_open(self, data: st.DataObject) -> None:
        closed = sorted(set(range(1, self.published + 1)) - set(self.open))
        with pytest.raises(FrameError):
            self.ledger.returned(data.draw(st.sampled_from([-1, 0, self.published + 1, *closed])))

    @rule(seconds=st.sampled_from((0.5, 30.0)))
    def stand_still(self, seconds: float) -> None:
        before = {number: thing.published_at for number, thing in self.open.items()}
        self.ledger.shift(seconds)
        self.now += seconds
        assert {number: thing.published_at - seconds for number, thing in self.open.items()} == before

    @rule()
    def lose_the_channel(self) -> None:
        assert self.ledger.drain() == [self.open[number] for number in sorted(self.open)]
        self.open.clear()

    @invariant()
    def what_is_open_is_counted_and_the_oldest_known(self) -> None:
        assert len(self.ledger) == len(self.open)
        oldest = next(iter(self.ledger.older_than(float("inf"))), None)
        assert oldest is (self.open[min(self.open)] if self.open else None)
        if oldest is not None:
            assert oldest.published_at == min(thing.published_at for thing in self.open.values())


TestInputs = Inputs.TestCase
TestOutputs = Outputs.TestCase


def test_confirms_as_a_broker_coalesces_them() -> None:
    """Measured: 2, 25, 171 with `multiple`, singles out of order between them, nacks coalesced too."""
    ledger = UnconfirmedOutputs()
    things = [made() for _ in range(10)]
    for thing in things:
        ledger.add(thing)
    assert ledger.take(3, False) == [things[2]]
    assert ledger.take(5, False) == [things[4]]
    assert ledger.take(2, True) == things[:2]
    assert ledger.take(6, True) == [things[3], things[5]]
    assert ledger.take(10, True) == things[6:]
    assert len(ledger) == 0 and ledger.older_than(float("inf")) == []
    assert ledger.add(made()) == 11


def test_all_that_is_older_than_a_moment_is_told_and_nothing_younger() -> None:
    ledger = UnconfirmedOutputs()
    things = [made(published_at=float(at)) for at in range(6)]
    for thing in things:
        ledger.add(thing)
    ledger.take(2, False)
    assert ledger.older_than(0.0) == []
    assert ledger.older_than(3.5) == [things[0], things[2], things[3]]
    ledger.shift(10.0)
    assert ledger.older_than(10.5) == [things[0]]
    ledger.take(1, False)
    assert ledger.older_than(10.5) == []


def test_many_open_outputs_are_closed_in_no_time() -> None:
    ledger = UnconfirmedOutputs()
    for _ in range(20_000):
        ledger.add(made())
    for number in range(2, 20_001, 2):
        assert len(ledger.take(number, False)) == 1
    assert len(ledger.take(19_999, True)) == 10_000
