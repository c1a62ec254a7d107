"""The senders of a run, in a process of their own: `python -m bench.load`, steered by `bench.run`.

Law: a publish is confirmed or it is sent again, as a publish of its own with a number of its own; nothing is forgotten
when the broker dies. At a rate, messages are due by the clock, not by the broker's pace: one that waits for its
connection, or is sent again, keeps the time at which it was due.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

from bench.amqp import Publisher, properties
from bench.bodies import Bodies
from bench.job import Line, SendJob
from bench.journal import NOWHERE, JournalWriter, Kind
from bench.steering import END, STATUS_SECONDS, STOP, Steering, main, tell
from router.core.errors import BrokerError
from router.core.names import ENTRANCE

TICK_SECONDS: Final = 0.001  # what comes due is sent at the next tick: so much of a latency is the load's own
ENDLESS: Final = 1 << 62
BACK_OFF_SECONDS: Final = (0.1, 0.2, 0.5, 1.0)
NACK_PAUSE_SECONDS: Final = 0.2
CONNECTING_AT_ONCE: Final = 8


class Note(NamedTuple):
    """A publish in flight; `like`: the number of the message that it is, another one for a resend; `due` in ns."""

    number: int
    like: int
    due: int


class Sender:
    """One line. `due` has the times (ns) at which its unsent messages were due, `again` what must be sent again."""

    def __init__(self, index: int, line: Line, run: "Load") -> None:
        self._index, self._line, self._run = index, line, run
        self._number = run.job.first_number - 1
        self.due: deque[int] = deque()
        self.remaining = 0
        """Messages still to be sent as fast as confirms come."""
        self.again: deque[Note] = deque()
        self._publisher: Publisher[Note] | None = None
        self._pump_planned = False
        self._paused_until = 0.0
        self.why = "not connected yet"

    @property
    def idle(self) -> bool:
        """Everything that was begun is confirmed."""
        publisher = self._publisher
        return not self.again and (publisher is None or not publisher.in_flight)

    @property
    def in_flight(self) -> int:
        return self._publisher.in_flight if self._publisher is not None else 0

    @property
    def connected(self) -> bool:
        return self._publisher is not None

    async def live(self) -> None:
        """Connect, publish, and connect again, for ever."""
        failures = 0
        while True:
            lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            user, password = self._line.sender, self._run.job.target.clients_password
            url = self._run.job.target.address.url(user, password)
            publisher: Publisher[Note] = Publisher(url, self._answered, _once(lost))
            try:
                async with self._run.connecting:
                    await publisher.open()
            except BrokerError as error:
                self.why = error.what
                await asyncio.sleep(BACK_OFF_SECONDS[min(failures, len(BACK_OFF_SECONDS) - 1)])
                failures += 1
                continue
            failures, self.why = 0, ""
            self._publisher = publisher
            self._run.count_connected()
            self.pump()
            try:
                self.why = await lost
            finally:
                # What the broker never answered goes out again before anything new, in its order.
                self.again.extendleft(reversed(publisher.unconfirmed))
                self._publisher = None
                await publisher.close()

    def plan_pump(self) -> None:
        """Publish what may be published, once in this turn of the loop."""
        if not self._pump_planned:
            self._pump_planned = True
            asyncio.get_running_loop().call_soon(self.pump)

    def pump(self) -> None:
        self._pump_planned = False
        publisher = self._publisher
        if publisher is None or time.monotonic() < self._paused_until:
            return
        room = self._run.job.window - publisher.in_flight
        while room > 0 and publisher.writable and self._next(publisher):
            room -= 1
        publisher.flush()

    def _next(self, publisher: Publisher[Note]) -> bool:
        """Publish one: what must be sent again first. False when there is nothing to send."""
        if self.again:
            note = self.again.popleft()
            self._publish(publisher, Kind.RESENT, note.like, note.due)
        elif self.due:
            self._publish(publisher, Kind.PUBLISHED, 0, self.due.popleft())
        elif self.remaining:
            self.remaining -= 1
            self._publish(publisher, Kind.PUBLISHED, 0, time.monotonic_ns())
        else:
            return False
        return True

    def _publish(self, publisher: Publisher[Note], kind: Kind, like: int, due_nanoseconds: int) -> None:
        run, line = self._run, self._line
        self._number += 1
        number = self._number
        note = Note(number, like or number, due_nanoseconds)
        message = run.bodies.message(self._index, line.sender, line.recipient, number, note.like)
        place = NOWHERE if message.refusal else run.places[line.inboxes[message.kind]]
        raw = properties(message.content_type, message.delivery_mode, f"{line.sender}_{number}")
        digest = 0 if line.converted else crc32(message.body)
        run.journal.add(kind, self._index, number, place, digest, nanoseconds=due_nanoseconds)
        run.counts[kind] += 1
        publisher.publish(ENTRANCE, line.keys[message.kind], raw, message.body, note)

    def _answered(self, note: Note, stored: bool) -> None:
        run = self._run
        if stored:
            run.journal.add(Kind.CONFIRMED, self._index, note.number)
            run.counts[Kind.CONFIRMED] += 1
        else:
            # Refused by a full queue: not stored, so it is sent again, after a while.
            run.journal.add(Kind.NACKED, self._index, note.number)
            run.counts[Kind.NACKED] += 1
            self.again.append(note)
            self._paused_until = time.monotonic() + NACK_PAUSE_SECONDS
            asyncio.get_running_loop().call_later(NACK_PAUSE_SECONDS, self.plan_pump)
        self.plan_pump()


class Load:
    """All senders of a job."""

    def __init__(self, job: SendJob) -> None:
        self.job = job
        self.bodies = Bodies(job.seed, job.started, job.mix, job.invalid_share, job.bodies)
        self.places: Mapping[str, int] = {queue: index for index, queue in enumerate(job.inboxes)}
        self.connecting = asyncio.Semaphore(CONNECTING_AT_ONCE)
        self.all_connected = asyncio.Event()
        self.counts: Counter[Kind] = Counter()
        self.journal = JournalWriter(Path(job.journal))
        self.senders = [Sender(index, line, self) for index, line in enumerate(job.lines)]

    async def run(self, steering: Steering) -> None:
        """Until told to stop and done, told to end, or everything of a `count` is confirmed."""
        tasks = [asyncio.create_task(sender.live()) for sender in self.senders]
        tasks.append(asyncio.create_task(self._pace(steering)))
        try:
            while not steering.said(END):
                self._tell()
                if self._finished(steering):
                    break
                await steering.wait(STATUS_SECONDS)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.journal.close()
        self._tell(done=True)

    def count_connected(self) -> None:
        """A sender has connected; at a rate, the clock starts with the last of them."""
        if all(sender.connected for sender in self.senders):
            self.all_connected.set()

    def _finished(self, steering: Steering) -> bool:
        stopping = steering.said(STOP)
        if stopping:
            for sender in self.senders:
                sender.due.clear()
                sender.remaining = 0
        enough = self.job.count and self.counts[Kind.PUBLISHED] >= self.job.count
        return bool(stopping or enough) and all(sender.idle for sender in self.senders)

    async def _pace(self, steering: Steering) -> None:
        """Make messages due: all at once without a rate, by the clock with one."""
        job, senders = self.job, self.senders
        if not job.rate:
            self._share_out(job.count or ENDLESS)
            return
        await self.all_connected.wait()
        begun, planned = time.monotonic_ns(), 0
        interval = 1_000_000_000 / job.rate
        while not steering.said(STOP) and not (job.count and planned >= job.count):
            now = time.monotonic_ns()
            while (due := begun + int(planned * interval)) <= now and not (job.count and planned >= job.count):
                sender = senders[planned % len(senders)]
                sender.due.append(due)
                sender.plan_pump()
                planned += 1
            await asyncio.sleep(TICK_SECONDS)

    def _share_out(self, count: int) -> None:
        """Messages to be sent as fast as confirms come, evenly over the senders."""
        for index, sender in enumerate(self.senders):
            sender.remaining += count // len(self.senders) + (index < count % len(self.senders))
            sender.pump()

    def _tell(self, done: bool = False) -> None:
        self.journal.flush()
        senders = self.senders
        tell(
            {
                **{kind.name.lower(): count for kind, count in self.counts.items()},
                "in_flight": sum(sender.in_flight for sender in senders),
                "waiting": sum(len(sender.due) + len(sender.again) for sender in senders),
                "connected": sum(sender.connected for sender in senders),
                "why": next((sender.why for sender in senders if sender.why), ""),
                "done": done,
            }
        )


def _once(future: "asyncio.Future[str]") -> Callable[[str], None]:
    def lost(why: str) -> None:
        if not future.done():
            future.set_result(why)

    return lost


async def run(job: SendJob, steering: Steering) -> None:
    await Load(job).run(steering)


if __name__ == "__main__":
    main(SendJob, run)
