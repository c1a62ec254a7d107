"""The data path of one vhost in one worker, without a single await: deliveries in, publishes and acknowledgements out.

Law: a decision and its bookkeeping happen in one synchronous step, so no cancel can leave half of it. Each batch of
input ends in at most one write per connection. Nothing is acknowledged that `UnsettledInputs` does not name as settled.
"""

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from msgspec import structs

from router.core import outputs
from router.core.decide import decide, park, unroutable
from router.core.decisions import Decision, Discard, Forward, Park, Refuse, Retry
from router.core.delivery import Delivery
from router.core.errors import FrameError, MalformedProperties
from router.core.names import INFO, REASON_BUG
from router.core.origin import is_marked
from router.core.outcomes import TABLE, Kind, Outcome, Step
from router.core.outputs import Output
from router.core.properties import publish_number
from router.core.rules import POISON_ALONE_COUNT, POISON_PARK_COUNT, Rules
from router.core.suspects import SuspectInboxes
from router.lane import outbound
from router.lane.inbound import OFFERED_FRAME_BYTES, Blocked, Confirm, Content, Event
from router.session.pair import Pair, State

SLICE_DELIVERIES: Final = 16
"""Decided per shard before the next shard's turn: a flood delays its own shard only; a slice costs a few ms."""
TURN_SECONDS: Final = 0.010
"""After this long the loop gets its turn (confirms, heartbeats), then deciding goes on: looked at after each decision,
for a message made to cost may take a second."""


class Observer(Protocol):
    """Who is told what happened, for log lines and metrics; must not raise and must be cheap."""

    def received(self, delivery: Delivery, wall: float) -> None: ...
    def settled(self, delivery: Delivery, latency_seconds: float) -> None: ...
    def replaced(self, output: Output, outcome: Outcome, step: Step) -> None: ...
    def outcome(self, kind: Kind, outcome: Outcome, latency_seconds: float) -> None: ...
    def bug(self, delivery: Delivery, error: BaseException) -> None: ...


class Hooks(Protocol):
    """What the flow asks of the session that owns the connections."""

    def write_publishes(self, data: bytes) -> None: ...
    def write_acks(self, data: bytes) -> None: ...
    def decide_again_soon(self) -> None: ...
    def settled(self) -> None: ...
    def isolate(self, pair: Pair) -> None: ...
    def past_poison(self, pair: Pair) -> None: ...
    def trial(self, output: Output) -> None: ...
    def silent(self, step: Step, queue: str) -> None: ...
    def doubts(self, output: Output) -> bool: ...
    def blocked(self, blocked: bool) -> None: ...
    def reading(self, paused: bool) -> None: ...
    def failed(self, why: str) -> None: ...


