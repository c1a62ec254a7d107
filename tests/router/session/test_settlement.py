"""The law of settlement, against random interleavings: an input is never acknowledged before every output's confirm.

The machine is the broker. It delivers, redelivers what was not acknowledged when a channel goes, confirms one by one or
many at once, nacks, returns, blocks. It keeps its own books from what is written on the wire alone, and checks each
acknowledgement against them.
"""

from collections.abc import Iterable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from router.core import names
from router.core.outcomes import Outcome
from router.core.outputs import Output
from router.lane.inbound import Confirm, Content
from router.session.pair import Pair, State
from tests.router.core.making import SAMU, SAMU2, SDIS, body, when
from tests.router.session.stage import KEY, SHARD, Publish, Stage, message

OPEN, STORED, RETURNED, NACKED, VOID = "open", "stored", "returned", "nacked", "void"
KINDS = ("good", "good", "good", "nowhere", "expired", "rubbish", "poison", "unknown", "copy", "late in the ladder")


class Input:
    """A message in a shard's queue, and what the books say of it in its present channel."""

    def __init__(self, name: str, kind: str, pair: Pair) -> None:
        self.name, self.kind, self.pair = name, kind, pair
        self.deliveries = 0
        self.done = False
        self.tag = 0
        self.channel = 0
        self.publishes: list[Publish] = []
        self.trials: list[tuple[Output, str]] = []

    def begin(self, content: Content) -> None:
        self.tag, self.channel = content.tag, content.channel
        self.deliveries += 1
        self.publishes, self.trials = [], []


