"""Senders on a made-up broker: nothing is forgotten, numbers grow, and the clock makes messages due."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from bench import load as module
from bench.amqp import Address
from bench.bodies import HEADLINE
from bench.hub import make_clients
from bench.job import SendJob, Target, inboxes_of, lines_of, mailboxes_of, ring
from bench.journal import NOWHERE, Kind, Record, records
from bench.load import Load, Note, Sender
from bench.steering import END, STOP, Steering
from router.core.errors import BrokerError

FIRST = 1000


class FakePublisher:
    """Keeps what is published; the test answers."""

    made: "list[FakePublisher]" = []
    refuse = 0
    """How many connections fail from now on."""

    def __init__(self, _url: Any, on_confirm: Callable[[Note, bool], None], on_lost: Callable[[str], None]) -> None:
        self.on_confirm, self.lost = on_confirm, on_lost
        self.notes: list[Note] = []
        self.published: list[tuple[str, bytes]] = []
        self.writable = True
        FakePublisher.made.append(self)

    async def open(self) -> None:
        await asyncio.sleep(0)
        if FakePublisher.refuse:
            FakePublisher.refuse -= 1
            raise BrokerError("refused")

    def publish(self, _exchange: str, key: str, _raw: bytes, body: bytes, note: Note) -> None:
        self.notes.append(note)
        self.published.append((key, body))

    def flush(self) -> None: ...

    @property
    def in_flight(self) -> int:
        return len(self.notes)

    @property
    def unconfirmed(self) -> list[Note]:
        return list(self.notes)

    async def close(self) -> None: ...

    def answer(self, count: int, stored: bool = True) -> None:
        for _ in range(count):
            self.on_confirm(self.notes.pop(0), stored)


@pytest.fixture(autouse=True)
def _publishers(monkeypatch: pytest.MonkeyPatch) -> None:
    FakePublisher.made, FakePublisher.refuse = [], 0
    monkeypatch.setattr(module, "Publisher", FakePublisher)
    monkeypatch.setattr(module, "BACK_OFF_SECONDS", (0.001,))
    monkeypatch.setattr(module, "NACK_PAUSE_SECONDS", 0.01)


def make(folder: Path, clients: int = 2, **options: Any) -> Load:
    pairs = ring(make_clients(clients))
    target = Target(Address("127.0.0.1", 1, "v"), "", "", "")
    inboxes = inboxes_of(mailboxes_of(pairs))
    job = SendJob(
        target, lines_of(pairs), inboxes, str(folder / "journal"), 1, 1.8e9, HEADLINE, bodies=20,
        first_number=FIRST, **options,
    )  # fmt: skip
    return Load(job)


def play(load: Load, act: Callable[[Load, Steering], Coroutine[Any, Any, None]]) -> list[Record]:
    """Run the load while `act` plays the broker; what the journal says afterwards."""

    async def both() -> None:
        steering = Steering()
        running = asyncio.create_task(load.run(steering))
        try:
            async with asyncio.timeout(10):
                await act(load, steering)
                await running
        finally:
            running.cancel()

    asyncio.run(both())
    return list(records(Path(load.job.journal)))


async def until(test: Callable[[], Any]) -> None:
    while not test():  # noqa: ASYNC110
        await asyncio.sleep(0.001)


def numbers(found: list[Record], kind: Kind, client: int = 0) -> list[int]:
    return [record.number for record in found if record.kind == kind and record.client == client]


def publisher_of(sender: Sender) -> FakePublisher:
    assert isinstance(sender._publisher, FakePublisher)
    return sender._publisher


# ---- as fast as confirms come ---------------------------------------------------------------------------


def test_a_count_is_shared_out_and_confirmed_to_the_last(tmp_path: Path) -> None:
    async def broker(load: Load, _: Steering) -> None:
        await until(lambda: sum(map(lambda p: p.in_flight, FakePublisher.made)) == 7)
        for publisher in FakePublisher.made:
            publisher.answer(publisher.in_flight)

    found = play(make(tmp_path, count=7), broker)
    assert numbers(found, Kind.PUBLISHED, 0) == numbers(found, Kind.CONFIRMED, 0) == [1000, 1001, 1002, 1003]
    assert numbers(found, Kind.PUBLISHED, 1) == [1000, 1001, 1002]


def test_no_more_than_the_window_is_in_flight(tmp_path: Path) -> None:
    async def broker(load: Load, steering: Steering) -> None:
        await until(lambda: load.senders[0].in_flight == 5)
        await asyncio.sleep(0.02)
        publisher = publisher_of(load.senders[0])
        assert publisher.in_flight == 5 and len(publisher.published) == 5
        publisher.answer(3)
        await until(lambda: len(publisher.published) == 8)
        assert publisher.in_flight == 5
        steering.hear(END)

    play(make(tmp_path, window=5), broker)


def test_a_full_socket_gets_nothing_more(tmp_path: Path) -> None:
    async def broker(load: Load, steering: Steering) -> None:
        await until(lambda: load.senders[0].in_flight == 3)
        publisher = publisher_of(load.senders[0])
        publisher.writable = False
        publisher.answer(2)
        await asyncio.sleep(0.02)
        assert len(publisher.published) == 3
        steering.hear(END)

    play(make(tmp_path, window=3), broker)


# ---- the broker dies ------------------------------------------------------------------------------------


def test_what_was_not_confirmed_is_sent_again_first_in_its_order_under_new_numbers(tmp_path: Path) -> None:
    async def broker(load: Load, steering: Steering) -> None:
        sender = load.senders[0]
        await until(lambda: sender.in_flight == 4)
        first = publisher_of(sender)
        first.answer(1)
        await until(lambda: first.in_flight == 4)
        bodies = [body for _, body in first.published[1:]]
        FakePublisher.refuse = 2
        first.lost("gone")
        await until(lambda: not sender.connected)
        await until(lambda: sender.in_flight == 4)
        again = publisher_of(sender)
        assert [note.like for note in again.notes] == [1001, 1002, 1003, 1004]
        assert [note.number for note in again.notes] == [1005, 1006, 1007, 1008]
        for old, (_, new) in zip(bodies, again.published, strict=True):
            renumber = {str(1001 + i).encode(): str(1005 + i).encode() for i in range(4)}
            assert len(old) == len(new) and any(old.replace(a, b) == new for a, b in renumber.items())
        steering.hear(STOP)
        await until(lambda: sender.remaining == 0)
        for publisher in FakePublisher.made:
            publisher.answer(publisher.in_flight if publisher is not first else 0)

    found = play(make(tmp_path, clients=2, window=4), broker)
    assert numbers(found, Kind.PUBLISHED) == [1000, 1001, 1002, 1003, 1004]
    assert numbers(found, Kind.RESENT) == [1005, 1006, 1007, 1008] == numbers(found, Kind.CONFIRMED)[1:]


def test_a_nack_is_sent_again_after_a_while(tmp_path: Path) -> None:
    async def broker(load: Load, _: Steering) -> None:
        sender = load.senders[0]
        await until(lambda: sender.in_flight == 2)
        publisher = publisher_of(sender)
        publisher.answer(1, stored=False)
        publisher.answer(1)
        await until(lambda: sender.in_flight == 1)
        assert [(note.number, note.like) for note in publisher.notes] == [(1002, 1000)]
        for each in FakePublisher.made:
            each.answer(each.in_flight)

    found = play(make(tmp_path, count=4), broker)
    assert numbers(found, Kind.NACKED) == [1000] and numbers(found, Kind.RESENT) == [1002]
    published, again = (next(record for record in found if record.number == number) for number in (1000, 1002))
    assert again.nanoseconds == published.nanoseconds, "it waits since it was due"
    assert numbers(found, Kind.CONFIRMED) == [1001, 1002]


def test_an_end_leaves_what_is_open(tmp_path: Path) -> None:
    async def broker(load: Load, steering: Steering) -> None:
        await until(lambda: load.senders[0].in_flight == 2)
        steering.hear(END)

    found = play(make(tmp_path, count=4), broker)
    assert len(numbers(found, Kind.PUBLISHED)) == 2 and not numbers(found, Kind.CONFIRMED)


# ---- at a rate ------------------------------------------------------------------------------------------


def test_a_rate_is_kept_by_the_clock_whatever_the_broker_does(tmp_path: Path) -> None:
    begun = 0.0

    async def broker(load: Load, steering: Steering) -> None:
        nonlocal begun
        await until(lambda: load.all_connected.is_set())
        begun = time.monotonic()
        await until(lambda: load.senders[0].in_flight + load.senders[1].in_flight >= 20)
        publisher_of(load.senders[0]).lost("gone")
        await asyncio.sleep(0.1)
        while time.monotonic() - begun < 0.5:  # noqa: ASYNC110
            for publisher in FakePublisher.made:
                publisher.answer(publisher.in_flight)
            await asyncio.sleep(0.005)
        steering.hear(STOP)
        await asyncio.sleep(0.01)
        for sender in load.senders:
            while not sender.connected:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            publisher_of(sender).answer(publisher_of(sender).in_flight)

    found = play(make(tmp_path, rate=400.0), broker)
    sent = sorted(record.nanoseconds for record in found if record.kind == Kind.PUBLISHED)
    assert 100 <= len(sent) <= 400
    gaps = [b - a for a, b in zip(sent, sent[1:], strict=False)]
    assert max(abs(gap - 2_500_000) for gap in gaps) < 10_000, "due times are the clock's, not the broker's"


# ---- what is journaled ----------------------------------------------------------------------------------


def test_places_are_the_recipient_s_inbox_or_nowhere(tmp_path: Path) -> None:
    async def broker(load: Load, _: Steering) -> None:
        await until(lambda: sum(p.in_flight for p in FakePublisher.made) == 200)
        for publisher in FakePublisher.made:
            publisher.answer(publisher.in_flight)

    load = make(tmp_path, count=200, invalid_share=0.3)
    found = play(load, broker)
    places = {record.place for record in found if record.kind == Kind.PUBLISHED and record.client == 0}
    assert places == {NOWHERE, load.job.inboxes.index("fr.health.bench.c001.in.message")}
    keys = {key for publisher in FakePublisher.made for key, _ in publisher.published}
    assert keys == {f"fr.health.bench.c00{n}.out.message" for n in (0, 1)}
