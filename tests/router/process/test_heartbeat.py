import asyncio
import json
import socket
import time
from collections.abc import Iterator

import pytest

from router.process.heartbeat import SupervisorLink, supervised_workers


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, int]]:
    """The supervisor's end, and the descriptor that a worker gets."""
    ours, theirs = socket.socketpair()
    ours.settimeout(2.0)
    with ours:
        yield ours, theirs.detach()


def lines(ours: socket.socket) -> list[dict[str, object]]:
    return [json.loads(line) for line in ours.recv(65536).splitlines()]


def test_beats_come_from_the_loop_and_stop_when_it_hangs(ends: tuple[socket.socket, int]) -> None:
    ours, fd = ends
    link = SupervisorLink(fd)

    async def live() -> None:
        link.start(lambda: None, beat_seconds=0.05)
        await asyncio.sleep(0.3)
        before = lines(ours)
        assert [line["beat"] for line in before] == list(range(1, len(before) + 1)) and len(before) >= 3
        time.sleep(0.3)  # noqa: ASYNC251 (a loop that hangs is what is tested)
        ours.setblocking(False)
        with pytest.raises(BlockingIOError):
            ours.recv(1)
        await asyncio.sleep(0.02)
        assert link.lag_seconds > 0.2
        assert len(lines(ours)) == 1, "missed beats are not made up for"
        link.close()

    asyncio.run(live())


def test_readiness_is_told_once_for_each_change(ends: tuple[socket.socket, int]) -> None:
    ours, fd = ends
    link = SupervisorLink(fd)
    link.ready(False, "no broker")
    link.ready(False, "no broker")
    link.ready(True)
    assert lines(ours) == [{"ready": False, "why": "no broker"}, {"ready": True, "why": ""}]
    link.close()


def test_the_end_of_the_supervisor_is_told_once(ends: tuple[socket.socket, int]) -> None:
    ours, fd = ends

    async def live() -> list[str]:
        told: list[str] = []
        link = SupervisorLink(fd)
        link.start(lambda: told.append("gone"), beat_seconds=0.02)
        ours.close()
        await asyncio.sleep(0.1)
        link.ready(True)
        link.close()
        return told

    assert asyncio.run(live()) == ["gone"]


def test_a_closed_link_is_not_an_end_of_the_supervisor(ends: tuple[socket.socket, int]) -> None:
    async def live() -> None:
        link = SupervisorLink(ends[1])
        link.start(lambda: pytest.fail("on_gone was called"), beat_seconds=0.02)
        link.close()
        await asyncio.sleep(0.1)

    asyncio.run(live())
    assert b"beat" in ends[0].recv(100) and ends[0].recv(100) == b""


def test_a_supervisor_that_does_not_read_blocks_nothing_and_learns_the_last_readiness(
    ends: tuple[socket.socket, int],
) -> None:
    ours, fd = ends
    link = SupervisorLink(fd)
    began = time.monotonic()
    for number in range(20_000):
        link.ready(number % 2 == 0, f"reason {number}")
    assert time.monotonic() - began < 5
    said = b""

    async def live() -> None:
        nonlocal said
        link.start(lambda: None, beat_seconds=0.02)
        ours.setblocking(False)
        for _ in range(10):
            await asyncio.sleep(0.02)
            while True:
                try:
                    said += ours.recv(1 << 20)
                except BlockingIOError:
                    break
        link.close()

    asyncio.run(live())
    heard = [json.loads(line) for line in said.splitlines()]
    assert [line for line in heard if "ready" in line][-1]["why"] == "reason 19999"
    assert any("beat" in line for line in heard)


def test_without_a_supervisor_everything_is_quiet() -> None:
    async def live() -> None:
        link = SupervisorLink.from_environment({})
        link.start(lambda: pytest.fail("on_gone was called"))
        link.ready(True)
        await asyncio.sleep(0)
        link.close()
        link.close()

    asyncio.run(live())
    assert supervised_workers({}) == 1
    assert supervised_workers({"HUBEX_WORKERS": "4"}) == 4