class Flow:
    """Live state of the data path; a new one for each pair of connections. `rules` may be replaced at any time."""

    def __init__(
        self,
        rules: Rules,
        suspects: SuspectInboxes,
        observer: Observer,
        hooks: Hooks,
        clock: Callable[[], float],
        wall: Callable[[], float],
        undecided_max_bytes: int,
        unconfirmed_max_bytes: int,
    ) -> None:
        self.rules, self._suspects, self._observer, self._hooks = rules, suspects, observer, hooks
        self._clock, self._wall = clock, wall
        self._undecided_max_bytes, self._unconfirmed_max_bytes = undecided_max_bytes, unconfirmed_max_bytes
        self.max_frame_bytes = OFFERED_FRAME_BYTES
        self.by_consume: dict[int, Pair] = {}
        self.by_publish: dict[int, Pair] = {}
        self.blocked = False
        self.writable = True
        self.stopping = False
        self.undecided_bytes = 0
        self.unconfirmed_bytes = 0
        self._reading_paused = False
        self._turns: deque[Pair] = deque()
        self._publishes: list[bytes] = []
        self._to_ack: dict[int, Pair] = {}

    # ---- bytes have come -------------------------------------------------------------------------

    def consumed(self, events: list[Event]) -> None:
        """Events of the consuming connection."""
        now = self._clock()
        for event in events:
            if type(event) is not Content:
                continue
            channel, tag, redelivered, _, exchange, routing_key, raw_properties, body = event
            pair = self.by_consume.get(channel)
            if pair is None or pair.state is not State.OPEN:
                continue
            queue, role, shard = pair.source
            pair.undecided.append(
                Delivery(queue, role, shard, tag, redelivered, exchange, routing_key, raw_properties, body, now)
            )
            self.undecided_bytes += len(body)
            if not pair.queued:
                pair.queued = True
                self._turns.append(pair)
        self.pump()
        if not self._reading_paused and self.undecided_bytes > self._undecided_max_bytes:
            self._reading_paused = True
            self._hooks.reading(True)

    def published(self, events: list[Event]) -> None:
        """Events of the publishing connection: confirms, returns, blocked."""
        now = self._clock()
        try:
            for event in events:
                if type(event) is Confirm:
                    pair = self.by_publish.get(event.channel)
                    if pair is not None:
                        for output in pair.outputs.take(event.number, event.multiple):
                            self._closed(output, event.stored, now)
                elif type(event) is Content:
                    pair = self.by_publish.get(event.channel)
                    if pair is not None:
                        pair.outputs.returned(publish_number(event.raw_properties))
                elif type(event) is Blocked:
                    self.blocked = event.blocked
                    self._hooks.blocked(event.blocked)
        except (FrameError, MalformedProperties) as error:
            self._hooks.failed(f"confirms do not add up: {type(error).__name__}")
            return
        self.pump()

    # ---- deciding --------------------------------------------------------------------------------

    def pump(self) -> None:
        """Decide what waits, shard by shard in slices, then write. Safe to call at any time."""
        turns = self._turns
        if turns and self._may_decide():
            ends_at = self._clock() + TURN_SECONDS
            while turns and self._may_decide():
                pair = turns.popleft()
                self._slice(pair, ends_at)
                if pair.undecided and pair.state is State.OPEN:
                    turns.append(pair)
                else:
                    pair.queued = False
                if turns and self._clock() >= ends_at:
                    self._hooks.decide_again_soon()
                    break
        self.flush()

    def _may_decide(self) -> bool:
        """DELIVERY.md 4: while blocked, nothing new; and a bounded memory of unconfirmed bytes."""
        return (
            self.writable
            and not self.blocked
            and not self.stopping
            and self.unconfirmed_bytes < self._unconfirmed_max_bytes
        )

    def _slice(self, pair: Pair, ends_at: float) -> None:
        undecided = pair.undecided
        for _ in range(min(SLICE_DELIVERIES, len(undecided))):
            delivery = undecided[0]
            if POISON_ALONE_COUNT <= delivery.delivery_count < POISON_PARK_COUNT and not pair.alone:
                self._hooks.isolate(pair)
                return
            undecided.popleft()
            self.undecided_bytes -= len(delivery.body)
            self._decide(pair, delivery)
            if self._clock() >= ends_at:
                break
        self._resume_reading()

    def _resume_reading(self) -> None:
        if self._reading_paused and self.undecided_bytes < self._undecided_max_bytes // 2:
            self._reading_paused = False
            self._hooks.reading(False)

    def _decide(self, pair: Pair, delivery: Delivery) -> None:
        wall = self._wall()
        delivery.marked = is_marked(delivery)
        delivery.pair, delivery.ledger = pair, pair.inputs
        pair.inputs.add(delivery)
        try:
            self._carry_out(pair, delivery, decide(delivery, self.rules, wall), wall)
        except Exception as error:  # our bug: the message is kept, parked and reported, the worker goes on
            self._observer.bug(delivery, error)
            self._set_aside(pair, delivery, wall)

    def _set_aside(self, pair: Pair, delivery: Delivery, wall: float) -> None:
        """Parked undecoded; without a report if it is the report that cannot be made."""
        decision = park(delivery, self.rules, REASON_BUG)
        try:
            self._carry_out(pair, delivery, decision, wall)
        except Exception as error:
            self._observer.bug(delivery, error)
            self._carry_out(pair, delivery, structs.replace(decision, client=None), wall)

    def _carry_out(self, pair: Pair, delivery: Delivery, decision: Decision, wall: float) -> None:
        delivery.decision = decision
        self._observer.received(delivery, wall)
        if isinstance(decision, Forward):
            if pair.window.repeated(decision.client.id, decision.facts.distribution_id, delivery.received_at):
                delivery.marked = True
            self._forward(pair, delivery, decision, wall)
        else:
            self._other(pair, delivery, decision, wall)

    def _forward(self, pair: Pair, delivery: Delivery, decision: Forward, wall: float) -> None:
        delivery.missing = 1
        if self._suspects and decision.queue in self._suspects:
            delivery.marked = True
            self._to_suspect(pair, outputs.forward(delivery, decision, wall), wall)
            return
        self._publish(pair, outputs.forward(delivery, decision, wall))

    def _to_suspect(self, pair: Pair, output: Output, wall: float) -> None:
        """An output for a suspect inbox counts as nacked, but for one at a time that is tried (DELIVERY.md 4)."""
        if output.kind is Kind.PARKED_REPORT:
            self._unreported(pair, output, Outcome.NACKED)
        elif self._suspects.may_try(output.queue):
            output.kind = Kind.TRIAL
            output.published_at = self._clock()
            self._hooks.trial(output)
        else:
            self._climb(pair, output.delivery, "inbox_suspect", wall)

    def _other(self, pair: Pair, delivery: Delivery, decision: Refuse | Park | Retry | Discard, wall: float) -> None:
        if isinstance(decision, Refuse):
            if decision.client is not None and decision.client.inbox(INFO) in self._suspects:
                delivery.marked = True
            made = outputs.refusal(delivery, decision, self.rules.pack, wall)
        elif isinstance(decision, Park):
            made = outputs.parking(delivery, decision, self.rules.pack, wall)
        elif isinstance(decision, Retry):
            delivery.missing = 1
            self._climb(pair, delivery, decision.reason, wall)
            return
        else:
            made = ()
        delivery.missing = len(made)
        self._publish_unit(pair, made, wall)
        if not made:
            self._settle(pair, delivery)

    def _publish_unit(self, pair: Pair, unit: tuple[Output, ...], wall: float) -> None:
        for output in unit:
            if output.queue in self._suspects:
                self._to_suspect(pair, output, wall)
            else:
                self._publish(pair, output)

    def _climb(self, pair: Pair, delivery: Delivery, reason: str, wall: float) -> None:
        """Replace one output of the delivery by the input on the next rung, or parked after the last."""
        output = outputs.climb(delivery, reason, wall)
        if output is None:
            self._park(pair, delivery, reason, wall)
            return
        if not isinstance(delivery.decision, Retry):
            delivery.decision = Retry(reason, delivery.decision.key, delivery.decision.facts)
        self._publish(pair, output)

    def _park(self, pair: Pair, delivery: Delivery, reason: str, wall: float) -> None:
        decision = park(delivery, self.rules, reason, delivery.decision.facts)
        delivery.decision = decision
        made = outputs.parking(delivery, decision, self.rules.pack, wall)
        delivery.missing += len(made) - 1
        self._publish_unit(pair, made, wall)

    def _publish(self, pair: Pair, output: Output) -> None:
        method = pair.method(output.exchange, output.queue)  # first: an exception may not cost a number
        output.published_at = self._clock()
        number = pair.outputs.add(output)
        self.unconfirmed_bytes += len(output.body)
        out = self._publishes
        out.append(method)
        outbound.content(pair.publish_number, output.properties(number), output.body, self.max_frame_bytes, out)

    # ---- settling --------------------------------------------------------------------------------

    def _closed(self, output: Output, stored: bool, now: float) -> None:
        self.unconfirmed_bytes -= len(output.body)
        if output.returned:
            outcome = Outcome.RETURNED
        elif stored:
            outcome = Outcome.CONFIRMED
            output.delivery.pair.confirmed.add((output.exchange, output.queue))
        else:
            outcome = Outcome.LOST if self._hooks.doubts(output) else Outcome.NACKED
        self.finish(output, outcome, now)

    def finish(self, output: Output, outcome: Outcome, now: float) -> None:
        """What follows from an outcome, by the table."""
        self._observer.outcome(output.kind, outcome, now - output.published_at)
        step = TABLE[output.kind, outcome]
        delivery = output.delivery
        pair: Pair = delivery.pair
        if pair.inputs is not delivery.ledger:
            return  # its channel is gone: the broker redelivers the input
        if step is Step.DONE:
            self._done(pair, delivery)
            return
        decision = delivery.decision
        if step is Step.DONE_UNREPORTED or (step is Step.REFUSE and not isinstance(decision, Forward)):
            self._unreported(pair, output, outcome)  # a tried report that came back is a report without an inbox
            return
        self._observer.replaced(output, outcome, step)
        wall = self._wall()
        if step is Step.REFUSE:
            refused = unroutable(decision)
            delivery.decision = refused
            self._other(pair, delivery, refused, wall)
        elif step is Step.CLIMB:
            self._climb(pair, delivery, f"publish_{outcome.name.lower()}", wall)
        elif step is Step.PARK:
            self._park(pair, delivery, "ladder_full", wall)
        elif step in (Step.SUSPECT, Step.TROUBLE):
            self._hooks.silent(step, output.queue)

    def _unreported(self, pair: Pair, output: Output, outcome: Outcome) -> None:
        self._observer.replaced(output, outcome, Step.DONE_UNREPORTED)
        self._done(pair, output.delivery)

    def _done(self, pair: Pair, delivery: Delivery) -> None:
        delivery.missing -= 1
        if delivery.missing == 0:
            self._settle(pair, delivery)

    def _settle(self, pair: Pair, delivery: Delivery) -> None:
        delivery.settled = True
        self._observer.settled(delivery, self._clock() - delivery.received_at)
        self._to_ack[pair.consume_number] = pair
        if pair.alone and not delivery.redelivered and not pair.undecided:
            self._hooks.past_poison(pair)

    def flush(self) -> None:
        """Write the batch: publishes on one connection, acknowledgements on the other."""
        if self._publishes:
            data = b"".join(self._publishes)
            self._publishes.clear()
            self._hooks.write_publishes(data)
        if self._to_ack:
            acks = []
            for number, pair in self._to_ack.items():
                tag = pair.inputs.take_ack()
                if tag and pair.consume_number == number:
                    acks.append(outbound.ack(number, tag, True))
            self._to_ack.clear()
            if acks:
                self._hooks.write_acks(b"".join(acks))
                self._hooks.settled()

    def forget(self, pair: Pair) -> None:
        """The pair stops deciding: what waits is the broker's to redeliver."""
        pair.state = State.CLOSING
        self.undecided_bytes -= pair.forget_undecided()
        self._resume_reading()

    def abandon(self, pair: Pair) -> None:
        """The pair's channels are gone: its open outputs are void, its inputs orphaned."""
        self.forget(pair)
        self.unconfirmed_bytes -= sum(len(output.body) for output in pair.outputs.drain())
        self.by_consume.pop(pair.consume_number, None)
        self.by_publish.pop(pair.publish_number, None)
        pair.state = State.CLOSED
        pair.orphan()
        self._hooks.settled()

    # ---- the clock -------------------------------------------------------------------------------

    def stand_still(self, seconds: float) -> None:
        """Confirm timers did not run while the connection was blocked (DELIVERY.md 4)."""
        for pair in self.by_publish.values():
            pair.outputs.shift(seconds)

    def silent_outputs(self, older_than: float) -> list[Output]:
        """Open outputs published before `older_than` (the flow's clock)."""
        return [output for pair in self.by_publish.values() for output in pair.outputs.older_than(older_than)]
