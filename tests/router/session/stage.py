"""A flow on a stage, without loop and socket. The test is the broker: it delivers, confirms, returns, reads along."""

from collections.abc import Iterable
from typing import Any

import orjson
from pamqp import frame
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from router.core import names
from router.core.delivery import Delivery, Role
from router.core.outcomes import Kind, Outcome, Step
from router.core.outputs import Output
from router.core.rules import Rules
from router.core.shards import shard_queue
from router.core.suspects import SuspectInboxes
from router.lane.inbound import Blocked, Confirm, Content
from router.session.flow import Flow
from router.session.pair import Pair, Source, State
from tests.router.core.making import NOW, SAMU, SDIS, SHARDS, EasyPack, body, raw_properties, rules

KEY = SAMU.publish_keys[0]
SHARD = SHARDS[SAMU.id]
RUNGS = tuple(rung.name for rung in names.RUNGS)


class Channel:
    """All that a pair wants to know of a channel."""

    def __init__(self, number: int) -> None:
        self.number = number


class Publish:
    """One publish as the broker reads it."""

    def __init__(self, channel: int, method: Basic.Publish, properties: Basic.Properties, payload: bytes) -> None:
        self.channel, self.exchange, self.key = channel, method.exchange, method.routing_key
        self.mandatory = method.mandatory
        self.properties, self.body = properties, payload
        self.headers: dict[str, Any] = dict(properties.headers)
        self.number: int = self.headers["x-hub-publish"]
        self.raw = ContentHeader(0, 0, properties).marshal()[12:]

    @property
    def kind(self) -> str:
        """forward, retry, park or report."""
        if self.exchange == names.PARKED:
            return "park"
        if self.exchange in RUNGS:
            return "retry"
        own = self.headers.get(names.HEADER_KEY) is None
        return "report" if own else "forward"

    @property
    def marked(self) -> bool:
        return self.headers.get(names.HEADER_POSSIBLE_DUPLICATE) is True

    @property
    def error(self) -> dict[str, Any]:
        """What an error report says."""
        message = orjson.loads(self.body)["content"][0]["jsonContent"]["embeddedJsonContent"]["message"]
        found: dict[str, Any] = message["error"]
        return found

    @property
    def code(self) -> int:
        code: int = self.error["errorCode"]["statusCode"]
        return code

    @property
    def about(self) -> str:
        """The distributionID of the input that it comes from."""
        if self.kind == "report":
            reference: str = self.error["referencedDistributionID"]
            return reference
        identifier: str = orjson.loads(self.body)["distributionID"]
        return identifier

    def __repr__(self) -> str:
        return f"<{self.kind} {self.number} to {self.exchange}/{self.key}>"


def publishes(data: bytes) -> list[Publish]:
    """The publishes in what was written, frame by frame."""
    found: list[Publish] = []
    while data:
        length, channel, method = frame.unmarshal(data)
        data = data[length:]
        assert isinstance(method, Basic.Publish), method
        length, header_channel, head = frame.unmarshal(data)
        data = data[length:]
        assert isinstance(head, ContentHeader) and header_channel == channel
        payload = b""
        while len(payload) < head.body_size:
            length, body_channel, piece = frame.unmarshal(data)
            data = data[length:]
            assert isinstance(piece, ContentBody) and body_channel == channel
            payload += piece.value
        found.append(Publish(channel, method, head.properties, payload))
    return found


def acks(data: bytes) -> list[tuple[int, int, bool]]:
    """Channel, tag and `multiple` of each acknowledgement in what was written."""
    found = []
    while data:
        length, channel, method = frame.unmarshal(data)
        data = data[length:]
        assert isinstance(method, Basic.Ack)
        found.append((channel, method.delivery_tag, method.multiple))
    return found