class Books(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.stage = Stage(undecided_max_bytes=20_000, unconfirmed_max_bytes=20_000)
        self.inputs: dict[str, Input] = {}
        self.state: dict[tuple[int, int], str] = {}
        self.seen_publishes = self.seen_acks = self.seen_trials = 0
        self.acked_up_to: dict[int, int] = {}
        self.orphans: list[Output] = []
        """Trials whose pair lost its channels meanwhile: they go on, on a connection of their own."""
        self.made = 0

    @initialize()
    def open_pairs(self) -> None:
        self.stage.pair(SHARD)
        self.stage.pair(0)

    # ---- what the broker does --------------------------------------------------------------------

    def content(self, found: Input) -> Content:
        again = found.deliveries > 0
        payload, key = message(found.name), KEY
        values: dict[str, Any] = {"redelivered": again}
        if found.kind == "nowhere":
            payload = message(found.name, recipient="fr.health.nowhere")
        elif found.kind == "expired":
            payload = message(found.name, dateTimeExpires=when(-1))
        elif found.kind == "rubbish":
            payload = b'{"distributionID":"x_' + found.name.encode() + b'"'
        elif found.kind == "poison":
            values = {"redelivered": True, "headers": {"x-delivery-count": 8}}
        elif found.kind == "unknown":
            key = "who.knows"
        elif found.kind == "copy":
            payload, key = body(SAMU2, SDIS, distributionID=f"{SAMU2.id}_{found.name}"), SAMU2.publish_keys[0]
        if found.kind == "late in the ladder":
            return self.stage.from_hub(found.pair, payload, headers={"x-hub-attempt": 3}, redelivered=again)
        if found.kind in ("good", "nowhere", "expired", "rubbish", "poison") and found.pair is self.stage.pairs[1]:
            # The other shard's clients are others: given back by the hub, they may be anybody's.
            values["headers"] = {**values.get("headers", {}), names.HEADER_KEY: KEY}
            queue = found.pair.source.queue
            return self.stage.content(found.pair, payload, queue, exchange=names.SHARD_EXCHANGE, **values)
        return self.stage.content(found.pair, payload, key, **values)

    @rule(kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=8), other=st.booleans())
    def deliver(self, kinds: list[str], other: bool) -> None:
        pair = self.stage.pairs[int(other)]
        if pair.state is not State.OPEN:
            return
        contents = []
        for kind in kinds:
            self.made += 1
            found = self.inputs[f"{self.made}"] = Input(f"{self.made}", kind, pair)
            contents.append(self.content(found))
            found.begin(contents[-1])
        self.stage.flow.consumed(contents)
        self.look()

    def open_publishes(self, *states: str) -> list[Publish]:
        wanted = states or (OPEN,)
        return [one for one in self.stage.published if self.state.get((one.channel, one.number)) in wanted]

    @precondition(lambda self: self.open_publishes())
    @rule(data=st.data(), stored=st.sampled_from((True, True, True, False)), multiple=st.booleans())
    def confirm(self, data: st.DataObject, stored: bool, multiple: bool) -> None:
        chosen = data.draw(st.sampled_from(self.open_publishes(OPEN, RETURNED)))
        if self.state[chosen.channel, chosen.number] == RETURNED:
            stored = True  # the broker acknowledges what it returned
        self.tell([(chosen, multiple, stored)])

    @precondition(lambda self: self.open_publishes())
    @rule(data=st.data())
    def return_and_confirm_in_one_batch(self, data: st.DataObject) -> None:
        chosen = data.draw(st.sampled_from(self.open_publishes()))
        self.state[chosen.channel, chosen.number] = RETURNED
        self.stage.flow.published([self.stage.return_of(chosen)])
        self.tell([(chosen, False, True)])

    @precondition(lambda self: self.open_publishes())
    @rule(data=st.data())
    def return_now_and_confirm_later(self, data: st.DataObject) -> None:
        chosen = data.draw(st.sampled_from(self.open_publishes()))
        self.state[chosen.channel, chosen.number] = RETURNED
        self.stage.flow.published([self.stage.return_of(chosen)])
        self.look()

    def tell(self, confirms: Iterable[tuple[Publish, bool, bool]]) -> None:
        events = []
        for chosen, multiple, stored in confirms:
            first = 1 if multiple else chosen.number
            for number in range(first, chosen.number + 1):
                place = (chosen.channel, number)
                if self.state[place] == OPEN:
                    self.state[place] = STORED if stored else NACKED
                elif self.state[place] == RETURNED:
                    self.state[place] = "returned and closed"
            events.append(Confirm(chosen.channel, chosen.number, multiple, stored))
        self.stage.flow.published(list(events))
        self.look()

    @rule(blocked=st.booleans())
    def block(self, blocked: bool) -> None:
        self.stage.block(blocked)
        self.look()

    @rule(seconds=st.sampled_from((0.1, 40.0)))
    def wait(self, seconds: float) -> None:
        self.stage.now += seconds
        self.stage.wall += seconds / 100

    @rule(other=st.booleans())
    def lose_the_channels_of_a_pair(self, other: bool) -> None:
        self.lose(self.stage.pairs[int(other)])

    def lose(self, pair: Pair) -> None:
        """The broker takes everything unsettled back and delivers it again, in its place."""
        self.stage.flow.abandon(pair)
        for one in self.stage.published:
            place = (one.channel, one.number)
            if one.channel == pair.publish_number and self.state[place] in (OPEN, RETURNED):
                self.state[place] = VOID
        self.stage.reopen(pair)
        contents = []
        for found in self.inputs.values():
            if found.pair is pair and not found.done:
                self.orphans += [output for output, state in found.trials if state == OPEN]
                contents.append(self.content(found))
                found.begin(contents[-1])
        self.stage.flow.consumed(contents)
        self.look()

    @rule(queue=st.sampled_from((SDIS.inboxes[0], SAMU.inbox("info"), "fr.health.nowhere.in.message")))
    def suspect(self, queue: str) -> None:
        self.stage.suspects.silent(queue)

    @precondition(lambda self: self.open_trials())
    @rule(outcome=st.sampled_from([outcome for outcome in Outcome if outcome is not Outcome.STOPPING]))
    def end_the_trial(self, outcome: Outcome) -> None:
        found, output = self.open_trials()[-1]
        answered = outcome in (Outcome.CONFIRMED, Outcome.NACKED, Outcome.RETURNED)
        found.trials = [(one, outcome.name if one is output else state) for one, state in found.trials]
        self.stage.suspects.tried(output.queue, answered)
        self.stage.flow.finish(output, outcome, self.stage.now)
        self.stage.flow.flush()
        self.look()

    @precondition(lambda self: self.orphans)
    @rule(outcome=st.sampled_from([outcome for outcome in Outcome if outcome is not Outcome.STOPPING]))
    def end_an_orphaned_trial(self, outcome: Outcome) -> None:
        """Its input was given back to the broker: whatever became of it settles and publishes nothing."""
        output = self.orphans.pop()
        published, settled = len(self.stage.published), len(self.stage.settlements)
        self.stage.suspects.tried(output.queue, outcome is Outcome.CONFIRMED)
        self.stage.flow.finish(output, outcome, self.stage.now)
        self.stage.flow.flush()
        self.look()
        assert (len(self.stage.published), len(self.stage.settlements)) == (published, settled)

    def open_trials(self) -> list[tuple[Input, Output]]:
        return [(found, one) for found in self.inputs.values() for one, state in found.trials if state == OPEN]

    # ---- what the books say ----------------------------------------------------------------------

    def look(self) -> None:
        """Enter what was written since; check each acknowledgement by what was entered before it."""
        assert self.stage.failures == [] and self.stage.bugs == []
        for one in self.stage.published[self.seen_publishes :]:
            self.state[one.channel, one.number] = OPEN
            self.input_of(one.body if one.kind != "report" else one.about.encode()).publishes.append(one)
        for output in self.stage.trials[self.seen_trials :]:
            self.inputs[self.name_of(output)].trials.append((output, OPEN))
        self.seen_publishes, self.seen_trials = len(self.stage.published), len(self.stage.trials)
        for channel, tag, multiple in self.stage.acked[self.seen_acks :]:
            assert multiple and tag > self.acked_up_to.get(channel, 0)
            for found in self.inputs.values():
                if found.channel == channel and self.acked_up_to.get(channel, 0) < found.tag <= tag:
                    assert not found.done
                    self.check_settled(found)
                    found.done = True
            self.acked_up_to[channel] = tag
        self.seen_acks = len(self.stage.acked)
        if self.stage.silences:
            # A ladder or a parking queue that does not take what it must: the session cuts both connections.
            self.stage.silences.clear()
            for pair in self.stage.pairs:
                self.lose(pair)

    def name_of(self, output: Output) -> str:
        """Of the input that a trial comes from; a report's body names it last."""
        delivery = output.delivery
        place = (delivery.pair.consume_number, delivery.tag)
        return next(name for name, found in self.inputs.items() if (found.channel, found.tag) == place)

    def input_of(self, about: bytes) -> Input:
        text = about.decode()
        if text.startswith("{"):
            text = text.partition('"distributionID":"')[2].partition('"')[0]
        return self.inputs[text.rpartition("_")[2]]

    def check_settled(self, found: Input) -> None:
        states = [(one.kind, self.state[one.channel, one.number]) for one in found.publishes]
        trials = [state for _, state in found.trials]
        story = (found.name, found.kind, states, trials)
        assert OPEN not in [state for _, state in states] + trials, story
        assert RETURNED not in [state for _, state in states], story  # its confirm has not come yet
        stored = {kind for kind, state in states if state == STORED}
        if any(kind == "park" for kind, _ in states):
            assert "park" in stored, story
        if found.kind == "copy":
            assert states == [] and trials == [], story
        elif not stored and "CONFIRMED" not in trials:
            # Only a report with no inbox to go to is let go: the last word was a report, and it was returned.
            assert [*states, *(("report", state.lower()) for state in trials)][-1] in (
                ("report", "returned and closed"),
                ("report", "returned"),
            ), story
        for at, (kind, state) in enumerate(states):
            if kind != "report" and state in ("returned and closed", NACKED):
                assert len(states) > at + 1 or trials, story  # something took its place

    @invariant()
    def numbers_are_in_step_with_what_is_written(self) -> None:
        by_channel: dict[int, list[int]] = {}
        for one in self.stage.published:
            by_channel.setdefault(one.channel, []).append(one.number)
        for numbers in by_channel.values():
            assert numbers == list(range(1, len(numbers) + 1))

    @invariant()
    def bytes_are_counted(self) -> None:
        flow = self.stage.flow
        waiting = self.open_publishes(OPEN, RETURNED)
        assert flow.unconfirmed_bytes == sum(len(one.body) for one in waiting)
        assert flow.undecided_bytes == sum(len(one.body) for pair in self.stage.pairs for one in pair.undecided)
        assert flow.unconfirmed_bytes <= 20_000 + 20 * 2_000

    @invariant()
    def what_is_decided_keeps_its_order(self) -> None:
        """First forwards of one channel, in the order of the queue."""
        for pair in self.stage.pairs:
            tags = [
                found.tag
                for one in self.stage.published
                if one.kind == "forward" and one.channel == pair.publish_number
                for found in [self.input_of(one.body)]
                if found.channel == pair.consume_number
            ]
            assert tags == sorted(tags)

    def teardown(self) -> None:
        """When the broker answers everything, everything is settled: nothing waits for ever."""
        if not self.stage.pairs:
            return
        self.stage.block(False)
        for _ in range(10 * self.made + 10):
            self.look()
            for found, output in self.open_trials():
                found.trials = [(one, "CONFIRMED" if one is output else state) for one, state in found.trials]
                self.stage.suspects.tried(output.queue, True)
                self.stage.flow.finish(output, Outcome.CONFIRMED, self.stage.now)
                self.stage.flow.flush()
            waiting = self.open_publishes(OPEN, RETURNED)
            if not waiting:
                break
            self.tell([(max(waiting, key=lambda one: (one.channel, one.number)), True, True)])
        self.stage.flow.pump()
        self.look()
        assert [found.name for found in self.inputs.values() if not found.done] == []
        assert self.stage.flow.unconfirmed_bytes == self.stage.flow.undecided_bytes == 0
        assert self.stage.pauses[-1:] in ([], [False])


TestBooks = Books.TestCase
TestBooks.settings = settings(stateful_step_count=40)
