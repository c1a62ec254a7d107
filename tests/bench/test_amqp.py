"""The load's connections on a made-up link: confirms in every form, deliveries acknowledged once they are handed on."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from yarl import URL

from bench import amqp
from bench.amqp import Publisher, Reader, properties
from router.core.properties import parse
from router.lane import outbound
from router.lane.inbound import Confirm, Content, Event

URL_ = URL("amqp://127.0.0.1:1/v")


class FakeLink:
    """Hands its callbacks to the test and keeps what is written."""

    made: "list[FakeLink]" = []

    def __init__(
        self, url: URL, _max: int, on_events: Callable[[list[Event]], None], on_writable: Any, on_lost: Any
    ) -> None:
        self.events, self.writable, self.lost = on_events, on_writable, on_lost
        self.max_frame_bytes = 131_072
        self.written: list[bytes] = []
        self.channels: list[Any] = []
        FakeLink.made.append(self)

    async def open(self) -> None: ...

    async def channel(self, confirms: bool) -> Any:
        async def answer(*_: Any, **__: Any) -> None: ...

        closing = asyncio.get_running_loop().create_future()
        number = len(self.channels) + 1
        channel = SimpleNamespace(number=number, closing=closing, basic_qos=answer, basic_consume=answer)
        self.channels.append(channel)
        return channel

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def abort(self) -> None: ...

    async def close(self) -> None: ...


@pytest.fixture(autouse=True)
def _links(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeLink.made = []
    monkeypatch.setattr(amqp, "Link", FakeLink)


def test_a_property_list_is_what_the_router_reads() -> None:
    read = parse(properties("application/json", 2, "fr.health.a_7"))
    assert read.content_type == "application/json" and read.persistent
    assert not parse(properties("application/json", 1, "x")).persistent
    assert b"fr.health.a_7" in properties("application/json", 2, "fr.health.a_7")
    parse(properties("application/json", 2, "x" * 400))


async def published(count: int) -> tuple[Publisher[int], FakeLink, list[tuple[int, bool]], list[str]]:
    """A publisher with publishes 1 to `count` in flight."""
    answers: list[tuple[int, bool]] = []
    losses: list[str] = []
    publisher: Publisher[int] = Publisher(URL_, lambda note, stored: answers.append((note, stored)), losses.append)
    await publisher.open()
    for note in range(1, count + 1):
        publisher.publish("hubsante", "key", b"\x00\x00", b"body", note)
    return publisher, FakeLink.made[0], answers, losses


@pytest.mark.parametrize(
    ("confirms", "answers"),
    [
        ([(1, False, True), (2, False, True)], [(1, True), (2, True)]),
        ([(3, True, True)], [(1, True), (2, True), (3, True)]),
        ([(2, False, True), (4, True, True)], [(2, True), (1, True), (3, True), (4, True)]),
        (
            [(4, True, True), (3, True, True), (5, False, False)],
            [(1, True), (2, True), (3, True), (4, True), (5, False)],
        ),
        ([(2, True, False), (5, True, True)], [(1, False), (2, False), (3, True), (4, True), (5, True)]),
        (
            [(5, False, True), (5, False, True), (5, True, True)],
            [(5, True), (1, True), (2, True), (3, True), (4, True)],
        ),
    ],
)
def test_each_publish_is_answered_once_however_confirms_come(
    confirms: list[tuple[int, bool, bool]], answers: list[tuple[int, bool]]
) -> None:
    async def play() -> None:
        publisher, link, seen, _ = await published(5)
        for number, multiple, stored in confirms:
            link.events([Confirm(1, number, multiple, stored)])
        assert seen == answers
        assert publisher.unconfirmed == [note for note in range(1, 6) if note not in [note for note, _ in answers]]
        assert publisher.in_flight == 5 - len(answers)

    asyncio.run(play())


def test_publishes_are_written_together_at_the_flush() -> None:
    async def play() -> None:
        publisher, link, _, _ = await published(3)
        assert link.written == []
        publisher.flush()
        publisher.flush()
        assert len(link.written) == 1 and link.written[0].count(b"body") == 3

    asyncio.run(play())


def test_a_loss_is_told_once_and_not_when_we_close() -> None:
    async def play() -> None:
        _, link, _, losses = await published(1)
        link.lost("gone")
        link.lost("again")
        assert losses == ["gone"]
        publisher, link, _, losses = await published(1)
        link = FakeLink.made[-1]
        await publisher.close()
        link.lost("closed")
        assert losses == [] and publisher.unconfirmed == [1]

    asyncio.run(play())


def test_a_channel_that_the_broker_closes_is_a_loss() -> None:
    async def play() -> None:
        _, link, _, losses = await published(1)
        link.channels[0].closing.set_result(None)
        await asyncio.sleep(0)
        assert losses == ["channel closed"]

    asyncio.run(play())


def test_a_full_socket_makes_it_unwritable() -> None:
    async def play() -> None:
        publisher, link, _, _ = await published(0)
        link.writable(False)
        assert not publisher.writable
        link.writable(True)
        assert publisher.writable

    asyncio.run(play())


def test_a_reader_hands_on_and_acknowledges_the_newest_of_each_channel() -> None:
    async def play() -> None:
        taken: list[tuple[str, bytes]] = []
        reader = Reader(URL_, lambda queue, _raw, body, _again: taken.append((queue, body)), lambda _: None)
        await reader.open(["one", "two"], 10)
        link = FakeLink.made[0]
        link.events([Content(c, tag, False, 0, "x", "k", b"", b"%d" % tag) for c, tag in ((1, 1), (2, 1), (1, 2))])
        assert taken == [("one", b"1"), ("two", b"1"), ("one", b"2")]
        assert link.written == [outbound.ack(1, 2, True) + outbound.ack(2, 1, True)]
        link.events([Confirm(1, 1, False, True)])
        assert len(link.written) == 1
        await reader.close()

    asyncio.run(play())


def test_a_reader_whose_channel_is_closed_is_lost() -> None:
    async def play() -> None:
        losses: list[str] = []
        reader = Reader(URL_, lambda *_: None, losses.append)
        await reader.open(["one"], 10)
        FakeLink.made[0].channels[0].closing.set_result(None)
        await asyncio.sleep(0)
        assert losses == ["channel of one closed"]

    asyncio.run(play())