class Stage:
    """A flow with its hooks and observer; both only take note. Pairs have the channels 1, 2, … for both ways."""

    def __init__(
        self,
        rules_in_use: Rules | None = None,
        *,
        undecided_max_bytes: int = 64 * 1024 * 1024,
        unconfirmed_max_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        self.now, self.wall = 1000.0, NOW
        self.suspects = SuspectInboxes()
        self.writes: list[tuple[str, int]] = []
        self.published: list[Publish] = []
        self.acked: list[tuple[int, int, bool]] = []
        self.again = 0
        self.isolated: list[Pair] = []
        self.past: list[Pair] = []
        self.trials: list[Output] = []
        self.silences: list[tuple[Step, str]] = []
        self.doubting = False
        self.doubted: list[tuple[str, str]] = []
        """Exchange and key of what was nacked."""
        self.blocks: list[bool] = []
        self.pauses: list[bool] = []
        self.failures: list[str] = []
        self.received_from: list[Delivery] = []
        self.settlements: list[tuple[Delivery, float]] = []
        self.replacements: list[tuple[Kind, Outcome, Step]] = []
        self.outcomes: list[tuple[Kind, Outcome, float]] = []
        self.bugs: list[BaseException] = []
        self.all_settled = 0
        self.flow = Flow(
            rules_in_use or rules(EasyPack()),
            self.suspects,
            self,  # type: ignore[arg-type]  # `settled` is both the observer's and the hooks'
            self,  # type: ignore[arg-type]
            lambda: self.now,
            lambda: self.wall,
            undecided_max_bytes,
            unconfirmed_max_bytes,
        )
        self.pairs: list[Pair] = []
        self._tags: dict[int, int] = {}
        self._last_channel = 0

    # ---- hooks -----------------------------------------------------------------------------------

    def write_publishes(self, data: bytes) -> None:
        self.writes.append(("publish", len(data)))
        self.published += publishes(data)

    def write_acks(self, data: bytes) -> None:
        self.writes.append(("ack", len(data)))
        self.acked += acks(data)

    def decide_again_soon(self) -> None:
        self.again += 1

    def isolate(self, pair: Pair) -> None:
        """As the session does: nothing more is decided on this channel."""
        self.isolated.append(pair)
        self.flow.forget(pair)

    def past_poison(self, pair: Pair) -> None:
        self.past.append(pair)

    def trial(self, output: Output) -> None:
        self.trials.append(output)

    def silent(self, step: Step, queue: str) -> None:
        self.silences.append((step, queue))

    def doubts(self, output: Output) -> bool:
        self.doubted.append((output.exchange, output.queue))
        return self.doubting

    def blocked(self, blocked: bool) -> None:
        self.blocks.append(blocked)

    def reading(self, paused: bool) -> None:
        self.pauses.append(paused)

    def failed(self, why: str) -> None:
        self.failures.append(why)

    # ---- observer --------------------------------------------------------------------------------

    def received(self, delivery: Delivery, wall: float) -> None:
        self.received_from.append(delivery)

    def settled(self, delivery: Delivery | None = None, latency_seconds: float = 0.0) -> None:
        if delivery is None:
            self.all_settled += 1
        else:
            self.settlements.append((delivery, latency_seconds))

    def replaced(self, output: Output, outcome: Outcome, step: Step) -> None:
        self.replacements.append((output.kind, outcome, step))

    def outcome(self, kind: Kind, outcome: Outcome, latency_seconds: float) -> None:
        self.outcomes.append((kind, outcome, latency_seconds))

    def bug(self, delivery: Delivery, error: BaseException) -> None:
        self.bugs.append(error)

    # ---- the broker's part -----------------------------------------------------------------------

    def pair(self, shard: int = SHARD, role: Role = Role.SHARD, queue: str = "", prefetch: int = 256) -> Pair:
        """An open pair on a fresh channel of each connection."""
        made = Pair(Source(queue or shard_queue(shard), role, shard), prefetch)
        self.pairs.append(made)
        return self.reopen(made)

    def reopen(self, pair: Pair) -> Pair:
        """Both channels anew, as the session does it."""
        self._last_channel += 1
        number = self._last_channel
        pair.opened_for_publishing(Channel(number))  # type: ignore[arg-type]
        pair.opened_for_consuming(Channel(number))  # type: ignore[arg-type]
        self.flow.by_publish[number] = self.flow.by_consume[number] = pair
        pair.state = State.OPEN
        return pair

    def content(
        self,
        pair: Pair,
        payload: bytes | None = None,
        key: str = KEY,
        *,
        exchange: str = names.ENTRANCE,
        redelivered: bool = False,
        **values: Any,
    ) -> Content:
        """A delivery that the broker has for a pair, with the next tag."""
        channel = pair.consume_number
        tag = self._tags[channel] = self._tags.get(channel, 0) + 1
        raw = raw_properties(**values)
        return Content(channel, tag, redelivered, 0, exchange, key, raw, body() if payload is None else payload)

    def from_hub(self, pair: Pair, payload: bytes | None = None, **values: Any) -> Content:
        """As `content`, given back by the hub itself."""
        headers = {names.HEADER_KEY: KEY, **values.pop("headers", {})}
        queue = pair.source.queue
        return self.content(pair, payload, queue, exchange=names.SHARD_EXCHANGE, headers=headers, **values)

    def deliver(self, pair: Pair, *payloads: bytes, **values: Any) -> None:
        """A batch of deliveries."""
        self.flow.consumed([self.content(pair, payload, **values) for payload in payloads or (body(),)])

    def confirm(self, number: int, *, pair: Pair | None = None, multiple: bool = False, stored: bool = True) -> None:
        channel = (pair or self.pairs[0]).publish_number
        self.flow.published([Confirm(channel, number, multiple, stored)])

    def give_back(self, publish: Publish) -> None:
        """A mandatory publish without a queue: the return comes before its confirm."""
        self.flow.published([self.return_of(publish), Confirm(publish.channel, publish.number, False, True)])

    def return_of(self, publish: Publish) -> Content:
        return Content(publish.channel, 0, False, 312, publish.exchange, publish.key, publish.raw, publish.body)

    def block(self, blocked: bool = True) -> None:
        self.flow.published([Blocked(blocked)])

    def confirm_all(self, seen: int = 0) -> None:
        """Confirm everything that is open, and what comes of it, until nothing is."""
        while any(len(pair.outputs) for pair in self.pairs):
            for pair in self.pairs:
                if len(pair.outputs):
                    self.confirm(pair.outputs.next_number() - 1, pair=pair, multiple=True)

    # ---- what was seen ---------------------------------------------------------------------------

    @property
    def kinds(self) -> list[str]:
        return [publish.kind for publish in self.published]

    @property
    def last(self) -> Publish:
        return self.published[-1]

    def acked_tags(self, pair: Pair | None = None) -> list[int]:
        channel = (pair or self.pairs[0]).consume_number
        return [tag for number, tag, _ in self.acked if number == channel]


def message(name: str, **changes: Any) -> bytes:
    """A message of SAMU to SDIS with an id of its own."""
    return body(SAMU, changes.pop("recipient", SDIS), distributionID=f"{SAMU.id}_{name}", **changes)


def identifiers(found: Iterable[Publish]) -> list[str]:
    """The names that `message` gave."""
    return [publish.about.rpartition("_")[2] for publish in found]
