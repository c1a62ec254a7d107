"""Where a drain begins and ends: one message at the front and one at the back of each shard, and their arrival.

A marker is a message like all others, so it cannot overtake or fall behind in its shard. Before the front markers lies
a run-up, the same number of messages in each shard, in which processes start and connect. The first front marker to
arrive begins the measured drain, the last back marker ends it; CPU times are read in those very moments. Run-up and
markers all go to one inbox that the harness reads meanwhile: what is left of the run-up when the drain begins is
counted, so that the number of messages between the two moments is exact.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct
from yarl import URL

from bench.amqp import Publisher, Reader, properties
from bench.bodies import Bodies
from bench.child import LoadError
from bench.job import Line, Target
from bench.reading import read
from bench.run import NUMBERS_PER_SECOND
from router.core.errors import BrokerError
from router.core.names import ENTRANCE

FRONT: Final = 0
"""Number of a front marker, from the round's first number on; its run-up has the numbers below it."""
BACK: Final = 1
STORE_SECONDS: Final = 60.0
BATCH: Final = 200
"""Run-up messages in flight on one connection: 660 KB of 3.3 KB bodies."""


class Moment(Struct, frozen=True):
    """A monotonic time and the CPU seconds used until then, by whatever is measured."""

    seconds: float
    cpu_seconds: tuple[float, ...]

    @property
    def nanoseconds(self) -> int:
        """As journals count."""
        return int(self.seconds * 1e9)


class Drain(Struct, frozen=True):
    """From the first front marker to the last back marker. `skew_seconds`: until the last front marker had come too;
    `run_up_left`: messages of the run-up, markers included, that arrived in between."""

    begin: Moment
    end: Moment
    skew_seconds: float
    run_up_left: int

    @property
    def seconds(self) -> float:
        return self.end.seconds - self.begin.seconds

    def cpu_seconds(self, which: int) -> float:
        return self.end.cpu_seconds[which] - self.begin.cpu_seconds[which]


class Markers:
    """The markers and the run-up of one round. `lines` are the marker clients', one a shard, all to one recipient."""

    def __init__(self, target: Target, lines: Sequence[Line], bodies: Bodies, run_up: int) -> None:
        self._target, self._lines, self._bodies = target, lines, bodies
        self._run_up = run_up // len(lines)
        self._first = int(time.time()) * NUMBERS_PER_SECOND + NUMBERS_PER_SECOND // 2
        self._fronts: dict[str, float] = {}
        self._backs: set[str] = set()
        self._arrived = self._arrived_before = 0
        self._begin: Moment | None = None
        self._end: Moment | None = None
        self._cpu: Callable[[], tuple[float, ...]] = tuple
        self._done = asyncio.Event()
        self._lost = ""

    async def publish_front(self) -> None:
        """The run-up and a front marker into each shard, confirmed. Raises BrokerError, TimeoutError."""
        for line in self._lines:
            await self._publish(line, range(self._first + FRONT - self._run_up, self._first + FRONT + 1))

    async def publish_back(self) -> None:
        """A back marker into each shard, confirmed. Raises BrokerError, TimeoutError."""
        for line in self._lines:
            await self._publish(line, range(self._first + BACK, self._first + BACK + 1))

    async def _publish(self, line: Line, numbers: range) -> None:
        answered = asyncio.Event()

        def on_confirm(_: None, stored: bool) -> None:
            if not stored or not publisher.in_flight:
                answered.set()

        publisher: Publisher[None] = Publisher(self._url(line.sender), on_confirm, lambda _: answered.set())
        await publisher.open()
        try:
            for start in range(0, len(numbers), BATCH):
                answered.clear()
                for number in numbers[start : start + BATCH]:
                    message = self._bodies.message(0, line.sender, line.recipient, number)
                    raw = properties(message.content_type, message.delivery_mode, f"{line.sender}_{number}")
                    publisher.publish(ENTRANCE, line.keys[message.kind], raw, message.body, None)
                publisher.flush()
                await asyncio.wait_for(answered.wait(), STORE_SECONDS)
                if publisher.in_flight:
                    raise BrokerError("a marker was not stored")
        finally:
            await publisher.close()

    async def watch(
        self, begin: Callable[[], None], cpu: Callable[[], tuple[float, ...]], alive: Callable[[], None], seconds: float
    ) -> Drain:
        """Call `begin` (it may block) once the marker inbox is read, and wait for the end.

        `cpu` is read at both ends; `alive` is called now and then and raises when waiting is in vain. Raises LoadError
        after `seconds`, BrokerError when the marker inbox cannot be read.
        """
        self._cpu = cpu
        reader = Reader(self._url(self._lines[0].recipient), self._take, self._reader_lost)
        await reader.open(self._lines[0].inboxes.values(), 300)
        try:
            await asyncio.to_thread(begin)
            deadline = time.monotonic() + seconds
            while not self._done.is_set():
                await asyncio.to_thread(alive)
                if self._lost:
                    raise LoadError(f"the marker inbox: {self._lost}")
                if time.monotonic() > deadline:
                    there = f"{len(self._fronts)} front and {len(self._backs)} back of {len(self._lines)}"
                    raise LoadError(f"the drain did not end in {seconds:.0f} s: markers seen: {there}")
                try:
                    await asyncio.wait_for(self._done.wait(), 1.0)
                except TimeoutError:
                    continue
        finally:
            await reader.close()
        return self.drain()

    def drain(self) -> Drain:
        """What was measured, once the last back marker has come. Raises LoadError when the run-up is not whole."""
        assert self._begin is not None and self._end is not None  # `_take` set both
        missing = len(self._lines) * (self._run_up + 2) - self._arrived
        if missing > 0:
            raise LoadError(f"{missing} messages of the run-up did not arrive before the markers behind them")
        skew = max(self._fronts.values()) - self._begin.seconds
        return Drain(self._begin, self._end, skew, self._arrived - self._arrived_before)

    def _url(self, user: str) -> URL:
        return self._target.address.url(user, self._target.clients_password)

    def _reader_lost(self, why: str) -> None:
        self._lost = why

    def _take(self, _queue: str, raw_properties: bytes, body: bytes, _again: bool) -> None:
        arrival = read(raw_properties, body)
        if arrival is None:
            return
        now, which = time.monotonic(), arrival.number - self._first
        if -self._run_up <= which <= BACK:
            self._arrived += 1
        if which == FRONT:
            if self._begin is None:
                self._begin, self._arrived_before = Moment(now, self._cpu()), self._arrived
            self._fronts.setdefault(arrival.client, now)
        elif which == BACK:
            self._backs.add(arrival.client)
            if len(self._backs) == len(self._lines) and self._end is None:
                self._end = Moment(now, self._cpu())
                self._done.set()
