"""Markers: where a drain begins and ends, and how many messages lie between."""

from collections.abc import Iterator

import pytest

from bench.amqp import Address
from bench.bodies import Bodies
from bench.child import LoadError
from bench.hub import MARKER_INBOX, make_markers
from bench.job import Target, lines_of
from bench.markers import BACK, FRONT, Markers
from router.core.directory import Client

BODIES = Bodies(1, 1.8e9, count=5)
LINES = lines_of([(client, Client(MARKER_INBOX)) for client in make_markers(3)])


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    now = [100.0]
    monkeypatch.setattr("bench.markers.time.monotonic", lambda: now[0])
    yield now


def made(cpu: list[float], run_up: int = 30) -> Markers:
    markers = Markers(Target(Address("127.0.0.1", 1, "v"), "", "", ""), LINES, BODIES, run_up)
    markers._cpu = lambda: (cpu[0],)
    return markers


def arrive(markers: Markers, line: int, which: int) -> None:
    body = BODIES.message(0, LINES[line].sender, MARKER_INBOX, markers._first + which).body
    markers._take("queue", b"", body, False)


def test_from_the_first_front_to_the_last_back(clock: list[float]) -> None:
    cpu = [5.0]
    markers = made(cpu, run_up=6)
    for line in (0, 0, 1, 2, 2):
        arrive(markers, line, -2)  # run-up, but for one
    clock[0], cpu[0] = 101.0, 6.0
    arrive(markers, 0, FRONT)
    arrive(markers, 1, -1)
    clock[0], cpu[0] = 103.0, 7.0
    for line in (2, 1):
        arrive(markers, line, FRONT)
    for line in (0, 1):
        arrive(markers, line, BACK)
    assert markers._end is None
    clock[0], cpu[0] = 111.0, 9.5
    arrive(markers, 2, BACK)
    assert markers._done.is_set()
    drain = markers.drain()
    assert (drain.seconds, drain.skew_seconds, drain.cpu_seconds(0)) == (10.0, 2.0, 3.5)
    assert drain.run_up_left == 6  # one of the run-up, two fronts, three backs


def test_a_run_up_that_is_not_whole_is_no_measure(clock: list[float]) -> None:
    markers = made([0.0])
    for line in range(3):
        arrive(markers, line, FRONT)
        arrive(markers, line, BACK)
    with pytest.raises(LoadError, match="30 messages of the run-up did not arrive"):
        markers.drain()


def test_markers_of_another_round_and_other_messages_do_not_count(clock: list[float]) -> None:
    markers = made([0.0])
    for which in (-11, 2, 10_000, -500_000):
        arrive(markers, 0, which)
    markers._take("queue", b"", b"nothing", False)
    assert markers._arrived == 0 and markers._begin is None


def test_the_run_up_is_the_same_in_each_shard() -> None:
    assert made([0.0])._run_up == 10
