"""One vhost's session: two connections, a pair of channels per source queue, and what to do when any of it fails.

Law: connect, prove that the broker stores (probe), subscribe, run, and on any failure cut everything hard and let the
broker redeliver; back off with jitter; try again. The data path itself is `flow`, which never awaits.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from msgspec import Struct
from yarl import URL

from router.core.doubts import Doubts
from router.core.errors import BrokerError
from router.core.names import PROBE
from router.core.outcomes import Outcome, Step
from router.core.outputs import Output
from router.core.rules import Rules
from router.core.suspects import SuspectInboxes
from router.session.flow import Flow, Observer
from router.session.link import RPC_TIMEOUT_SECONDS, Link, broker_errors, ignore
from router.session.pair import Pair, Source, State
from router.session.trial import TrialLink

BACKOFF_FIRST_SECONDS: Final = 0.2
BACKOFF_MOST_SECONDS: Final = 30.0  # DELIVERY.md 4
HEALTHY_SECONDS: Final = 10.0
"""A session that lived this long starts its back-off anew."""
STANDBY_DELAY_SECONDS: Final = 1.0
"""A worker's own shards first; by then every worker that starts with it has its own."""
TICK_SECONDS: Final = 0.5
LATE_SECONDS: Final = 2.0
PROBE_SECONDS: Final = 5.0
"""Between two probes: an empty message that lives for a second, a few a minute for each worker."""
PAIR_BACKOFF_SECONDS: Final = 1.0
"""Before a pair that failed alone subscribes again; a queue that is missing is asked for once a second."""

T = TypeVar("T")


class Settings(Struct, frozen=True):
    """Numbers of a session, from the configuration."""

    tag: str
    prefetch: int
    confirm_timeout_seconds: float
    undecided_max_bytes: int
    unconfirmed_max_bytes: int
    max_body_bytes: int
    cautious: bool


