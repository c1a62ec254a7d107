"""The protocol under aiormq's reader: hot frames are told in the very call, the rest is passed on, garbage ends it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from pamqp import frame
from pamqp.commands import Basic

from router.lane.inbound import HEARTBEAT_FRAME
from router.session.transport import KEEPALIVE_SECONDS, LaneProtocol
from tests.router.lane import wire


class Socket(asyncio.Transport):
    """A transport that takes note."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted = 0

    def abort(self) -> None:
        self.aborted += 1

    def is_closing(self) -> bool:
        return self.aborted > 0


class Ends:
    """A connected protocol, what it told, and what aiormq would read."""

    def __init__(self) -> None:
        self.now = 50.0
        self.told: list[Any] = []
        self.reader = asyncio.StreamReader()
        self.socket = Socket()
        self.protocol = LaneProtocol(
            self.reader,
            wire.inbound(),
            lambda events: self.told.append(list(events)),
            lambda writable: self.told.append(writable),
            lambda why: self.told.append(why),
        )
        self.protocol._clock = lambda: self.now
        self.protocol._fed_at = self.protocol.received_at = self.now
        self.protocol.connection_made(self.socket)

    def read(self) -> bytes:
        """What has come for aiormq since."""
        found = bytes(self.reader._buffer)  # type: ignore[attr-defined]
        self.reader._buffer.clear()  # type: ignore[attr-defined]
        return found


def staged(work: Callable[[Ends], None]) -> None:
    async def run() -> None:
        ends = Ends()
        work(ends)
        ends.protocol.connection_lost(None)

    asyncio.run(run())


def test_hot_frames_are_told_in_the_call_that_brought_them_and_the_rest_is_aiormqs() -> None:
    def work(ends: Ends) -> None:
        data, event = wire.deliver(1, b"body")
        other = frame.marshal(Basic.QosOk(), wire.CONSUMING)
        ends.protocol.data_received(data[:10])
        assert ends.told == [] and ends.read() == b""
        ends.protocol.data_received(data[10:] + other)
        assert ends.told == [[event]] and ends.read() == other

    staged(work)


def test_a_call_without_an_event_tells_nothing() -> None:
    def work(ends: Ends) -> None:
        ends.protocol.data_received(HEARTBEAT_FRAME)
        assert ends.told == [] and ends.read() == HEARTBEAT_FRAME

    staged(work)


def test_under_hot_traffic_aiormq_gets_a_heartbeat_a_second() -> None:
    def work(ends: Ends) -> None:
        hot, _ = wire.ack(1)
        beats = 0
        for _ in range(100):
            ends.now += KEEPALIVE_SECONDS / 10
            ends.protocol.data_received(hot)
            beats += ends.read().count(HEARTBEAT_FRAME)
        assert 9 <= beats <= 10
        assert ends.protocol.received_at == ends.now

    staged(work)


def test_garbage_cuts_the_connection_and_says_so_once() -> None:
    def work(ends: Ends) -> None:
        ends.protocol.data_received(b"\x01\x00\x01\x00\x00\x00\x02ab\x00")
        assert ends.socket.aborted == 1
        assert ends.told == ["a frame without its end octet"]
        ends.protocol.connection_lost(ConnectionResetError())
        ends.protocol.fail("again")
        assert ends.told == ["a frame without its end octet"]

    staged(work)


@pytest.mark.parametrize(
    "error, why", ((None, "connection lost"), (ConnectionResetError("secret"), "ConnectionResetError"))
)
def test_a_lost_connection_is_told_once_by_its_class(error: Exception | None, why: str) -> None:
    def work(ends: Ends) -> None:
        ends.protocol.connection_lost(error)
        assert ends.told == [why]

    staged(work)


def test_a_full_socket_is_told_and_an_empty_one_too() -> None:
    def work(ends: Ends) -> None:
        ends.protocol.pause_writing()
        ends.protocol.resume_writing()
        assert ends.told == [False, True]

    staged(work)


def test_events_are_handled_before_the_loop_does_anything_else() -> None:
    async def run() -> None:
        order: list[str] = []
        loop = asyncio.get_running_loop()
        protocol = LaneProtocol(
            asyncio.StreamReader(), wire.inbound(), lambda found: order.append("event"), lambda _: None, lambda _: None
        )
        protocol.connection_made(Socket())
        loop.call_soon(order.append, "loop")
        protocol.data_received(wire.ack(1)[0])
        assert order == ["event"]
        await asyncio.sleep(0)
        assert order == ["event", "loop"]
        protocol.connection_lost(None)

    asyncio.run(run())