class VhostSession:
    """Runs until `stop`. `status(ready, why)` is told every change of readiness."""

    def __init__(
        self,
        url: Callable[[str], URL],
        rules: Rules,
        own: list[Source],
        standby: list[Source],
        settings: Settings,
        observer: Observer,
        status: Callable[[bool, str], None],
    ) -> None:
        self._url, self._rules, self._settings = url, rules, settings
        self._own, self._standby = own, standby
        self._observer, self._status = observer, status
        self._suspects = SuspectInboxes()
        self._doubts = Doubts()
        self._trial = TrialLink(url("trial"), settings.max_body_bytes, settings.confirm_timeout_seconds)
        self._flow: Flow | None = None
        self._consuming: Link | None = None
        self._publishing: Link | None = None
        self._pairs: list[Pair] = []
        self._failure: asyncio.Future[str] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._settled = asyncio.Event()
        self._blocked_since: float | None = None
        self._open_now = False
        self.blocked_seconds = 0.0
        """Time that the publishing connection was blocked, ended blocks only."""
        self.failures = {"consume": 0, "publish": 0}
        """Connections lost while in use, by role."""
        self._cautious = settings.cautious

    # ---- what the worker asks --------------------------------------------------------------------

    @property
    def rules(self) -> Rules:
        """The rules in force."""
        return self._rules

    def reload(self, rules: Rules) -> None:
        """From the next decision on; what is in flight is not touched."""
        self._rules = rules
        if self._flow is not None:
            self._flow.rules = rules

    def gauges(self) -> dict[str, int]:
        """What is open right now."""
        flow = self._flow
        return {
            "unsettled_inputs": sum(len(pair.inputs) for pair in self._pairs),
            "unconfirmed_outputs": sum(len(pair.outputs) for pair in self._pairs),
            "undecided_bytes": flow.undecided_bytes if flow else 0,
            "suspect_inboxes": len(self._suspects),
        }

    def connection_states(self) -> dict[str, str]:
        """open, blocked or down, by role."""
        opened = "open" if self._open_now else "down"
        return {"consume": opened, "publish": "blocked" if self._blocked_since is not None else opened}

    async def run(self) -> None:
        """The session loop. Returns after `stop`; a cancel cuts the connections."""
        failures = 0
        while not self._stopping.is_set():
            began = self._now()
            why = await self._once()
            if self._stopping.is_set():
                break
            self._status(False, why)
            failures = 1 if self._now() - began > HEALTHY_SECONDS else failures + 1
            most = min(BACKOFF_MOST_SECONDS, BACKOFF_FIRST_SECONDS * 2.0 ** min(failures, 10))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), random.uniform(most / 2, most))
        self._status(False, "stopped")

    async def stop(self, deadline_seconds: float) -> None:
        """Drain: decide nothing new, wait for the confirms of what was published, acknowledge, close; or cut."""
        self._stopping.set()
        flow = self._flow
        if flow is not None:
            flow.stopping = True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._until_settled(lambda: list(self._pairs)), deadline_seconds)
        self._fail("stopped")

    # ---- one life of the two connections ---------------------------------------------------------

    async def _once(self) -> str:
        """Open everything and run until something fails; why it failed."""
        self._failure = asyncio.get_running_loop().create_future()
        self._blocked_since = None
        try:
            await self._open()
            return await self._failure
        except BrokerError as error:
            return error.what
        finally:
            await self._teardown()

    async def _open(self) -> None:
        settings = self._settings
        flow = Flow(
            self._rules,
            self._suspects,
            self._observer,
            self,
            time.monotonic,
            time.time,
            settings.undecided_max_bytes,
            settings.unconfirmed_max_bytes,
        )
        self._flow = flow
        self._consuming = Link(
            self._url("consume"), settings.max_body_bytes, flow.consumed, ignore, self._lost("consume")
        )
        self._publishing = Link(
            self._url("publish"), settings.max_body_bytes, flow.published, self._writable, self._lost("publish")
        )
        await self._consuming.open()
        await self._publishing.open()
        flow.max_frame_bytes = self._publishing.max_frame_bytes
        self._spawn(self._tick())
        await self._prove_stored(self._publishing)
        await self._subscribe_all(self._own)
        self._open_now = True
        self._status(True, "")
        self._spawn(self._probe_often(self._publishing))
        self._spawn(self._subscribe_standby())

    async def _prove_stored(self, link: Link) -> None:
        """A publish to the hub's own probe queue must be confirmed before anything is subscribed (DELIVERY.md 4)."""
        silent = "the broker does not store: the probe was not confirmed"
        await self._patiently(link.store_probe(PROBE), self._settings.confirm_timeout_seconds, silent)

    async def _patiently(self, work: Coroutine[Any, Any, T], timeout_seconds: float, silent: str) -> T:
        """What the publishing connection answers; BrokerError(`silent`) when nothing comes in time.

        While the broker blocks publishers the wait goes on: an alarm ends by itself, a reconnect would not end it
        (DELIVERY.md 4).
        """
        answer = asyncio.get_running_loop().create_task(work)
        try:
            while not (await asyncio.wait({answer}, timeout=timeout_seconds))[0]:
                if self._blocked_since is None:
                    raise BrokerError(silent)
            return await answer
        finally:
            answer.cancel()

    async def _probe_often(self, link: Link) -> None:
        """An idle session learns of an alarm or of silence only by publishing, and `/readyz` must tell the truth."""
        while True:
            await asyncio.sleep(PROBE_SECONDS)
            await self._prove_stored(link)

    async def _subscribe_standby(self) -> None:
        await asyncio.sleep(STANDBY_DELAY_SECONDS)
        await self._subscribe_all(self._standby)
        self._cautious = False

    async def _subscribe_all(self, sources: list[Source]) -> None:
        prefetch = 1 if self._cautious else self._settings.prefetch
        pairs = [Pair(source, prefetch) for source in sources]
        self._pairs += pairs
        for pair in pairs:
            await self._open_pair(pair)

    async def _open_pair(self, pair: Pair) -> None:
        """Both channels of a pair, then the subscription. Raises BrokerError."""
        assert self._publishing is not None and self._flow is not None
        if pair.publishing is None:
            opening = self._publishing.channel(confirms=True, timeout_seconds=None)
            channel = await self._patiently(opening, RPC_TIMEOUT_SECONDS, "the broker opens no channel")
            pair.opened_for_publishing(channel)
            self._flow.by_publish[channel.number] = pair
            channel.closing.add_done_callback(lambda _: self._pair_lost(pair, channel))
        await self._subscribe(pair)

    async def _subscribe(self, pair: Pair) -> None:
        assert self._consuming is not None and self._flow is not None
        channel = await self._consuming.channel(confirms=False)
        pair.opened_for_consuming(channel)
        self._flow.by_consume[channel.number] = pair
        pair.state = State.OPEN
        channel.closing.add_done_callback(lambda _: self._pair_lost(pair, channel))
        channel.on_consumer_cancel_callbacks.add(lambda _: self._pair_lost(pair, channel))
        async with broker_errors():
            await channel.basic_qos(prefetch_count=pair.prefetch, timeout=RPC_TIMEOUT_SECONDS)
            await channel.basic_consume(
                pair.source.queue,
                _never_called,
                consumer_tag=f"{self._settings.tag}.{pair.source.queue}",
                timeout=RPC_TIMEOUT_SECONDS,
            )

    async def _teardown(self) -> None:
        """Everything of this life is void: inputs are the broker's again. Never hangs: sockets are cut, not closed."""
        self._open_now = False
        self._blocked_since = None
        polite = self._stopping.is_set()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for link in (self._consuming, self._publishing):
            if link is not None:
                if polite:
                    await link.close()
                else:
                    link.abort()
        if self._flow is not None:
            for pair in self._pairs:
                self._flow.abandon(pair)
        self._trial.abort()
        self._pairs = []
        self._flow = self._consuming = self._publishing = None

    # ---- failures --------------------------------------------------------------------------------

    def _fail(self, why: str) -> None:
        if self._failure is not None and not self._failure.done():
            self._failure.set_result(why)

    def _lost(self, role: str) -> Callable[[str], None]:
        def lost(why: str) -> None:
            if self._failure is not None and not self._failure.done():
                self.failures[role] += 1
            self._fail(f"{role} connection: {why}")

        return lost

    def _pair_lost(self, pair: Pair, channel: object) -> None:
        """The broker closed a channel or cancelled a consumer: this pair starts anew, alone."""
        if channel not in (pair.consuming, pair.publishing) or pair.resetting or self._stopping.is_set():
            return
        if self._failure is None or self._failure.done():
            return
        pair.resetting = True
        self._spawn(self._reset(pair))

    async def _reset(self, pair: Pair) -> None:
        consuming, publishing = pair.consuming, pair.publishing
        assert self._flow is not None and self._consuming is not None and self._publishing is not None
        self._flow.abandon(pair)
        pair.consuming = pair.publishing = None
        if consuming is not None:
            await self._consuming.close_channel(consuming)
        if publishing is not None:
            await self._publishing.close_channel(publishing)
        await asyncio.sleep(random.uniform(PAIR_BACKOFF_SECONDS / 2, PAIR_BACKOFF_SECONDS))
        pair.resetting = False
        try:
            await self._open_pair(pair)
        except BrokerError:
            if not pair.resetting:
                pair.resetting = True
                self._spawn(self._reset(pair))

    async def _resubscribe(self, pair: Pair, prefetch: int) -> None:
        """Of a pair that decides no more: settle what was published, close the channel without cancel, subscribe again
        (DELIVERY.md 6, 8)."""
        flow, channel = self._flow, pair.consuming
        assert flow is not None and channel is not None and self._consuming is not None
        await self._until_settled(lambda: [pair])
        if pair.consuming is not channel:
            return  # the pair failed meanwhile and starts anew by itself
        pair.consuming = None
        flow.by_consume.pop(pair.consume_number, None)
        pair.orphan()
        await self._consuming.close_channel(channel)
        pair.prefetch = prefetch
        try:
            await self._subscribe(pair)
        except BrokerError:
            self._pair_lost(pair, pair.consuming)

    async def _until_settled(self, pairs: Callable[[], list[Pair]]) -> None:
        """Wait until every input that was decided on is acknowledged."""
        while any(len(pair.inputs) for pair in pairs()):
            self._settled.clear()
            await self._settled.wait()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            what = error.what if isinstance(error, BrokerError) else type(error).__name__
            self._fail(what)

    # ---- the clock -------------------------------------------------------------------------------

    def _now(self) -> float:
        """The flow's clock; uvloop's own stands still within a turn and counts whole milliseconds."""
        return time.monotonic()

    async def _tick(self) -> None:
        """Twice a second: confirms that do not come, keep-alive under pressure, old windows."""
        turns, at = 0, self._now()
        while True:
            await asyncio.sleep(TICK_SECONDS)
            turns, before, at = turns + 1, at, self._now()
            if at - before > LATE_SECONDS:
                continue  # the process itself stood still: nobody else's silence can be told from that
            flow = self._flow
            if flow is None:
                return
            for link in (self._consuming, self._publishing):
                if link is not None:
                    link.check_heartbeat(at)
            if self._blocked_since is None:
                late = flow.silent_outputs(at - self._settings.confirm_timeout_seconds)
                for output in late:
                    flow.finish(output, Outcome.SILENT, at)
                if late:
                    return
            if turns % 120 == 0:
                for pair in self._pairs:
                    pair.window.forget_idle(at)

    # ---- hooks of the flow -----------------------------------------------------------------------

    def write_publishes(self, data: bytes) -> None:
        if self._publishing is not None:
            self._publishing.write(data)

    def write_acks(self, data: bytes) -> None:
        if self._consuming is not None:
            self._consuming.write(data)

    def settled(self) -> None:
        self._settled.set()

    def decide_again_soon(self) -> None:
        flow = self._flow
        if flow is not None:
            asyncio.get_running_loop().call_soon(flow.pump)

    def isolate(self, pair: Pair) -> None:
        self._change_prefetch(pair, 1)

    def past_poison(self, pair: Pair) -> None:
        self._change_prefetch(pair, self._settings.prefetch)

    def _change_prefetch(self, pair: Pair, prefetch: int) -> None:
        if pair.state is State.OPEN and self._flow is not None and pair.prefetch != prefetch:
            self._flow.forget(pair)
            self._spawn(self._resubscribe(pair, prefetch))

    def trial(self, output: Output) -> None:
        self._spawn(self._try_suspect(output))

    async def _try_suspect(self, output: Output) -> None:
        outcome = Outcome.LOST
        try:
            outcome = await self._trial.attempt(output)
        finally:
            answered = outcome in (Outcome.CONFIRMED, Outcome.NACKED, Outcome.RETURNED)
            self._suspects.tried(output.queue, answered)
        if self._flow is not None:
            self._flow.finish(output, outcome, self._now())
            self._flow.flush()

    def silent(self, step: Step, queue: str) -> None:
        if step is Step.SUSPECT:
            self._suspects.silent(queue)
            self._fail("a confirm did not come: inbox suspect")
        else:
            self._fail("the ladder or the parking queue does not store")

    def doubts(self, output: Output) -> bool:
        """Whether a nack proves nothing (see `doubts`): then the pair starts anew, and its inputs come again."""
        pair: Pair = output.delivery.pair
        if pair.resetting:
            return True
        target = output.exchange, output.queue
        if target in pair.confirmed or not self._doubts.doubt(pair.source.queue, target, self._now()):
            return False
        self._pair_lost(pair, pair.publishing)
        return pair.resetting

    def blocked(self, blocked: bool) -> None:
        now = self._now()
        if blocked:
            self._blocked_since = self._blocked_since or now
        elif self._blocked_since is not None:
            self.blocked_seconds += now - self._blocked_since
            if self._flow is not None:
                self._flow.stand_still(now - self._blocked_since)
            self._blocked_since = None
        if blocked or self._open_now:
            self._status(not blocked, "blocked by a resource alarm of the broker" if blocked else "")

    def reading(self, paused: bool) -> None:
        if self._consuming is not None:
            self._consuming.pause_reading(paused)

    def failed(self, why: str) -> None:
        self._fail(why)

    def _writable(self, writable: bool) -> None:
        flow = self._flow
        if flow is not None:
            flow.writable = writable
            if writable:
                asyncio.get_running_loop().call_soon(flow.pump)


async def _never_called(_: object) -> None:
    """aiormq wants a callback; the lane takes the deliveries before it."""
